//! What a reader is promised, and what happens while the shared tier is down.

use std::fmt;
use std::str::FromStr;

use hallway_core::{Error, Result};

/// What a reader of a namespace is promised. Ordered by strength.
///
/// Chosen per namespace; a view ([`TieredStore::at`](crate::TieredStore::at)) may only strengthen it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Mode {
    /// This process only: per key linearizable inside it, nothing promised to other processes. The namespace never leaves
    /// the process.
    Local,
    /// All instances: a value at least as new as every write acknowledged the bound before the read began. See
    /// [`TieredStore::bound`](crate::TieredStore::bound).
    Shared,
    /// The truth: every call is answered by the consistent tier, linearizable per key.
    Consistent,
}

impl Mode {
    /// `local`, `shared` or `consistent`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Shared => "shared",
            Self::Consistent => "consistent",
        }
    }
}

impl fmt::Display for Mode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Mode {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "local" => Ok(Self::Local),
            "shared" => Ok(Self::Shared),
            "consistent" => Ok(Self::Consistent),
            _ => Err(Error::invalid_config("a mode is local, shared or consistent")),
        }
    }
}

/// What a write does when the shared tier cannot be told of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum OnSharedDown {
    /// Refuse the write before anything is changed: `Unavailable`. The bound holds under every single fault.
    Fail,
    /// Write, and owe the shared tier the invalidation. Until it is repaired (at most 2 s after the link is back) other
    /// instances may read the old copy, at worst until its hard TTL.
    #[default]
    Proceed,
}

impl FromStr for OnSharedDown {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "fail" => Ok(Self::Fail),
            "proceed" => Ok(Self::Proceed),
            _ => Err(Error::invalid_config("`on_shared_down` is fail or proceed")),
        }
    }
}
