//! What a loader may answer, and what a cache answers.

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use hallway_core::{Error, ErrorKind};

/// What a loader found, where it has more to say than a plain value.
///
/// A loader that always has a value returns `Ok(value)`, one that may have none `Ok(Some(value))` or `Ok(None)`. A `Load`
/// also says how long to keep it, or under which tags.
///
/// ```
/// use std::time::Duration;
/// use hallway_tiered::Load;
///
/// let kept = Load::store("Ada").with_ttl(Duration::from_secs(60)).with_tags(["team:1"]);
/// let passed_on = Load::do_not_store("Ada");
/// let nothing: Load<&str> = Load::not_found();
/// # let _ = (kept, passed_on, nothing);
/// ```
#[derive(Debug, Clone)]
pub struct Load<V> {
    pub(super) value: Option<V>,
    pub(super) keep: Keep,
    pub(super) tags: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Keep {
    /// As the cache was told to.
    Default,
    /// At most so long.
    For(Duration),
    No,
}

impl<V> Load<V> {
    /// A value, kept for the TTL of the cache.
    #[must_use]
    pub fn store(value: V) -> Self {
        Self { value: Some(value), keep: Keep::Default, tags: Vec::new() }
    }

    /// A value for whoever waits for it, and for nobody else.
    #[must_use]
    pub fn do_not_store(value: V) -> Self {
        Self { value: Some(value), keep: Keep::No, tags: Vec::new() }
    }

    /// There is no such value; remembered for the not-found TTL of the cache. Not an error.
    #[must_use]
    pub fn not_found() -> Self {
        Self { value: None, keep: Keep::Default, tags: Vec::new() }
    }

    /// Keeps it for at most so long instead of the TTL of the cache: jitter only shortens it. Zero does not keep it.
    #[must_use]
    pub fn with_ttl(mut self, ttl: Duration) -> Self {
        self.keep = if ttl.is_zero() { Keep::No } else { Keep::For(ttl) };
        self
    }

    /// Keeps it until one of these tags is invalidated, see [`Cache::invalidate_tag`](super::Cache::invalidate_tag). At
    /// most 64 tags, 1 to 128 bytes each; a value with more or other ones is not kept.
    ///
    /// Nor is one whose tag may have been invalidated while it was loaded. Where others use a tag that this process has not
    /// met yet, or not since it was last connected, that cannot be told: the first such value is handed on, the next is
    /// kept.
    #[must_use]
    pub fn with_tags<T: Into<String>>(mut self, tags: impl IntoIterator<Item = T>) -> Self {
        self.tags.extend(tags.into_iter().map(Into::into));
        self
    }
}

/// What a loader of a cache of `V` may return: `V`, `Option<V>` or [`Load<V>`].
///
/// The answer follows it: a loader that always has a value gives an `Arc<V>`, one that may have none an `Option<Arc<V>>`.
pub trait IntoLoad<V>: sealed::Sealed<V> + Send + 'static {
    /// What the caller gets.
    type Answer: Send;
    #[doc(hidden)]
    fn into_load(self) -> Load<V>;
    /// `None` if there is nothing and the caller wants something.
    #[doc(hidden)]
    fn answer(value: Option<Arc<V>>) -> Option<Self::Answer>;
    #[doc(hidden)]
    const TAKES_NOTHING: bool;
}

mod sealed {
    pub trait Sealed<V> {}
    impl<V> Sealed<V> for V {}
    impl<V> Sealed<V> for Option<V> {}
    impl<V> Sealed<V> for super::Load<V> {}
}

impl<V: Send + Sync + 'static> IntoLoad<V> for V {
    type Answer = Arc<V>;
    const TAKES_NOTHING: bool = false;

    fn into_load(self) -> Load<V> {
        Load::store(self)
    }

    fn answer(value: Option<Arc<V>>) -> Option<Arc<V>> {
        value
    }
}

impl<V: Send + Sync + 'static> IntoLoad<V> for Option<V> {
    type Answer = Option<Arc<V>>;
    const TAKES_NOTHING: bool = true;

    fn into_load(self) -> Load<V> {
        self.map_or_else(Load::not_found, Load::store)
    }

    fn answer(value: Option<Arc<V>>) -> Option<Option<Arc<V>>> {
        Some(value)
    }
}

impl<V: Send + Sync + 'static> IntoLoad<V> for Load<V> {
    type Answer = Option<Arc<V>>;
    const TAKES_NOTHING: bool = true;

    fn into_load(self) -> Self {
        self
    }

    fn answer(value: Option<Arc<V>>) -> Option<Option<Arc<V>>> {
        Some(value)
    }
}

/// An answer with where it came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Loaded<T> {
    /// The value.
    pub value: T,
    /// Who answered.
    pub tier: ServedBy,
    /// How long ago it was loaded, to the millisecond where a shared tier keeps it.
    pub age: Duration,
    /// Whether it is past its TTL: served while it is refreshed, or because it could not be.
    pub stale: bool,
}

/// Who answered a read of a cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ServedBy {
    /// The loader: the caller's own, or that of another caller who came first.
    Loader,
    /// A copy in this process.
    Local,
    /// A copy in the shared tier.
    Shared,
}

/// An error of a write that certainly changed nothing, such as a refused constraint.
///
/// A cache takes the error of a write for an unknown outcome: the commit may have happened and its answer got lost, so
/// copies are kept away until it can no longer happen. Whoever knows better says so, and the next read may be answered by
/// a copy at once.
///
/// ```
/// use hallway_tiered::NotWritten;
///
/// fn rename(name: &str) -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
///     if name.is_empty() {
///         return Err(NotWritten::new("a name must not be empty").into());
///     }
///     Ok(())
/// }
/// # assert!(rename("").is_err());
/// ```
pub struct NotWritten(pub(super) Box<dyn StdError + Send + Sync>);

impl NotWritten {
    /// Says that nothing was written because of this error.
    pub fn new(error: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        Self(error.into())
    }
}

impl fmt::Display for NotWritten {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for NotWritten {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("NotWritten").field(&self.0).finish()
    }
}

impl StdError for NotWritten {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source()
    }
}

/// A loader's error as ours: one that already is stays, any other becomes the source of an `Unavailable`.
pub(super) fn of_loader(error: impl Into<Box<dyn StdError + Send + Sync>>) -> Error {
    match error.into().downcast::<Error>() {
        Ok(error) => *error,
        Err(other) => {
            Error::new(ErrorKind::Unavailable, "the loader failed").at("cache", "load").with_shared_source(other.into())
        }
    }
}

/// A write's error as ours, and whether its outcome is known: a hallway error says by its kind, [`NotWritten`] by its type,
/// any other does not say.
pub(super) fn of_write(error: impl Into<Box<dyn StdError + Send + Sync>>) -> (Error, bool) {
    let error = match error.into().downcast::<NotWritten>() {
        Ok(definite) => {
            let error = match definite.0.downcast::<Error>() {
                Ok(error) => *error,
                Err(other) => Error::new(ErrorKind::Unavailable, "nothing was written")
                    .with_retryable(false)
                    .at("cache", "write")
                    .with_shared_source(other.into()),
            };
            return (error, true);
        }
        Err(error) => error,
    };
    match error.downcast::<Error>() {
        Ok(error) => {
            let known = error.kind() != ErrorKind::Indeterminate;
            (*error, known)
        }
        Err(other) => {
            let error = Error::new(ErrorKind::Indeterminate, "the write failed, and may have happened");
            (error.at("cache", "write").with_shared_source(other.into()), false)
        }
    }
}
