//! Keys, namespaces and prefixes, and the one way they are written in every backend.
//!
//! Physical key = escape(segment) `:` escape(segment) … `:` escape(id). Escaping percent-encodes `%`, `:`, `{` and
//! `}` and nothing else, so keys stay readable in `redis-cli` and `psql`, two different keys never share a
//! physical form, and no key can smuggle in a cluster hash tag or a separator. Keys are never hashed.

use std::borrow::{Borrow, Cow};
use std::cell::Cell;
use std::fmt;
use std::hash::{BuildHasher, Hash, Hasher, RandomState};
use std::sync::{Arc, LazyLock};

use crate::{Error, Result};

/// The longest physical key in bytes, after escaping.
pub const MAX_KEY_BYTES: usize = 512;

/// The name of an entry: UTF-8 without control characters, 1 to 512 bytes after escaping.
///
/// A `Key` that exists is a legal key in every backend. Case and trailing spaces matter. Cloning shares the text.
#[derive(Clone)]
pub struct Key {
    physical: Arc<str>,
    // Bytes of the namespace without its separator; 0 for a key of the root namespace.
    namespace: u16,
}

impl Key {
    /// The key of `id` in `namespace`.
    ///
    /// # Errors
    /// `InvalidInput` if the id is empty, has a control character, or makes the key longer than 512 bytes.
    pub fn new(namespace: &Namespace, id: &str) -> Result<Self> {
        let physical = with_text(|text| namespace.write_physical(id, text).map(|()| Arc::<str>::from(text.as_str())))?;
        Ok(Self { physical, namespace: namespace.0.len() as u16 })
    }

    /// Reads a physical key back, as found in a backend or typed by a person: `user:profile:42`.
    ///
    /// # Errors
    /// `InvalidInput` if the text is not the physical form of any key.
    pub fn from_physical(physical: &str) -> Result<Self> {
        check_length(physical.len())?;
        for segment in physical.split(':') {
            check_escaped(segment)?;
        }
        Ok(Self { physical: physical.into(), namespace: physical.rfind(':').unwrap_or(0) as u16 })
    }

    /// The physical form, as backends store it.
    #[must_use]
    #[inline]
    pub fn as_str(&self) -> &str {
        &self.physical
    }

    /// The physical form as bytes.
    #[must_use]
    #[inline]
    pub fn as_bytes(&self) -> &[u8] {
        self.physical.as_bytes()
    }

    /// The physical form of the id alone. It is the id itself unless that has one of `%`, `:`, `{` and `}`.
    #[must_use]
    #[inline]
    pub fn physical_id(&self) -> &str {
        &self.physical[self.id_start()..]
    }

    /// Whether this is the id. Unlike a comparison with [`id`](Self::id) it never allocates.
    #[must_use]
    pub fn has_id(&self, id: &str) -> bool {
        let mut rest = self.physical_id().as_bytes();
        for byte in id.as_bytes() {
            let written: &[u8] = match byte {
                b'%' => b"%25",
                b':' => b"%3A",
                b'{' => b"%7B",
                b'}' => b"%7D",
                byte => std::slice::from_ref(byte),
            };
            match rest.strip_prefix(written) {
                Some(left) => rest = left,
                None => return false,
            }
        }
        rest.is_empty()
    }

    /// The id, unescaped.
    #[must_use]
    pub fn id(&self) -> Cow<'_, str> {
        unescape(self.physical_id())
    }

    /// The namespace.
    #[must_use]
    pub fn namespace(&self) -> Namespace {
        Namespace(self.namespace_str().into())
    }

    /// The physical form of the namespace, for labels and messages; empty for the root.
    #[must_use]
    #[inline]
    pub fn namespace_str(&self) -> &str {
        &self.physical[..usize::from(self.namespace)]
    }

    /// The same key below another namespace: `prefix` + `:` + this key.
    ///
    /// # Errors
    /// `InvalidInput` if the result is longer than 512 bytes.
    pub fn within(&self, prefix: &Namespace) -> Result<Self> {
        if prefix.is_root() {
            return Ok(self.clone());
        }
        let length = prefix.0.len() + 1 + self.physical.len();
        check_length(length)?;
        let physical = with_text(|physical| {
            physical.push_str(&prefix.0);
            physical.push(':');
            physical.push_str(&self.physical);
            Arc::<str>::from(physical.as_str())
        });
        let namespace =
            if self.namespace == 0 { prefix.0.len() } else { prefix.0.len() + 1 + usize::from(self.namespace) };
        Ok(Self { physical, namespace: namespace as u16 })
    }

    /// The inverse of [`within`](Self::within); `None` if the key is not below `prefix`.
    #[must_use]
    pub fn strip(&self, prefix: &Namespace) -> Option<Self> {
        if prefix.is_root() {
            return Some(self.clone());
        }
        let rest = self.physical.strip_prefix(&*prefix.0)?.strip_prefix(':')?;
        let namespace = usize::from(self.namespace).saturating_sub(prefix.0.len() + 1);
        Some(Self { physical: rest.into(), namespace: namespace as u16 })
    }

    #[inline]
    fn id_start(&self) -> usize {
        if self.namespace == 0 { 0 } else { usize::from(self.namespace) + 1 }
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Self) -> bool {
        self.physical == other.physical
    }
}

impl Eq for Key {}

impl PartialOrd for Key {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Key {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.physical.cmp(&other.physical)
    }
}

// As `str`, so that maps keyed by `Key` can be asked with a `&str`.
impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

impl Borrow<str> for Key {
    fn borrow(&self) -> &str {
        self.as_str()
    }
}

/// Shows the namespace and a tag that is stable within this process, never the id: a key may be a credential.
impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        static TAG: LazyLock<RandomState> = LazyLock::new(RandomState::new);
        write!(f, "Key({}#{:08x})", self.namespace_str(), TAG.hash_one(self.as_str()) as u32)
    }
}

/// A place for keys: segments joined by `:`, such as `user:profile`. The root namespace has none.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Namespace(Arc<str>);

impl Namespace {
    /// A namespace from segments joined by `:`.
    ///
    /// # Errors
    /// `InvalidInput` if a segment is empty or has a control character, or the whole leaves no room for an id.
    pub fn new(segments: &str) -> Result<Self> {
        Self::from_segments(segments.split(':'))
    }

    /// A namespace from segments that may themselves contain `:`, such as tenant names from outside.
    ///
    /// # Errors
    /// As for [`new`](Self::new), and `InvalidInput` for no segments at all.
    pub fn from_segments<'a>(segments: impl IntoIterator<Item = &'a str>) -> Result<Self> {
        let mut physical = String::new();
        for segment in segments {
            check_text(segment, "namespace segment")?;
            if !physical.is_empty() {
                physical.push(':');
            }
            escape_into(segment, &mut physical);
        }
        if physical.is_empty() {
            return Err(Error::invalid_input("a namespace needs a segment; Namespace::root() is the one without"));
        }
        // One separator and one byte of id must still fit.
        if physical.len() + 2 > MAX_KEY_BYTES {
            return Err(Error::invalid_input(format!(
                "a namespace of {} bytes leaves no room for an id; keys have at most {MAX_KEY_BYTES} bytes",
                physical.len()
            )));
        }
        Ok(Self(physical.into()))
    }

    /// The namespace of keys without a namespace.
    #[must_use]
    pub fn root() -> Self {
        Self("".into())
    }

    /// Whether this is the root.
    #[must_use]
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// The physical form, without a trailing separator.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The key of `id` here.
    ///
    /// # Errors
    /// As for [`Key::new`].
    pub fn key(&self, id: &str) -> Result<Key> {
        Key::new(self, id)
    }

    /// Hands the physical form of the key of `id` to `with`: for looking something up without the allocation of a [`Key`].
    /// `None` if the id makes no key.
    ///
    /// ```
    /// # use hallway_core::Namespace;
    /// let users = Namespace::new("user")?;
    /// assert_eq!(users.with_physical("a:1", |physical| physical.to_owned()).as_deref(), Some("user:a%3A1"));
    /// # Ok::<(), hallway_core::Error>(())
    /// ```
    pub fn with_physical<R>(&self, id: &str, with: impl FnOnce(&str) -> R) -> Option<R> {
        with_text(|text| {
            let written = self.write_physical(id, text);
            written.is_ok().then(|| with(text))
        })
    }

    fn write_physical(&self, id: &str, text: &mut String) -> Result<()> {
        check_text(id, "key")?;
        // Escapes make it longer; what is too long without them need not be written at all.
        check_length(self.0.len() + id.len())?;
        text.reserve(self.0.len() + 1 + id.len());
        text.push_str(&self.0);
        if !self.is_root() {
            text.push(':');
        }
        escape_into(id, text);
        check_length(text.len())
    }

    /// This namespace below another one.
    ///
    /// # Errors
    /// `InvalidInput` if the result leaves no room for an id.
    pub fn within(&self, outer: &Self) -> Result<Self> {
        match (outer.is_root(), self.is_root()) {
            (true, _) => Ok(self.clone()),
            (false, true) => Ok(outer.clone()),
            (false, false) => {
                let physical = format!("{}:{}", outer.0, self.0);
                if physical.len() + 2 > MAX_KEY_BYTES {
                    return Err(Error::invalid_input("the joined namespace leaves no room for an id"));
                }
                Ok(Self(physical.into()))
            }
        }
    }

    /// Everything below this namespace.
    #[must_use]
    pub fn prefix(&self) -> Prefix {
        Prefix(self.clone())
    }
}

/// An empty text to write a key into, which this thread keeps: whoever needs a key needs one again soon.
fn with_text<R>(with: impl FnOnce(&mut String) -> R) -> R {
    thread_local! {
        // Taken while in use, so that nothing is borrowed should `with` come here again.
        static TEXT: Cell<String> = const { Cell::new(String::new()) };
    }
    let mut text = TEXT.try_with(Cell::take).unwrap_or_default();
    text.clear();
    let answer = with(&mut text);
    // Nowhere to put it while the thread is ending.
    let _ = TEXT.try_with(|place| place.set(text));
    answer
}

// So that maps keyed by `Namespace` can be asked with a `&str`.
impl Borrow<str> for Namespace {
    fn borrow(&self) -> &str {
        self.as_str()
    }
}

impl fmt::Debug for Namespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Namespace({})", self.0)
    }
}

/// All keys below a namespace. It ends at a segment boundary: `app` never matches a key of `app2`.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Prefix(Namespace);

impl Prefix {
    /// The prefix of a namespace from segments joined by `:`.
    ///
    /// # Errors
    /// As for [`Namespace::new`].
    pub fn new(segments: &str) -> Result<Self> {
        Namespace::new(segments).map(Self)
    }

    /// Every key of the store. `scan` takes it, `clear` refuses it.
    #[must_use]
    pub fn root() -> Self {
        Self(Namespace::root())
    }

    /// Whether this is every key of the store.
    #[must_use]
    pub fn is_root(&self) -> bool {
        self.0.is_root()
    }

    /// The namespace whose keys are meant.
    #[must_use]
    pub fn namespace(&self) -> &Namespace {
        &self.0
    }

    /// Whether a physical key lies below.
    #[must_use]
    pub fn matches(&self, physical: &str) -> bool {
        self.is_root() || physical.strip_prefix(self.0.as_str()).is_some_and(|rest| rest.starts_with(':'))
    }

    /// The text that every physical key below starts with: the namespace and `:`, or nothing for the root.
    #[must_use]
    pub fn to_physical(&self) -> String {
        if self.is_root() { String::new() } else { format!("{}:", self.0.as_str()) }
    }

    /// The first text after every physical key below, for range scans in byte order; `None` for the root.
    #[must_use]
    pub fn upper_bound(&self) -> Option<String> {
        // `;` is the byte after `:`.
        (!self.is_root()).then(|| format!("{};", self.0.as_str()))
    }
}

impl fmt::Debug for Prefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Prefix({})", self.to_physical())
    }
}

fn check_length(bytes: usize) -> Result<()> {
    if bytes > MAX_KEY_BYTES {
        return Err(Error::invalid_input(format!(
            "a key of {bytes} bytes is too long; at most {MAX_KEY_BYTES} bytes after escaping"
        )));
    }
    Ok(())
}

fn check_text(text: &str, what: &str) -> Result<()> {
    if text.is_empty() {
        return Err(Error::invalid_input(format!("a {what} must not be empty")));
    }
    // By bytes where all are ASCII, as in nearly every key.
    let has_control = |text: &str| match text.is_ascii() {
        true => text.bytes().any(|byte| byte.is_ascii_control()),
        false => text.chars().any(char::is_control),
    };
    if has_control(text) {
        return Err(Error::invalid_input(format!("a {what} must not contain control characters")));
    }
    Ok(())
}

fn check_escaped(segment: &str) -> Result<()> {
    check_text(segment, "key segment")?;
    let mut rest = segment;
    while let Some(at) = rest.find(['%', '{', '}']) {
        let escaped = &rest.as_bytes()[at..];
        if !matches!(escaped.get(..3), Some(b"%25" | b"%3A" | b"%7B" | b"%7D")) {
            return Err(Error::invalid_input(
                "not a physical key: `%`, `{` and `}` are written %25, %7B and %7D, a `:` inside a segment %3A",
            ));
        }
        rest = &rest[at + 3..];
    }
    Ok(())
}

fn escape_into(text: &str, out: &mut String) {
    // Byte by byte: no byte of a longer character looks like one of these.
    if !text.bytes().any(|byte| matches!(byte, b'%' | b':' | b'{' | b'}')) {
        out.push_str(text);
        return;
    }
    for c in text.chars() {
        match c {
            '%' => out.push_str("%25"),
            ':' => out.push_str("%3A"),
            '{' => out.push_str("%7B"),
            '}' => out.push_str("%7D"),
            c => out.push(c),
        }
    }
}

fn unescape(text: &str) -> Cow<'_, str> {
    if !text.contains('%') {
        return Cow::Borrowed(text);
    }
    // `%25` last, so that an escaped percent sign never starts another escape.
    Cow::Owned(text.replace("%3A", ":").replace("%7B", "{").replace("%7D", "}").replace("%25", "%"))
}
