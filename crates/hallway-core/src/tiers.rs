//! What the tiers of a `TieredStore` ask of their stores beyond `KvStore`.
//!
//! These are the seams of the coherence protocol: leases and markers on copies in the shared tier, the outbox in the
//! authority. Only their signatures live here; stores answer them through [`KvStore::as_shared`] and
//! [`KvStore::as_authority`].
//!
//! [`KvStore::as_shared`]: crate::KvStore::as_shared
//! [`KvStore::as_authority`]: crate::KvStore::as_authority

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use crate::{DeleteIf, Entry, Key, Namespace, Result, SetOptions, SetOutcome, Timestamp, Ttl};

/// A random name for one lease or one writer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Token(pub u64);

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// What stands under the key of a copy.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum CopyState {
    /// Nothing.
    Absent,
    /// A lease or a write marker, gone after the duration at the latest.
    Busy(Duration),
    /// A copy.
    Value(Entry),
}

/// What asking for the right to fill a copy answered.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum LeaseOutcome {
    /// Somebody else fills or writes; gone after the duration at the latest.
    Busy(Duration),
    /// The right is ours until the lease ends.
    Granted,
    /// A copy is there already.
    Value(Entry),
}

/// Whether the connection that carries invalidations is alive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum LinkState {
    /// No connection, or none that has answered.
    Down,
    /// Every invalidation older than the age has been delivered.
    Fresh {
        /// Time since the last proof.
        age: Duration,
    },
    /// Connected, but the server sends no invalidations.
    Untracked,
}

/// What a shared tier says about copies that are no longer good.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Invalidation {
    /// Anything may have changed: a reconnect, a flush, a topology change.
    Everything,
    /// These keys changed.
    Keys(Vec<Key>),
}

/// Takes invalidations in wire order. It runs in the connection's task and must not wait.
pub trait InvalidationSink: fmt::Debug + Send + Sync + 'static {
    /// Makes the copies unusable before it returns.
    fn invalidate(&self, what: Invalidation);
}

/// A store that can be the shared tier: copies with leases and write markers, and a stream of invalidations.
#[async_trait]
pub trait SharedTier: fmt::Debug + Send + Sync {
    /// Reads the state of a copy without changing it.
    async fn read_copy(&self, key: &Key) -> Result<CopyState>;
    /// Asks for the right to fill an absent copy.
    async fn lease(&self, key: &Key, token: Token, life: Duration) -> Result<LeaseOutcome>;
    /// Writes the copy if the lease still stands; says whether it did.
    async fn fill(&self, key: &Key, token: Token, copy: Bytes, ttl: Ttl) -> Result<bool>;
    /// Announces a write: no copy may be filled or read until the marker is gone.
    async fn mark(&self, key: &Key, writer: Token, life: Duration) -> Result<()>;
    /// Ends the announcement and whatever copy or lease stands there; other writers' markers stay.
    async fn unmark(&self, key: &Key, writer: Token) -> Result<()>;
    /// Whether invalidations arrive.
    fn link(&self) -> LinkState;
    /// Where invalidations go from now on.
    fn set_sink(&self, sink: Arc<dyn InvalidationSink>);
}

/// One repair that a commit still owes to the shared tier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutboxRow {
    /// Names the row.
    pub id: OutboxId,
    /// The copy to invalidate.
    pub key: Key,
    /// When it was committed, on the authority's clock.
    pub committed: Timestamp,
}

/// Names a row of the outbox. Ids commit out of order, so no id is a high-water mark.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct OutboxId(pub i64);

/// A store that can be the authority of a namespace: its verbs can enlist an outbox row in the same transaction.
#[async_trait]
pub trait AuthorityTier: fmt::Debug + Send + Sync {
    /// `set` and an outbox row, or neither.
    async fn set_enlisted(&self, key: &Key, value: Bytes, opts: SetOptions) -> Result<SetOutcome>;
    /// `delete_if` and an outbox row, or neither.
    async fn delete_enlisted(&self, key: &Key, when: DeleteIf) -> Result<bool>;
    /// `touch` and an outbox row, or neither.
    async fn touch_enlisted(&self, key: &Key, ttl: Ttl) -> Result<bool>;
    /// `take` and an outbox row, or neither.
    async fn take_enlisted(&self, key: &Key) -> Result<Option<Bytes>>;
    /// `increment` and an outbox row, or neither.
    async fn increment_enlisted(&self, key: &Key, by: i64, ttl: Ttl) -> Result<i64>;
    /// Up to `limit` rows of a namespace, oldest first. They stay until settled.
    async fn pending(&self, namespace: &Namespace, limit: usize) -> Result<Vec<OutboxRow>>;
    /// Deletes rows whose invalidation has been done.
    async fn settle(&self, rows: &[OutboxId]) -> Result<()>;
}
