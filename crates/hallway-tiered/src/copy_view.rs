//! What stands in the shared tier under the key of a copy, for tools and people: state, header and payload apart.

use std::time::Duration;

use bytes::Bytes;
use hallway_core::{Error, ErrorKind, Key, Namespace, Result, Timestamp, Token};

use crate::engine::COPY;
use crate::header::{BYTES, Header};

/// The state of a copy, read from the bytes that the shared tier holds under its key.
///
/// ```
/// # fn main() -> hallway_core::Result<()> {
/// use hallway_core::{Bytes, Key};
/// use hallway_tiered::CopyView;
///
/// let copy = Key::from_physical("copy:user:profile:42")?;
/// assert_eq!(CopyView::source(&copy).unwrap().as_str(), "user:profile:42");
/// assert!(matches!(CopyView::parse(&Bytes::from("L00000000000000ff"))?, CopyView::Lease(token) if token.0 == 255));
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum CopyView {
    /// Somebody loads: the name of the lease.
    Lease(Token),
    /// Somebody writes, so that nobody reads or fills: each writer and when its marker ends, on the server's clock.
    Markers(Vec<(Token, Timestamp)>),
    /// A copy: its header and its payload.
    Value(CopyHeader, Bytes),
}

/// The line before the payload of a copy.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CopyHeader {
    /// The line itself.
    pub line: String,
    /// What the payload is written in: `bytes`, `json` and so on; `nothing` for a copy that says there is no value.
    pub codec: String,
    /// The life the copy was given. Its age is this less what the server says is left.
    pub ttl: Duration,
    /// The age from which it is refreshed while it still answers.
    pub soft: Duration,
    /// What loading it took.
    pub cost: Duration,
    /// The random name of its fill: the same as long as the same copy stands.
    pub id: Token,
    /// Its tags.
    pub tags: Vec<String>,
}

impl CopyHeader {
    /// Whether the payload is the value as the consistent tier has it, so that the two can be compared.
    #[must_use]
    pub fn is_plain(&self) -> bool {
        self.codec == BYTES
    }
}

impl CopyView {
    /// The namespace below which all copies lie in the shared tier: `copy`.
    #[must_use]
    pub fn namespace() -> Namespace {
        Namespace::new(COPY).expect("the name is a segment")
    }

    /// Of what this is the copy; `None` if the key is not that of a copy.
    #[must_use]
    pub fn source(key: &Key) -> Option<Key> {
        key.strip(&Self::namespace())
    }

    /// Reads what stands under the key of a copy.
    ///
    /// # Errors
    /// `Corrupt` for anything that is no state of a copy. It never quotes the bytes.
    pub fn parse(bytes: &Bytes) -> Result<Self> {
        match bytes.first() {
            Some(b'V') => {
                let (header, payload) = Header::open(bytes.clone())?;
                let line = bytes.split(|byte| *byte == b'\n').next().unwrap_or_default();
                Ok(Self::Value(CopyHeader::new(header, String::from_utf8_lossy(line).into_owned()), payload))
            }
            Some(b'L') => token(&bytes[1..]).map(Self::Lease).ok_or_else(no_state),
            Some(b'M') => markers(&bytes[1..]).map(Self::Markers).ok_or_else(no_state),
            _ => Err(no_state()),
        }
    }
}

impl CopyHeader {
    fn new(header: Header, line: String) -> Self {
        let Header { codec, ttl, soft, cost, id, tags, .. } = header;
        Self {
            line,
            codec: codec.into_owned(),
            ttl,
            soft,
            cost,
            id,
            tags: tags.into_iter().map(|(tag, _)| tag).collect(),
        }
    }
}

fn token(text: &[u8]) -> Option<Token> {
    let plain = (1..=16).contains(&text.len()) && text.iter().all(u8::is_ascii_hexdigit);
    u64::from_str_radix(std::str::from_utf8(text).ok()?, 16).ok().filter(|_| plain).map(Token)
}

/// `token:deadline;`, once for each writer; deadlines in milliseconds since 1970.
fn markers(text: &[u8]) -> Option<Vec<(Token, Timestamp)>> {
    let text = std::str::from_utf8(text).ok()?.strip_suffix(';')?;
    text.split(';')
        .map(|marker| {
            let (writer, deadline) = marker.split_once(':')?;
            let millis: i64 = deadline.parse().ok()?;
            Some((token(writer.as_bytes())?, Timestamp::from_unix_micros(millis.checked_mul(1_000)?)))
        })
        .collect()
}

fn no_state() -> Error {
    Error::new(ErrorKind::Corrupt, "neither a copy nor a lease nor a marker").at("copy", "read")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_is_shown_in_parts() {
        let golden = Bytes::from_static(include_bytes!("../testdata/copy-v1.txt"));
        let CopyView::Value(header, payload) = CopyView::parse(&golden).unwrap() else { panic!() };
        assert_eq!(&payload[..], b"{\"name\":\"Ada\"}");
        assert_eq!((header.codec.as_str(), header.ttl, header.is_plain()), ("json", Duration::from_secs(3600), false));
        assert_eq!(header.tags, ["team%3A1", "eu"]);
        assert!(header.line.starts_with("V1 json ttl=3600000 ") && !header.line.contains('\n'), "{}", header.line);
    }

    #[test]
    fn leases_and_markers_are_shown() {
        let parse = |text: &'static str| CopyView::parse(&Bytes::from(text)).unwrap();
        assert_eq!(parse("L00000000000000ab"), CopyView::Lease(Token(0xab)));
        let at = Timestamp::from_unix_micros(1_700_000_000_000_000);
        let expected = vec![(Token(1), at), (Token(2), at)];
        assert_eq!(parse("M1:1700000000000;2:1700000000000;"), CopyView::Markers(expected));
    }

    #[test]
    fn anything_else_is_corrupt_and_not_quoted() {
        for text in
            ["", "hunter2", "Lhunter2", "L", "M", "M1:2", "Mhunter2:1;", "M1:99999999999999999999;", "V1 hunter2"]
        {
            let error = CopyView::parse(&Bytes::from(text)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Corrupt, "{text}");
            assert!(!format!("{error} {error:?}").contains("hunter2"));
        }
        assert_eq!(CopyView::source(&Key::from_physical("copies:a").unwrap()), None);
    }
}
