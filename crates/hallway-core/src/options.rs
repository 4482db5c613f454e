//! What a write may ask for and what it answers.

use std::fmt;

use bytes::Bytes;

use crate::Ttl;

/// Under which condition a `set` writes. Checked and applied atomically by the backend.
#[derive(Clone, PartialEq, Eq, Default)]
pub enum SetIf {
    /// Only where no live entry is.
    Absent,
    /// Whatever is there.
    #[default]
    Always,
    /// Only over a live entry with exactly these bytes.
    Equals(Bytes),
    /// Only over a live entry.
    Present,
}

impl fmt::Debug for SetIf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent => f.write_str("Absent"),
            Self::Always => f.write_str("Always"),
            Self::Equals(value) => write!(f, "Equals({} bytes)", value.len()),
            Self::Present => f.write_str("Present"),
        }
    }
}

/// How a `set` is done. The TTL is mandatory; value and TTL are replaced together.
///
/// ```
/// use std::time::Duration;
/// use hallway_core::{SetOptions, Ttl};
///
/// let hour = SetOptions::new(Duration::from_secs(3600));
/// let once = SetOptions::new(Ttl::Forever).if_absent();
/// # let _ = (hour, once);
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SetOptions {
    /// How long the entry lives.
    pub ttl: Ttl,
    /// Under which condition it is written. Default: always.
    pub condition: SetIf,
}

impl SetOptions {
    /// An unconditional write with this TTL: a `Duration`, or [`Ttl::Forever`].
    #[must_use]
    pub fn new(ttl: impl Into<Ttl>) -> Self {
        Self { ttl: ttl.into(), condition: SetIf::Always }
    }

    /// Write only where no live entry is.
    #[must_use]
    pub fn if_absent(mut self) -> Self {
        self.condition = SetIf::Absent;
        self
    }

    /// Write only over a live entry.
    #[must_use]
    pub fn if_present(mut self) -> Self {
        self.condition = SetIf::Present;
        self
    }

    /// Write only over a live entry with exactly these bytes.
    #[must_use]
    pub fn if_equals(mut self, expected: Bytes) -> Self {
        self.condition = SetIf::Equals(expected);
        self
    }
}

/// What a `set` did. A condition that was not met is an outcome, never an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SetOutcome {
    /// Nothing changed: the condition did not hold.
    ConditionNotMet,
    /// Value and TTL are replaced.
    Written,
}

impl SetOutcome {
    /// Whether the value was written.
    #[must_use]
    pub fn is_written(self) -> bool {
        self == Self::Written
    }
}

/// Under which condition a `delete_if` deletes.
#[derive(Clone, PartialEq, Eq, Default)]
pub enum DeleteIf {
    /// Whatever is there.
    #[default]
    Always,
    /// Only a live entry with exactly these bytes.
    Equals(Bytes),
}

impl fmt::Debug for DeleteIf {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Always => f.write_str("Always"),
            Self::Equals(value) => write!(f, "Equals({} bytes)", value.len()),
        }
    }
}
