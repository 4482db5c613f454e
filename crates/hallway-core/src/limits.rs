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
    /// The largest cap there is.
    pub const HARD: Self = Self(HARD_VALUE_CAP);

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

#[cfg(test)]
mod tests {
    use super::*;

    fn items(lengths: &[usize]) -> Vec<(Key, Bytes, Ttl)> {
        let key = |at: usize| Key::from_physical(&format!("{at:08}")).unwrap();
        let value = Bytes::from(vec![0; lengths.iter().copied().max().unwrap_or(0)]);
        lengths.iter().enumerate().map(|(at, length)| (key(at), value.slice(..*length), Ttl::Forever)).collect()
    }

    /// Where batches end.
    fn check(lengths: &[usize], expected: &[usize]) {
        let items = items(lengths);
        let mut end = 0;
        for batch in write_batches(&items) {
            assert_eq!(batch.start, end);
            end = batch.end;
        }
        assert_eq!(write_batches(&items).map(|batch| batch.end).collect::<Vec<_>>(), expected);
        assert_eq!(end, items.len());
    }

    #[test]
    fn batches_end_at_512_items_or_4_mib() {
        check(&[], &[]);
        check(&[1; 512], &[512]);
        check(&[1; 1_025], &[512, 1_024, 1_025]);
        check(&[BATCH_BYTES - 8], &[1]);
        check(&[BATCH_BYTES / 2 - 8; 3], &[2, 3]);
        check(&[BATCH_BYTES / 2; 3], &[1, 2, 3]);
    }

    #[test]
    fn an_item_over_4_mib_stands_alone() {
        check(&[1, BATCH_BYTES * 2, 1, 1], &[1, 2, 4]);
    }

    #[test]
    fn a_cap_is_1_byte_to_16_mib() {
        assert!(ValueCap::new(0).is_err());
        assert!(ValueCap::new(HARD_VALUE_CAP as u64 + 1).is_err());
        assert_eq!(ValueCap::new(HARD_VALUE_CAP as u64).unwrap(), ValueCap::HARD);
        assert!(ValueCap::default().check(1 << 20).is_ok());
        assert_eq!(ValueCap::default().check((1 << 20) + 1).unwrap_err().kind(), ErrorKind::TooLarge);
    }
}
