//! What a codec refuses while it walks through a value, whatever the format: too many levels, absurd lengths.
//!
//! Formats recurse once per level of nesting, so 100,000 levels in 100,000 bytes would end the process by a stack
//! overflow. Both directions therefore run through a wrapper that counts.

mod de;
mod ser;

use std::cell::Cell;

pub(super) use self::de::Seed;
pub(super) use self::ser::Value;

/// Most sequences, maps, structs and enum variants inside each other.
pub(super) const MAX_DEPTH: u8 = 100;

/// The same with the layers that formats do not show: `Some` and newtypes. They recurse all the same.
const MAX_FRAMES: u8 = 200;

/// Most elements for each byte decoded, and on top of that. A length prefix may claim any number of elements that take
/// no bytes, such as `()`, and would keep us counting for ever.
const ELEMENTS_PER_BYTE: u64 = 16;
const ELEMENTS_FREE: u64 = 1 << 16;

const TOO_DEEP: &str = "the value is nested deeper than 100 levels";
const TOO_MANY: &str = "the value has too many elements";
const NOT_FINITE: &str = "the value has a number that is not finite, which JSON cannot express";

/// What one run through a value has in common.
#[derive(Debug)]
pub(super) struct Guard {
    /// Bytes to decode; no length prefix makes a collection reserve room for more elements than that.
    input: usize,
    finite_only: bool,
    elements: Cell<u64>,
    refused: Cell<Option<&'static str>>,
}

impl Guard {
    pub(super) fn decoding(input: usize) -> Self {
        Self { input, finite_only: false, elements: Cell::new(0), refused: Cell::new(None) }
    }

    pub(super) fn encoding() -> Self {
        Self::decoding(0)
    }

    /// Infinity and NaN are refused: `serde_json` would write `null`, which comes back as something else or not at all.
    #[cfg(feature = "json")]
    pub(super) fn encoding_finite() -> Self {
        Self { finite_only: true, ..Self::encoding() }
    }

    /// Why the guard stopped the run, if it was the guard.
    pub(super) fn refused(&self) -> Option<&'static str> {
        self.refused.get()
    }

    // The error type of the format carries no kind, so the reason is kept here.
    fn refuse<T>(&self, why: &'static str, error: impl FnOnce(&'static str) -> T) -> T {
        self.refused.set(Some(why));
        error(why)
    }

    fn count(&self) -> bool {
        self.elements.set(self.elements.get() + 1);
        self.elements.get() <= ELEMENTS_PER_BYTE * self.input as u64 + ELEMENTS_FREE
    }
}

/// How many more levels may come.
#[derive(Debug, Clone, Copy)]
struct Level {
    containers: u8,
    frames: u8,
}

impl Level {
    const TOP: Self = Self { containers: MAX_DEPTH, frames: MAX_FRAMES };

    fn container(self) -> Option<Self> {
        Some(Self { containers: self.containers.checked_sub(1)?, ..self.transparent()? })
    }

    fn transparent(self) -> Option<Self> {
        Some(Self { frames: self.frames.checked_sub(1)?, ..self })
    }
}
