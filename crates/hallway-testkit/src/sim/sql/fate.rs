//! What can become of a statement.

use std::time::Duration;

use crate::sim::net::Latency;
use crate::sim::rng::SimRng;

/// What becomes of a write.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SqlFate {
    /// It commits and the caller hears of it.
    Done,
    /// It fails before anything is done, and the caller hears of it.
    Failed,
    /// The caller hears nothing but the end of the connection, at any moment from now until the deadline: `Indeterminate`.
    /// The commit, if there is one, may come before that or after it, yet within the statement timeout.
    Unknown {
        /// Whether it commits.
        commits: bool,
    },
}

/// How a database behaves. Default: a few milliseconds a statement and no faults.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub struct SqlFaults {
    /// How long a message is under way, each way.
    pub latency: Latency,
    /// How long the server works on a statement before it commits.
    pub work: Latency,
    /// How long it works at most: a statement commits within this time or never. Default: 2 s.
    pub statement_timeout: Duration,
    /// How often a statement fails and says so. Default: 0.
    pub failed: f64,
    /// How often the outcome of a write stays unknown; half of these commit. Default: 0.
    pub unknown: f64,
}

impl SqlFaults {
    /// No faults, and statements that take between these two altogether.
    #[must_use]
    pub fn none(least: Duration, most: Duration) -> Self {
        let third = Latency::between(least / 3, most / 3);
        Self { latency: third, work: third, ..Self::default() }
    }

    /// Fails so often.
    #[must_use]
    pub fn with_failed(mut self, probability: f64) -> Self {
        self.failed = probability;
        self
    }

    /// Leaves writes unknown so often.
    #[must_use]
    pub fn with_unknown(mut self, probability: f64) -> Self {
        self.unknown = probability;
        self
    }

    /// Works otherwise.
    #[must_use]
    pub fn with_work(mut self, work: Latency) -> Self {
        self.work = work;
        self
    }

    /// Gives a statement so much time.
    #[must_use]
    pub fn with_statement_timeout(mut self, timeout: Duration) -> Self {
        self.statement_timeout = timeout;
        self
    }

    pub(super) fn draw(&self, rng: &mut SimRng, decided: Option<SqlFate>, is_write: bool) -> Plan {
        let there = Duration::from_micros(self.latency.draw(rng));
        let back = Duration::from_micros(self.latency.draw(rng));
        let work = Duration::from_micros(self.work.draw(rng));
        let fate = decided.unwrap_or_else(|| {
            if rng.chance(self.failed) {
                SqlFate::Failed
            } else if is_write && rng.chance(self.unknown) {
                SqlFate::Unknown { commits: rng.chance(0.5) }
            } else {
                SqlFate::Done
            }
        });
        // A commit whose news is lost often comes late: that is why its news is lost.
        let work = match fate {
            SqlFate::Unknown { .. } if rng.chance(0.5) => {
                rng.duration(work.min(self.statement_timeout)..=self.statement_timeout)
            }
            _ => work,
        };
        Plan { there, work, back, fate, outlives_caller: rng.chance(0.5), silence: 1.2 * rng.unit().powi(2) }
    }
}

impl Default for SqlFaults {
    fn default() -> Self {
        Self {
            latency: Latency::default(),
            work: Latency::default(),
            statement_timeout: Duration::from_secs(2),
            failed: 0.0,
            unknown: 0.0,
        }
    }
}

/// What is going to happen to one statement.
#[derive(Debug, Clone, Copy)]
pub(super) struct Plan {
    pub(super) there: Duration,
    pub(super) work: Duration,
    pub(super) back: Duration,
    pub(super) fate: SqlFate,
    /// Whether it is on its way already when its process is killed before it arrives.
    pub(super) outlives_caller: bool,
    /// When the caller hears that the connection has ended, of the time until the deadline; never from 1 on.
    pub(super) silence: f64,
}
