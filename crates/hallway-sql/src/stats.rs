//! Counters of one store.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// What a [`SqlStore`](crate::SqlStore) has counted since it was opened. All views of a store count together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct SqlStats {
    /// Calls that went out in statements.
    pub calls: u64,
    /// Connections made, the first one included.
    pub connections: u64,
    /// Attempts to connect that failed.
    pub failed_connections: u64,
    /// Statements sent. What concurrent callers want at a time is one.
    pub statements: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Counters {
    calls: AtomicU64,
    connections: AtomicU64,
    failed_connections: AtomicU64,
    statements: AtomicU64,
}

impl Counters {
    pub(crate) fn snapshot(&self) -> SqlStats {
        SqlStats {
            calls: self.calls.load(Relaxed),
            connections: self.connections.load(Relaxed),
            failed_connections: self.failed_connections.load(Relaxed),
            statements: self.statements.load(Relaxed),
        }
    }

    pub(crate) fn connected(&self, done: bool) {
        let counter = if done { &self.connections } else { &self.failed_connections };
        counter.fetch_add(1, Relaxed);
    }

    /// One statement goes out for so many calls.
    pub(crate) fn sent(&self, calls: usize) {
        self.statements.fetch_add(1, Relaxed);
        self.calls.fetch_add(calls as u64, Relaxed);
    }
}
