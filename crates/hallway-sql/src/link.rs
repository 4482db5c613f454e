//! What the rest of the crate sees of a connection.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use hallway_core::Key;
use tokio::time::Instant;

use crate::dialect::{Dialect, Statement};
use crate::failure::Failure;

/// One entry of a keyed statement. What a verb does not take is empty.
#[derive(Clone)]
pub(crate) struct Item {
    pub(crate) key: Key,
    pub(crate) value: Bytes,
    pub(crate) expected: Bytes,
    /// Time to live in microseconds, -1 for forever.
    pub(crate) life: i64,
}

impl Item {
    pub(crate) fn new(key: Key) -> Self {
        Self { key, value: Bytes::new(), expected: Bytes::new(), life: -1 }
    }
}

/// What statements without keys take.
#[derive(Clone, Default)]
pub(crate) struct Bounds {
    pub(crate) from: String,
    pub(crate) until: String,
    pub(crate) limit: i64,
    pub(crate) expired: bool,
    /// Rows of the outbox.
    pub(crate) ids: Vec<i64>,
}

/// Everything that may be bound to a statement.
pub(crate) struct Args<'a> {
    pub(crate) items: &'a [&'a Item],
    pub(crate) bounds: &'a Bounds,
    pub(crate) cap: i64,
    /// When the first of those who wait for it gives up.
    pub(crate) until: Instant,
}

/// One row of an answer.
#[derive(Debug, Clone, Default)]
pub(crate) struct Row {
    pub(crate) key: String,
    pub(crate) bytes: Option<Bytes>,
    pub(crate) first: Option<i64>,
    pub(crate) second: Option<i64>,
}

/// A whole answer.
#[derive(Debug, Clone, Default)]
pub(crate) struct Answer {
    pub(crate) rows: Vec<Row>,
    pub(crate) changed: u64,
}

/// What a connection is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// Making the table: one connection from the first statement of a transaction to its last.
    Migrate,
    Read,
    Write,
}

/// A connection. A future of it that was dropped half-way leaves it unusable, so nobody drops one and goes on.
#[async_trait]
pub(crate) trait Link: Send {
    async fn run(&mut self, statement: &Statement, args: &Args<'_>) -> Result<Answer, Failure>;

    /// Whether the next statement can be sent at once; otherwise [`prepare`](Self::prepare) comes first.
    fn is_ready(&self) -> bool {
        true
    }

    /// Waits, within a limit of its own, for what [`run`](Self::run) needs before it sends anything.
    async fn prepare(&mut self) -> Result<(), Failure> {
        Ok(())
    }

    /// There is nothing to run after all.
    fn release(&mut self) {}

    /// Runs constant text without parameters, several statements if need be.
    async fn script(&mut self, sql: sqlx::SqlStr) -> Result<Answer, Failure>;

    /// Whether the other side still answers.
    async fn check(&mut self) -> Result<(), Failure>;
}

/// Opens connections to one database.
#[async_trait]
pub(crate) trait Driver: fmt::Debug + Send + Sync + 'static {
    fn dialect(&self) -> &'static Dialect;

    /// Whether every connection has a database of its own, which ends with it.
    fn is_private(&self) -> bool {
        false
    }

    /// How long after the deadline of a write it may still be done; `None` if that is not known.
    fn outlasts(&self) -> Option<Duration> {
        None
    }

    async fn open(&self, role: Role) -> Result<Box<dyn Link>, Failure>;
}
