//! A simulated SQL authority: every statement commits at one instant, and everything around that instant can go wrong.

mod client;
mod database;
mod fate;
mod statement;

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use hallway_core::{Key, OutboxRow};

use self::database::Database;
use super::clock::SimClock;
use super::rng::SimRng;

pub use self::client::SimSqlStore;
pub use self::database::SqlCommit;
pub use self::fate::{SqlFate, SqlFaults};

/// A database of a simulated world. A clone is another handle; [`SimProcess::sql`](super::SimProcess::sql) gives a process
/// its client.
///
/// Linearizable: each statement reads and changes everything at one instant between its call and its end. Statements that
/// are sent run whether or not anybody waits for them.
#[derive(Clone)]
pub struct SimSql(Arc<Shared>);

struct Shared {
    clock: SimClock,
    state: Mutex<State>,
}

struct State {
    database: Database,
    faults: SqlFaults,
    /// What becomes of the next writes, before chance decides again.
    fates: VecDeque<SqlFate>,
    is_down: bool,
    rng: SimRng,
}

impl SimSql {
    pub(super) fn new(clock: SimClock, rng: SimRng) -> Self {
        let state = State {
            database: Database::new(clock.date()),
            faults: SqlFaults::default(),
            fates: VecDeque::new(),
            is_down: false,
            rng,
        };
        Self(Arc::new(Shared { clock, state: Mutex::new(state) }))
    }

    /// A database outside any world, on tokio's time as it is.
    #[must_use]
    pub fn alone(seed: u64) -> Self {
        Self::new(SimClock::starting_today(), SimRng::new(seed))
    }

    /// A client that belongs to no process, as of an operator.
    #[must_use]
    pub fn client(&self) -> SimSqlStore {
        SimSqlStore::new(self.clone())
    }

    /// What goes wrong by chance, and how long things take.
    pub fn set_faults(&self, faults: SqlFaults) {
        self.lock().faults = faults;
    }

    /// Decides what becomes of the next writes, one each in this order; chance decides about later ones. Reads take none.
    pub fn decide(&self, fates: impl IntoIterator<Item = SqlFate>) {
        self.lock().fates.extend(fates);
    }

    /// Refuses every new statement at once, or no longer. What has been sent goes on.
    pub fn set_down(&self, is_down: bool) {
        self.lock().is_down = is_down;
    }

    /// The value that a read at this instant would find.
    #[must_use]
    pub fn peek(&self, key: &Key) -> Option<Bytes> {
        let now = self.0.clock.micros();
        self.lock().database.peek(key, now)
    }

    /// Every change so far in the order of the commits. An entry that expires is not among them.
    #[must_use]
    pub fn commits(&self) -> Vec<SqlCommit> {
        self.lock().database.commits().to_vec()
    }

    /// The rows of the outbox, in the order of their ids.
    #[must_use]
    pub fn outbox(&self) -> Vec<OutboxRow> {
        self.lock().database.pending(usize::MAX)
    }

    /// How many statements have been run, those that failed not among them.
    #[must_use]
    pub fn statements(&self) -> u64 {
        self.lock().database.statements
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Statements leave the database whole or do not touch it.
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for SimSql {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimSql").field("statements", &self.statements()).finish_non_exhaustive()
    }
}
