//! The bytes of RESP: requests in, replies of version 2 or 3 out.

use bytes::{BufMut, Bytes, BytesMut};

/// One reply, or a part of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Reply {
    Array(Vec<Reply>),
    Bulk(Bytes),
    Error(String),
    Int(i64),
    Map(Vec<(Reply, Reply)>),
    Nil,
    Simple(&'static str),
}

impl Reply {
    pub(super) const OK: Self = Self::Simple("OK");

    pub(super) fn error(text: impl Into<String>) -> Self {
        Self::Error(text.into())
    }

    pub(super) fn text(text: impl Into<String>) -> Self {
        Self::Bulk(Bytes::from(text.into()))
    }

    /// Appends the bytes in this version of the protocol.
    pub(super) fn write(&self, out: &mut BytesMut, version: u8) {
        match self {
            Self::Array(items) => {
                header(out, b'*', items.len() as i64);
                for item in items {
                    item.write(out, version);
                }
            }
            Self::Bulk(bytes) => bulk(out, bytes),
            Self::Error(text) => {
                out.put_u8(b'-');
                out.put_slice(text.as_bytes());
                out.put_slice(b"\r\n");
            }
            Self::Int(number) => header(out, b':', *number),
            Self::Map(pairs) => {
                if version >= 3 {
                    header(out, b'%', pairs.len() as i64);
                } else {
                    header(out, b'*', pairs.len() as i64 * 2);
                }
                for (name, value) in pairs {
                    name.write(out, version);
                    value.write(out, version);
                }
            }
            Self::Nil => out.put_slice(if version >= 3 { b"_\r\n" } else { b"$-1\r\n" }),
            Self::Simple(text) => {
                out.put_u8(b'+');
                out.put_slice(text.as_bytes());
                out.put_slice(b"\r\n");
            }
        }
    }
}

/// The push that says: this key changed, or everything for `None`. The null is one of the version that the tracked client
/// speaks, even if another one gets the push.
pub(super) fn invalidation(out: &mut BytesMut, key: Option<&[u8]>, version: u8) {
    out.put_slice(b">2\r\n$10\r\ninvalidate\r\n");
    match key {
        Some(key) => {
            out.put_slice(b"*1\r\n");
            bulk(out, key);
        }
        None => Reply::Nil.write(out, version),
    }
}

/// The push to a client whose invalidations cannot be redirected any more.
pub(super) fn broken_redirect(out: &mut BytesMut, to: u64) {
    out.put_slice(b">2\r\n$21\r\ntracking-redir-broken\r\n");
    header(out, b':', to as i64);
}

fn bulk(out: &mut BytesMut, bytes: &[u8]) {
    header(out, b'$', bytes.len() as i64);
    out.put_slice(bytes);
    out.put_slice(b"\r\n");
}

fn header(out: &mut BytesMut, kind: u8, number: i64) {
    out.put_u8(kind);
    if let Ok(digit @ 0..=9) = u8::try_from(number) {
        out.put_u8(b'0' + digit);
    } else {
        out.put_slice(number.to_string().as_bytes());
    }
    out.put_slice(b"\r\n");
}

/// What the bytes so far are.
#[derive(Debug)]
pub(super) enum Parsed {
    /// The beginning of a request.
    Partial,
    /// A whole one, taken from the bytes. Empty for an empty line.
    Request(Vec<Bytes>),
    /// No request; the message that a server ends the connection with.
    Wrong(&'static str),
}

/// The most arguments and the longest one that a server accepts.
const MOST: i64 = 1 << 20;
const LONGEST: i64 = 512 << 20;

/// Takes the first request out of the buffer.
pub(super) fn take_request(buffer: &mut BytesMut) -> Parsed {
    let bytes = &buffer[..];
    if bytes.first().is_none_or(|first| *first != b'*') {
        return take_inline(buffer);
    }
    let Some((count, mut at)) = number(bytes, 1) else { return Parsed::Partial };
    let Some(count) = count.filter(|count| *count <= MOST) else {
        return Parsed::Wrong("ERR Protocol error: invalid multibulk length");
    };
    let mut ranges = Vec::with_capacity(usize::try_from(count).unwrap_or(0));
    for _ in 0..count {
        match bytes.get(at) {
            None => return Parsed::Partial,
            Some(b'$') => {}
            Some(_) => return Parsed::Wrong("ERR Protocol error: expected '$'"),
        }
        let Some((length, start)) = number(bytes, at + 1) else { return Parsed::Partial };
        let Some(length) = length.filter(|length| (0..=LONGEST).contains(length)) else {
            return Parsed::Wrong("ERR Protocol error: invalid bulk length");
        };
        let end = start + length as usize;
        if bytes.len() < end + 2 {
            return Parsed::Partial;
        }
        ranges.push(start..end);
        at = end + 2;
    }
    let whole = buffer.split_to(at).freeze();
    Parsed::Request(ranges.into_iter().map(|range| whole.slice(range)).collect())
}

/// A line of words, as people type them.
fn take_inline(buffer: &mut BytesMut) -> Parsed {
    let Some(end) = buffer.iter().position(|byte| *byte == b'\n') else { return Parsed::Partial };
    let line = buffer.split_to(end + 1).freeze();
    let words = line.split(u8::is_ascii_whitespace).filter(|word| !word.is_empty());
    Parsed::Request(words.map(|word| line.slice_ref(word)).collect())
}

/// The number on the line that starts here, if it is one, and where the next line starts; `None` without a whole line.
fn number(bytes: &[u8], at: usize) -> Option<(Option<i64>, usize)> {
    let rest = bytes.get(at..)?;
    let length = rest.iter().position(|byte| *byte == b'\r')?;
    if rest.len() < length + 2 {
        return None;
    }
    Some((integer(&rest[..length]), at + length + 2))
}

/// A decimal 64-bit integer without leading zeros, blanks or plus, as the server reads it.
pub(super) fn integer(text: &[u8]) -> Option<i64> {
    hallway_core::parse_canonical_i64(text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_taken_only_when_whole() {
        let whole = b"*2\r\n$3\r\nGET\r\n$2\r\n\r\n\r\n*1\r\n$4\r\nPING\r\n";
        for cut in 0..21 {
            let mut buffer = BytesMut::from(&whole[..cut]);
            assert!(matches!(take_request(&mut buffer), Parsed::Partial), "{cut}");
            assert_eq!(buffer.len(), cut);
        }
        let mut buffer = BytesMut::from(&whole[..]);
        let Parsed::Request(args) = take_request(&mut buffer) else { panic!("no request") };
        assert_eq!(args, [&b"GET"[..], b"\r\n"]);
        let Parsed::Request(args) = take_request(&mut buffer) else { panic!("no request") };
        assert_eq!(args, [&b"PING"[..]]);
        assert!(buffer.is_empty());
    }

    #[test]
    fn what_is_no_request_is_refused() {
        for wrong in ["*1\r\n:1\r\n", "*x\r\n", "*1\r\n$-2\r\n", "*9999999\r\n"] {
            let mut buffer = BytesMut::from(wrong);
            assert!(matches!(take_request(&mut buffer), Parsed::Wrong(_)), "{wrong}");
        }
    }

    #[test]
    fn replies_differ_by_version_where_the_protocols_do() {
        let reply = Reply::Array(vec![Reply::Nil, Reply::Int(-10), Reply::Map(vec![(Reply::OK, Reply::text("a"))])]);
        let bytes = |version| {
            let mut out = BytesMut::new();
            reply.write(&mut out, version);
            String::from_utf8(out.to_vec()).unwrap()
        };
        assert_eq!(bytes(3), "*3\r\n_\r\n:-10\r\n%1\r\n+OK\r\n$1\r\na\r\n");
        assert_eq!(bytes(2), "*3\r\n$-1\r\n:-10\r\n*2\r\n+OK\r\n$1\r\na\r\n");
    }
}
