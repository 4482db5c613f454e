//! What a stream of requests is made of.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A key by the order of its first request, from 0: what simulations work on in the place of text.
pub type KeyId = u32;

/// What a request does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Op {
    /// Takes the key away.
    Delete,
    /// Asks for the value; what a cache can hit.
    Read,
    /// Sets the value.
    Write,
}

/// What becomes of the copy in a cache when its key is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnWrite {
    /// It is taken away, and the next read misses: cache-aside over a database that is written directly.
    Invalidate,
    /// It is replaced by what was written. Right for a log of a cache itself, in which a write is what follows a miss.
    #[default]
    Keep,
}

/// A request for a numbered key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Request {
    /// Whose.
    pub key: KeyId,
    /// What it does.
    pub op: Op,
    /// Bytes of the value, if the stream tells.
    pub bytes: Option<u32>,
}

impl Request {
    /// A read of a value of unknown size.
    #[must_use]
    pub fn read(key: KeyId) -> Self {
        Self { key, op: Op::Read, bytes: None }
    }

    /// A write of a value of unknown size.
    #[must_use]
    pub fn write(key: KeyId) -> Self {
        Self { key, op: Op::Write, bytes: None }
    }
}

/// A request as it stands in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Access<'a> {
    /// Whose.
    pub key: Name<'a>,
    /// What it does.
    pub op: Op,
    /// Bytes of the value, if the file tells.
    pub bytes: Option<u32>,
}

/// A key as it stands in a file.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Name<'a> {
    /// In the binary formats.
    Number(u64),
    /// In the textual ones.
    Text(&'a str),
}

impl Name<'_> {
    /// Bytes of the key, written as text.
    #[must_use]
    pub fn len(&self) -> usize {
        match self {
            Self::Number(number) => number.checked_ilog10().unwrap_or(0) as usize + 1,
            Self::Text(text) => text.len(),
        }
    }

    /// Whether the key has no bytes at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl fmt::Display for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Text(text) => f.write_str(text),
        }
    }
}

/// Without the key: it may be somebody's secret.
impl fmt::Debug for Name<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Name({} bytes)", self.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_length_of_a_name_is_that_of_its_text() {
        for number in [0, 9, 10, 4_294_967_295, u64::MAX] {
            assert_eq!(Name::Number(number).len(), number.to_string().len());
        }
        assert_eq!(Name::Text("ü").len(), 2);
    }

    #[test]
    fn a_name_is_not_shown_by_debug() {
        assert_eq!(format!("{:?}", Name::Text("token")), "Name(5 bytes)");
    }
}
