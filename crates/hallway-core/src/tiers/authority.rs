//! The consistent tier: an authority that can owe the shared tier an invalidation.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use crate::{Key, KvStore, Result, Timestamp};

/// One invalidation that a commit still owes to the shared tier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboxRow {
    /// Names the row.
    pub id: OutboxId,
    /// Whose copies are to be invalidated.
    pub key: Key,
    /// When the row was written, on the authority's clock.
    pub written: Timestamp,
}

/// Names a row of the outbox. Ids commit out of order, so no id is a high-water mark.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct OutboxId(pub i64);

/// A store that can be the authority below a shared tier: its writes can enlist an outbox row in the same transaction.
#[async_trait]
pub trait AuthorityTier: fmt::Debug + Send + Sync {
    /// A view of the store in which every verb that changes a key also writes an outbox row for it, in the same
    /// transaction: both or neither. A condition that is not met, or a key that is not there, may still write a row; it
    /// costs an invalidation and nothing else.
    fn enlisting(&self) -> Arc<dyn KvStore>;
    /// How long after a call began its write can still commit, whatever became of the caller: markers must stand longer.
    /// `None` if nothing limits it, or nothing is known.
    fn write_limit(&self) -> Option<Duration> {
        None
    }
    /// Up to `limit` rows that are not settled, oldest first.
    async fn pending(&self, limit: usize) -> Result<Vec<OutboxRow>>;
    /// Deletes rows whose invalidation has been done. Rows that are gone already are no error.
    async fn settle(&self, rows: &[OutboxId]) -> Result<()>;
}
