//! Paging through keys.

use std::fmt;

use crate::Key;

/// Where a scan goes on: opaque text, valid for the store and the prefix it came from.
///
/// It holds keys, so it is as secret as they are; `Debug` shows its length only.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Cursor(String);

impl Cursor {
    /// Wraps a backend's own position.
    #[must_use]
    pub fn new(position: impl Into<String>) -> Self {
        Self(position.into())
    }

    /// The backend's own position.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Cursor({} bytes)", self.0.len())
    }
}

/// One step of a scan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// At most as many keys as were asked for; it may be empty although more follow.
    pub keys: Vec<Key>,
    /// Where to go on; `None` at the end.
    pub next: Option<Cursor>,
}
