//! The formats of key logs, and how one is told from another.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use super::parse;

/// How a key log is written. Each may be packed with xz.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// Text with one key on each line; every line is a read.
    Keys,
    /// Big-endian 32-bit keys, one for each read.
    Numbers,
    /// Records of 24 bytes, little-endian: time (32 bits), key (64), bytes of the value (32), number of the key's next
    /// request (64, signed). The format of libCacheSim's public traces; every record is a read.
    OracleGeneral,
    /// Lines of `timestamp,key,key size,value size,client id,operation,ttl`, as Twitter published its traces. Reads and
    /// writes are told apart; the time to live is not looked at.
    Twitter,
}

impl Format {
    /// All, by name.
    pub const ALL: [Self; 4] = [Self::Keys, Self::Numbers, Self::OracleGeneral, Self::Twitter];

    /// What it is called where it is given by name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Keys => "keys",
            Self::Numbers => "numbers",
            Self::OracleGeneral => "oracle-general",
            Self::Twitter => "twitter",
        }
    }

    /// Whether a log of this format may hold other requests than reads.
    #[must_use]
    pub fn tells_operations(self) -> bool {
        matches!(self, Self::Twitter)
    }

    /// Bytes of a request, where they are always the same.
    pub(super) fn record(self) -> Option<u64> {
        match self {
            Self::Keys | Self::Twitter => None,
            Self::Numbers => Some(parse::NUMBER as u64),
            Self::OracleGeneral => Some(parse::ORACLE_RECORD as u64),
        }
    }

    /// The format that the name of a file says.
    pub(super) fn of_name(path: &Path) -> Option<Self> {
        let name = path.file_name()?.to_string_lossy().to_ascii_lowercase();
        name.contains("oraclegeneral").then_some(Self::OracleGeneral)
    }

    /// The format of what begins like this. `None` if it is none of these.
    pub(super) fn of_content(head: &Head<'_>) -> Option<Self> {
        match head {
            Head::Line(line) if parse::twitter(line).is_ok() => Some(Self::Twitter),
            Head::Line(_) => Some(Self::Keys),
            Head::Binary(bytes) if looks_like_oracle(bytes) => Some(Self::OracleGeneral),
            Head::Packed => Some(Self::Numbers),
            Head::Binary(_) => None,
        }
    }
}

/// What a file begins with, after unpacking.
pub(super) enum Head<'a> {
    /// Bytes that are no text.
    Binary(&'a [u8]),
    /// No text, and nothing known in what xz has packed: most public traces are numbers in xz.
    Packed,
    /// A line of text.
    Line(&'a str),
}

/// A first record that makes sense. For numbers in xz it does not: the next request of a key would be far beyond the
/// end of any file.
pub(super) fn looks_like_oracle(head: &[u8]) -> bool {
    const FAR: i64 = 1 << 40;
    let Some(record) = head.first_chunk().map(parse::oracle_fields) else { return false };
    record.bytes > 0 && (record.next == -1 || record.next == i64::MAX || (1..FAR).contains(&record.next))
}

/// Whether bytes are the beginning of a text: UTF-8, perhaps cut in the middle of a character, and nothing that a line
/// of keys has no use for.
pub(super) fn looks_like_text(head: &[u8]) -> bool {
    let whole = match std::str::from_utf8(head) {
        Ok(text) => text,
        Err(error) if error.error_len().is_none() => {
            std::str::from_utf8(&head[..error.valid_up_to()]).unwrap_or_default()
        }
        Err(_) => return false,
    };
    !whole.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\r' | '\t'))
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Format {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|format| format.name() == text);
        found.ok_or_else(|| format!("no format; there are {}", Self::ALL.map(Self::name).join(", ")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back() {
        for format in Format::ALL {
            assert_eq!(format.name().parse(), Ok(format));
        }
        assert!("csv".parse::<Format>().unwrap_err().contains("twitter"));
    }

    #[test]
    fn text_may_be_cut_in_a_character_and_has_no_other_controls() {
        assert!(looks_like_text("user:1\r\nü".as_bytes()));
        assert!(looks_like_text(&"ü".as_bytes()[..1]));
        assert!(looks_like_text(b""));
        assert!(!looks_like_text(b"a\0b"));
        assert!(!looks_like_text(b"\xff\xfe"));
    }
}
