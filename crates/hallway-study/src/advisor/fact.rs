//! A number, how sure it is, and where it comes from.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Where a number comes from, the most trustworthy first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Basis {
    /// Said by whoever asks.
    Given,
    /// Measured just now against the stores that were named.
    Measured,
    /// From a report of this machine.
    Report,
    /// From a log of the application's own keys.
    KeyLog,
    /// From a public trace that stands in for the application.
    Preset,
    /// From a table that comes with this crate and was measured, on another machine.
    Shipped,
    /// A guess.
    Assumed,
}

impl Basis {
    /// Whether advice that rests on it has to say so aloud.
    pub fn is_weak(self) -> bool {
        matches!(self, Self::Preset | Self::Shipped | Self::Assumed)
    }
}

impl fmt::Display for Basis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Given => "given",
            Self::Measured => "measured now",
            Self::Report => "this machine's report",
            Self::KeyLog => "key log",
            Self::Preset => "public trace",
            Self::Shipped => "shipped default",
            Self::Assumed => "assumption",
        })
    }
}

/// A number with its interval and its basis. The unit is in the name of whatever holds it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Fact {
    /// The number.
    pub value: f64,
    /// The lower end of its interval.
    pub low: f64,
    /// The upper end.
    pub high: f64,
    /// Where it comes from.
    pub basis: Basis,
    /// More about that, in a few words; may be empty.
    pub note: String,
}

impl Fact {
    /// Exactly what was said.
    pub fn given(value: f64) -> Self {
        Self::exact(value, Basis::Given, "")
    }

    /// A guess, with the reason for it or the way to replace it.
    pub fn assumed(value: f64, note: impl Into<String>) -> Self {
        Self::exact(value, Basis::Assumed, note)
    }

    /// A number without an interval.
    pub fn exact(value: f64, basis: Basis, note: impl Into<String>) -> Self {
        Self { value, low: value, high: value, basis, note: note.into() }
    }

    /// The same basis for another number that is exact.
    #[must_use]
    pub fn with_value(&self, value: f64) -> Self {
        Self { value, low: value, high: value, ..self.clone() }
    }

    /// Whether all three numbers are finite, in order and not negative.
    pub fn is_sound(&self) -> bool {
        self.low >= 0.0 && self.low <= self.value && self.value <= self.high && self.high.is_finite()
    }
}
