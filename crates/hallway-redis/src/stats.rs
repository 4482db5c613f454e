//! Counters of one store.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// What a [`RedisStore`](crate::RedisStore) has counted since it was opened. All views of a store count together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct RedisStats {
    /// Batches of concurrent reads that went out as one `MGET`: of `get` calls, and of tiers over this store where they
    /// keep nothing of what they read.
    pub coalesced_batches: u64,
    /// Reads answered by those batches.
    pub coalesced_reads: u64,
    /// Connections made, the first one included.
    pub connections: u64,
    /// Times the server said that a key is of a foreign type. Inside an `MGET` it does not say so: such keys are
    /// missing from this number where `get_many`, or a `get` that shares its command with others, reads them.
    pub foreign_keys: u64,
    /// Keys met by `scan` and `clear` that are not physical keys of hallway; they are left alone.
    pub skipped_keys: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) coalesced_batches: AtomicU64,
    pub(crate) coalesced_reads: AtomicU64,
    pub(crate) connections: AtomicU64,
    pub(crate) foreign_keys: AtomicU64,
    pub(crate) skipped_keys: AtomicU64,
}

impl Counters {
    pub(crate) fn snapshot(&self) -> RedisStats {
        RedisStats {
            coalesced_batches: self.coalesced_batches.load(Relaxed),
            coalesced_reads: self.coalesced_reads.load(Relaxed),
            connections: self.connections.load(Relaxed),
            foreign_keys: self.foreign_keys.load(Relaxed),
            skipped_keys: self.skipped_keys.load(Relaxed),
        }
    }

    /// Counts a key of a foreign type; the first one of a store is logged as well.
    pub(crate) fn foreign_key(&self, namespace: &str) {
        if self.foreign_keys.fetch_add(1, Relaxed) == 0 {
            tracing::warn!(namespace, "a Redis key of ours holds a foreign type; it reads as missing");
        }
    }
}
