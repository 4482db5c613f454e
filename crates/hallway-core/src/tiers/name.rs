//! The tiers by name.

use std::fmt;

/// A place in a set of tiers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum TierName {
    /// The truth.
    Consistent,
    /// This process.
    Local,
    /// What all instances share.
    Shared,
}

impl fmt::Display for TierName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Consistent => "consistent",
            Self::Local => "local",
            Self::Shared => "shared",
        })
    }
}
