//! A value with the rest of its life.

use std::fmt;

use bytes::Bytes;

use crate::Ttl;

/// A value and how long it still lives, read atomically.
///
/// `remaining` was true when the backend looked, so whoever moves the entry to another store counts it from
/// before the request was sent; then the copy never outlives the original.
#[derive(Clone, PartialEq, Eq)]
pub struct Entry {
    /// Exactly the bytes that were set.
    pub value: Bytes,
    /// The rest of the entry's life, rounded down to milliseconds. It may be zero just before the deadline.
    pub remaining: Ttl,
}

impl Entry {
    /// Pairs a value with the rest of its life.
    #[must_use]
    pub fn new(value: Bytes, remaining: Ttl) -> Self {
        Self { value, remaining }
    }
}

/// Shows the length only: a value may be a secret.
impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entry").field("bytes", &self.value.len()).field("remaining", &self.remaining).finish()
    }
}
