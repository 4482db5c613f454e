//! Sizes that every store keeps to.

use std::ops::Range;

use bytes::Bytes;

use crate::{Error, ErrorKind, Key, Result, Ttl};

/// The largest cap a store may be given: 16 MiB a value.
pub const HARD_VALUE_CAP: usize = 16 << 20;

/// Most keys in one batch on the wire.
pub const BATCH_KEYS: usize = 512;

/// Most key and value bytes in one write batch on the wire, unless a single item is larger.
pub const BATCH_BYTES: usize = 4 << 20;

/// Most keys a `scan` returns in one page, whatever the limit asked for.
pub const MAX_PAGE: usize = 10_000;

/// How large a value may be in one store, on write and before decoding on read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ValueCap(usize);

impl ValueCap {
    /// A cap in bytes.
    ///
    /// # Errors
    /// `InvalidConfig` for 0 and for more than [`HARD_VALUE_CAP`].
    pub fn new(bytes: u64) -> Result<Self> {
        match usize::try_from(bytes) {
            Ok(bytes) if (1..=HARD_VALUE_CAP).contains(&bytes) => Ok(Self(bytes)),
            _ => Err(Error::invalid_config(format!("a value cap of {bytes} bytes is out of range; use 1 B to 16 MiB"))),
        }
    }

    /// The cap in bytes.
    #[must_use]
    pub fn bytes(self) -> usize {
        self.0
    }

    /// Refuses a value that is too large.
    ///
    /// # Errors
    /// `TooLarge`.
    pub fn check(self, length: usize) -> Result<()> {
        if length > self.0 {
            return Err(Error::new(
                ErrorKind::TooLarge,
                format!("a value of {length} bytes is over the cap of {} bytes; raise `max_value` or split it", self.0),
            ));
        }
        Ok(())
    }
}

/// 1 MiB.
impl Default for ValueCap {
    fn default() -> Self {
        Self(1 << 20)
    }
}

/// Cuts sorted writes into runs of at most [`BATCH_KEYS`] items and [`BATCH_BYTES`] bytes; a larger item stands alone.
pub fn write_batches(items: &[(Key, Bytes, Ttl)]) -> impl Iterator<Item = Range<usize>> {
    let mut start = 0;
    std::iter::from_fn(move || {
        let mut bytes = 0;
        let mut end = start;
        while let Some((key, value, _)) = items.get(end) {
            bytes += key.as_bytes().len() + value.len();
            if end > start && (bytes > BATCH_BYTES || end - start == BATCH_KEYS) {
                break;
            }
            end += 1;
        }
        let run = start..end;
        start = end;
        (!run.is_empty()).then_some(run)
    })
}
