//! The line that stands before the payload of a copy in the shared tier.
//!
//! `V1 <codec> ttl=<ms> soft=<ms> cost=<us> id=<16 hex> crc=<8 hex> created=<RFC 3339>` and, where there are any,
//! ` gen=<16 hex>` and ` tags=<tag>:<16 hex>,…`, then a line feed and the payload. A person can read it in `redis-cli`.
//! Ages are computed from `ttl` less what the server says is left; `created` is for people. Released versions of the line
//! have golden files in `testdata/` that must decode for ever.

use std::borrow::Cow;
use std::fmt::Write as _;
use std::time::{Duration, SystemTime};

use bytes::{Buf, BufMut, Bytes, BytesMut};
use hallway_core::{Error, ErrorKind, Result, Token};

/// Room for the line, its codec and tags apart.
const LINE: usize = 160;

/// Room for a tag, its name apart.
const TAG: usize = 24;

/// Longest line that is read: codec, numbers and up to [`MAX_TAGS`] tags.
const MAX_LINE: usize = 8 << 10;

/// Most tags of one value.
pub(crate) const MAX_TAGS: usize = 64;

/// The codec of a copy that says "there is nothing".
pub(crate) const NOTHING: &str = "nothing";

/// The codec of a copy of plain bytes.
pub(crate) const BYTES: &str = "bytes";

/// What is known about a copy beside its payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) codec: Cow<'static, str>,
    /// The life it was given.
    pub(crate) ttl: Duration,
    /// Age from which it is refreshed while it still answers; equal to `ttl` where it is not.
    pub(crate) soft: Duration,
    /// What loading it took.
    pub(crate) cost: Duration,
    /// A random name for this fill.
    pub(crate) id: Token,
    /// The generation of its namespace when it was loaded; 0 where namespaces have none.
    pub(crate) generation: u64,
    /// Its tags with their generations when it was loaded.
    pub(crate) tags: Vec<(String, u64)>,
}

impl Header {
    /// The copy: this line and the payload.
    pub(crate) fn seal(&self, payload: &[u8]) -> Bytes {
        let tags: usize = self.tags.iter().map(|(tag, _)| TAG + tag.len()).sum();
        let mut copy = BytesMut::with_capacity(LINE + self.codec.len() + tags + payload.len());
        // Piece by piece, because `write!` takes as long as all the rest.
        copy.put_slice(b"V1 ");
        copy.put_slice(self.codec.as_bytes());
        put_whole(&mut copy, b" ttl=", self.ttl.as_millis());
        put_whole(&mut copy, b" soft=", self.soft.as_millis());
        put_whole(&mut copy, b" cost=", self.cost.as_micros());
        put_hex(&mut copy, b" id=", &self.id.digits());
        put_hex(&mut copy, b" crc=", &Token(crc32c::crc32c(payload).into()).digits()[8..]);
        // Into memory, which cannot fail.
        let _ = write!(copy, " created={}", humantime::format_rfc3339_seconds(SystemTime::now()));
        if self.generation != 0 {
            put_hex(&mut copy, b" gen=", &Token(self.generation).digits());
        }
        for (at, (tag, generation)) in self.tags.iter().enumerate() {
            copy.put_slice(if at == 0 { b" tags=" } else { b"," });
            copy.put_slice(tag.as_bytes());
            put_hex(&mut copy, b":", &Token(*generation).digits());
        }
        copy.put_u8(b'\n');
        copy.put_slice(payload);
        copy.freeze()
    }

    /// Reads a copy back.
    ///
    /// # Errors
    /// `Corrupt` for anything that is not exactly a copy: another version, a damaged line, a payload whose checksum
    /// differs. It never quotes the bytes.
    pub(crate) fn open(mut copy: Bytes) -> Result<(Self, Bytes)> {
        let start = &copy[..copy.len().min(MAX_LINE)];
        let end = memchr::memchr(b'\n', start).ok_or_else(|| corrupt("no header line"))?;
        let mut line = text(&copy[..end])?.as_bytes();
        if line.ends_with(b" ") {
            return Err(corrupt("a space at the end of the header"));
        }
        if word(&mut line) != Some(b"V1") {
            return Err(corrupt("unknown version"));
        }
        let codec = word(&mut line).filter(|codec| !codec.is_empty() && !codec.contains(&b'='));
        let codec = name_of(text(codec.ok_or_else(|| corrupt("no codec"))?)?);
        let (mut ttl, mut soft, mut cost, mut id, mut crc) = (None, None, None, None, None);
        let mut generation = 0;
        let mut tags = Vec::new();
        while let Some(word) = word(&mut line) {
            let equals = word.iter().position(|byte| *byte == b'=').ok_or_else(|| corrupt("a word without `=`"))?;
            let (name, value) = (&word[..equals], &word[equals + 1..]);
            match name {
                b"ttl" => ttl = Some(Duration::from_millis(decimal(value)?)),
                b"soft" => soft = Some(Duration::from_millis(decimal(value)?)),
                b"cost" => cost = Some(Duration::from_micros(decimal(value)?)),
                b"id" => id = Some(Token(hex(value, 16)?)),
                b"crc" => crc = Some(hex(value, 8)?),
                b"gen" => generation = hex(value, 16)?,
                b"tags" => tags = read_tags(text(value)?)?,
                // `created`, and what later versions may add.
                _ => {}
            }
        }
        // The rest of the same buffer: another handle on it would have to be counted.
        copy.advance(end + 1);
        let payload = copy;
        let missing = || corrupt("a field of the header is missing");
        if u64::from(crc32c::crc32c(&payload)) != crc.ok_or_else(missing)? {
            return Err(corrupt("the checksum differs"));
        }
        let header = Self {
            codec,
            ttl: ttl.ok_or_else(missing)?,
            soft: soft.ok_or_else(missing)?,
            cost: cost.ok_or_else(missing)?,
            id: id.ok_or_else(missing)?,
            generation,
            tags,
        };
        Ok((header, payload))
    }

    /// How old the copy is, by the server's clock.
    pub(crate) fn age(&self, remaining: Duration) -> Duration {
        self.ttl.saturating_sub(remaining)
    }
}

/// The codecs there are come without an allocation.
fn name_of(codec: &str) -> Cow<'static, str> {
    const KNOWN: [&str; 5] = ["json", "postcard", "bincode", BYTES, NOTHING];
    match KNOWN.into_iter().find(|known| *known == codec) {
        Some(known) => Cow::Borrowed(known),
        None => Cow::Owned(codec.to_owned()),
    }
}

/// The next word of a line; `None` at its end.
fn word<'a>(line: &mut &'a [u8]) -> Option<&'a [u8]> {
    if line.is_empty() {
        return None;
    }
    let end = memchr::memchr(b' ', line).unwrap_or(line.len());
    let (word, rest) = line.split_at(end);
    *line = rest.get(1..).unwrap_or_default();
    Some(word)
}

fn text(word: &[u8]) -> Result<&str> {
    std::str::from_utf8(word).map_err(|_| corrupt("the header is not text"))
}

fn read_tags(text: &str) -> Result<Vec<(String, u64)>> {
    let mut tags = Vec::new();
    for tag in text.split(',') {
        let (name, generation) = tag.rsplit_once(':').ok_or_else(|| corrupt("a tag without generation"))?;
        if tags.len() == MAX_TAGS {
            return Err(corrupt("too many tags"));
        }
        tags.push((name.to_owned(), hex(generation.as_bytes(), 16)?));
    }
    Ok(tags)
}

fn put_whole(line: &mut BytesMut, name: &[u8], number: u128) {
    line.put_slice(name);
    line.put_slice(itoa::Buffer::new().format(number).as_bytes());
}

fn put_hex(line: &mut BytesMut, name: &[u8], digits: &[u8]) {
    line.put_slice(name);
    line.put_slice(digits);
}

fn decimal(word: &[u8]) -> Result<u64> {
    let digit = |number: u64, byte: &u8| match byte {
        b'0'..=b'9' => number.checked_mul(10)?.checked_add(u64::from(byte - b'0')),
        _ => None,
    };
    let number = word.iter().try_fold(0, digit).filter(|_| !word.is_empty());
    number.ok_or_else(|| corrupt("a field is not a number"))
}

/// A number of so many digits, at most 16.
fn hex(word: &[u8], digits: usize) -> Result<u64> {
    let digit = |number: u64, byte: &u8| match byte {
        b'0'..=b'9' => Some(number << 4 | u64::from(byte - b'0')),
        b'a'..=b'f' => Some(number << 4 | u64::from(byte - b'a' + 10)),
        _ => None,
    };
    let number = word.iter().try_fold(0, digit).filter(|_| word.len() == digits);
    number.ok_or_else(|| corrupt("a field is not hexadecimal"))
}

fn corrupt(what: &'static str) -> Error {
    Error::new(ErrorKind::Corrupt, what).at("copy", "read")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> Header {
        Header {
            codec: "json".into(),
            ttl: Duration::from_secs(3600),
            soft: Duration::from_secs(3000),
            cost: Duration::from_micros(1_234),
            id: Token(0xfeed),
            generation: 7,
            tags: vec![("team%3A1".into(), 9), ("eu".into(), u64::MAX)],
        }
    }

    #[test]
    fn what_is_sealed_can_be_opened() {
        for payload in [&b""[..], b"{}", b"line\nfeed", &[0; 10_000]] {
            let (opened, rest) = Header::open(header().seal(payload)).unwrap();
            assert_eq!((opened, &rest[..]), (header(), payload));
        }
        let plain = Header { generation: 0, tags: Vec::new(), ..header() };
        assert_eq!(Header::open(plain.seal(b"x")).unwrap().0, plain);
    }

    #[test]
    fn any_flipped_bit_is_noticed_or_harmless() {
        let sealed = header().seal(b"{\"name\":\"Ada\"}");
        let created = sealed.windows(9).position(|word| word == b" created=").unwrap();
        for at in 0..sealed.len() {
            for bit in 0..8 {
                let mut flipped = sealed.to_vec();
                flipped[at] ^= 1 << bit;
                // The payload never comes out changed; a changed number in the header is the worst that can happen.
                if let Ok((_, payload)) = Header::open(flipped.into()) {
                    assert_eq!(&payload[..], b"{\"name\":\"Ada\"}", "bit {bit} of byte {at}");
                }
            }
        }
        assert!(created > 0);
    }

    #[test]
    fn garbage_is_corrupt_and_never_quoted() {
        let texts: [&[u8]; 8] = [
            b"",
            b"V1",
            b"V2 json ttl=1 soft=1 cost=1 id=0000000000000001 crc=00000000\n",
            b"V1 json ttl=-1 soft=1 cost=1 id=0000000000000001 crc=00000000\n",
            b"V1 json ttl=1 soft=1 cost=1 id=1 crc=00000000\n",
            b"V1 json ttl=99999999999999999999 soft=1 cost=1 id=0000000000000001 crc=00000000\n",
            b"V1 json secret\n",
            &[0xff; 100],
        ];
        for text in texts {
            let error = Header::open(Bytes::from(text.to_vec())).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Corrupt);
            assert!(!format!("{error:?} {error}").contains("secret"));
        }
        let endless = Bytes::from(vec![b'V'; MAX_LINE + 1]);
        assert_eq!(Header::open(endless).unwrap_err().kind(), ErrorKind::Corrupt);
    }

    /// Byte for byte but for the date: processes of other versions read it.
    #[test]
    fn the_line_is_written_as_it_always_was() {
        let line = |header: &Header| {
            let sealed = header.seal(b"{}");
            let text = String::from_utf8(sealed.to_vec()).unwrap();
            let (before, created) = text.split_once(" created=").unwrap();
            let date = humantime::parse_rfc3339(&created[..20]).unwrap();
            assert!(date.elapsed().unwrap() < Duration::from_secs(60), "{created}");
            format!("{before} created=DATE{}", &created[20..])
        };
        let plain = Header {
            codec: "json".into(),
            ttl: Duration::from_millis(3_600_000),
            soft: Duration::from_millis(1),
            cost: Duration::from_micros(42_000_000_000),
            id: Token(0xab),
            generation: 0,
            tags: Vec::new(),
        };
        let crc = format!("{:08x}", crc32c::crc32c(b"{}"));
        let start = format!("V1 json ttl=3600000 soft=1 cost=42000000000 id=00000000000000ab crc={crc} created=DATE");
        assert_eq!(line(&plain), format!("{start}\n{{}}"));
        let tags = vec![("a".to_owned(), 1), ("b:c".to_owned(), u64::MAX)];
        let full = Header { generation: 0xfedc, tags, ..plain };
        let rest = " gen=000000000000fedc tags=a:0000000000000001,b:c:ffffffffffffffff";
        assert_eq!(line(&full), format!("{start}{rest}\n{{}}"));
    }

    #[test]
    fn the_first_released_form_opens_for_ever() {
        let golden = Bytes::from_static(include_bytes!("../testdata/copy-v1.txt"));
        let (opened, payload) = Header::open(golden).unwrap();
        assert_eq!((opened, &payload[..]), (header(), &b"{\"name\":\"Ada\"}"[..]));
    }

    #[test]
    fn the_age_is_what_the_server_has_used_up() {
        assert_eq!(header().age(Duration::from_secs(3_590)), Duration::from_secs(10));
        assert_eq!(header().age(Duration::from_secs(4_000)), Duration::ZERO);
    }
}
