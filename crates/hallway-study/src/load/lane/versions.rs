//! Which version of a key a store must hold, whatever order concurrent writes took.

use std::sync::atomic::{AtomicU64, Ordering};

/// One write that has ended, above the count of those that have begun.
const ENDED: u64 = 1 << 32;

/// The writes of one key.
///
/// Each gets a version of its own, so that it has another value than the one before. A write that begins while no other
/// is under way replaces all before it; among writes that overlap, any may come last.
#[derive(Debug, Default)]
pub(super) struct Versions {
    /// Writes that have begun, and from [`ENDED`] on those that have ended.
    writes: AtomicU64,
    /// The last write that began alone.
    alone: AtomicU64,
}

impl Versions {
    /// The version of a write that begins now.
    pub(super) fn begin(&self) -> u64 {
        // Who begins alone sees what those before it have stored: they ended first.
        let before = self.writes.fetch_add(1, Ordering::AcqRel);
        let (begun, ended) = (before % ENDED, before / ENDED);
        let version = begun + 1;
        if begun == ended {
            self.alone.store(version, Ordering::Relaxed);
        }
        version
    }

    /// A write was acknowledged.
    pub(super) fn end(&self) {
        self.writes.fetch_add(ENDED, Ordering::AcqRel);
    }

    /// The versions that a store may hold while nothing is under way: one, if no writes overlapped.
    pub(super) fn last(&self) -> std::ops::RangeInclusive<u64> {
        let begun = self.writes.load(Ordering::Acquire) % ENDED;
        self.alone.load(Ordering::Relaxed)..=begun
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_write_after_the_other_leaves_one_version() {
        let versions = Versions::default();
        assert_eq!(versions.last(), 0..=0);
        for version in 1..=5 {
            assert_eq!(versions.begin(), version);
            versions.end();
            assert_eq!(versions.last(), version..=version);
        }
    }

    #[test]
    fn of_writes_that_overlap_any_may_be_the_last() {
        let versions = Versions::default();
        versions.begin();
        versions.end();
        versions.begin();
        versions.begin();
        versions.end();
        versions.begin();
        versions.end();
        versions.end();
        assert_eq!(versions.last(), 2..=4);
        versions.begin();
        versions.end();
        assert_eq!(versions.last(), 5..=5);
    }
}
