//! What is asked of the state: how often, how large, how fresh, how safe.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::curve::HitCurve;
use super::fact::{Basis, Fact};
use super::refusal::Refusal;

/// The longest that anything is kept for a time, seconds: 10 years.
pub(super) const LONGEST_S: f64 = 315_576_000.0;

/// What the state is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// Copies of what a database of yours holds.
    Cache,
    /// Who is logged in.
    Session,
    /// State of its own, of which this is the only place.
    State,
}

/// What may be lost when a process or a server dies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Loss {
    /// Nothing that was acknowledged.
    None,
    /// The last seconds.
    Seconds,
    /// Everything.
    All,
}

/// A service that may run already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Service {
    /// PostgreSQL.
    Postgres,
    /// Redis or Valkey.
    Redis,
    /// A file of SQLite: no service, but it tells which database is meant.
    Sqlite,
}

macro_rules! named {
    ($type:ty: $($name:literal => $value:expr),*) => {
        impl FromStr for $type {
            type Err = String;

            fn from_str(text: &str) -> Result<Self, String> {
                match text {
                    $($name => Ok($value),)*
                    _ => Err(concat!("it is one of:", $(" ", $name),*).to_owned()),
                }
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                let known = [$(($name, $value)),*];
                f.write_str(known.iter().find(|(_, value)| value == self).map_or("", |(name, _)| name))
            }
        }
    };
}
named!(Purpose: "cache" => Self::Cache, "session" => Self::Session, "state" => Self::State);
named!(Loss: "none" => Self::None, "seconds" => Self::Seconds, "all" => Self::All);
named!(Service: "postgres" => Self::Postgres, "redis" => Self::Redis, "sqlite" => Self::Sqlite);

/// What is asked of the state. Rates are over all instances together.
#[derive(Debug, Clone, PartialEq)]
pub struct Workload {
    /// What it is for.
    pub purpose: Purpose,
    /// Processes that answer requests.
    pub instances: u32,
    /// Reads per second.
    pub reads_per_s: f64,
    /// Writes per second.
    pub writes_per_s: f64,
    /// How old an answer may be, milliseconds; 0 means that every read sees the last acknowledged write.
    pub stale_ms: f64,
    /// The share of answers from copies that may be stale at all.
    pub stale_share: Fact,
    /// What may be lost.
    pub loss: Loss,
    /// Whether [`loss`](Self::loss) was said or assumed.
    pub loss_basis: Basis,
    /// Bytes of a value.
    pub bytes: Fact,
    /// Keys there are.
    pub keys: Fact,
    /// Memory of each instance for local copies, bytes.
    pub memory_bytes: Fact,
    /// Memory of Redis, bytes; `None` if it holds everything.
    pub redis_memory_bytes: Option<Fact>,
    /// Queries per second that the database can take.
    pub database_capacity_per_s: Fact,
    /// Operations per second that Redis can take.
    pub redis_capacity_per_s: Fact,
    /// What 99 of 100 requests have to stay within, microseconds.
    pub p99_target_us: Option<f64>,
    /// How long a session lives that nobody loads, seconds.
    pub idle_s: Fact,
    /// What runs already.
    pub running: BTreeSet<Service>,
    /// How often caches hit.
    pub curve: HitCurve,
    /// Another curve that might be as true; the two give the range. `None` for a key log.
    pub other_curve: Option<HitCurve>,
}

/// The database that holds the truth.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Database {
    Postgres,
    Sqlite,
    /// Of a cache: whatever it loads from.
    Unnamed,
}

impl Database {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Postgres => "PostgreSQL",
            Self::Sqlite => "SQLite",
            Self::Unnamed => "SQL",
        }
    }
}

impl Workload {
    /// Writes as a share of all requests.
    pub fn write_share(&self) -> f64 {
        self.writes_per_s / self.requests_per_s()
    }

    /// Reads and writes per second.
    pub fn requests_per_s(&self) -> f64 {
        self.reads_per_s + self.writes_per_s
    }

    /// Writes per second of one key, if writes go to keys by chance.
    pub(super) fn writes_of_a_key(&self) -> f64 {
        self.writes_per_s / self.keys.value
    }

    pub(super) fn is_shared(&self) -> bool {
        self.instances > 1
    }

    pub(super) fn database(&self) -> Database {
        match self.purpose {
            Purpose::Cache if self.running.contains(&Service::Postgres) => Database::Postgres,
            Purpose::Cache if self.running.contains(&Service::Sqlite) => Database::Sqlite,
            Purpose::Cache => Database::Unnamed,
            // SQLite is a choice of its own there.
            Purpose::Session | Purpose::State => Database::Postgres,
        }
    }

    /// Checks that every number is one that the model knows what to do with.
    ///
    /// # Errors
    /// [`Refusal::Invalid`] naming the number and its range.
    pub fn check(&self) -> Result<(), Refusal> {
        let ranges = [
            ("instances", f64::from(self.instances), 1.0, 1e5),
            ("reads per second", self.reads_per_s, 0.0, 1e9),
            ("writes per second", self.writes_per_s, 0.0, 1e9),
            ("the staleness tolerance in milliseconds", self.stale_ms, 0.0, 1e11),
            ("the share of stale answers", self.stale_share.value, 0.0, 1.0),
            ("bytes of a value", self.bytes.value, 1.0, 16_777_216.0),
            ("keys", self.keys.value, 1.0, 1e12),
            ("memory of an instance in bytes", self.memory_bytes.value, 1.0, 1e15),
            ("memory of Redis in bytes", self.redis_memory_bytes.as_ref().map_or(1.0, |m| m.value), 1.0, 1e15),
            ("queries per second of the database", self.database_capacity_per_s.value, 1.0, 1e9),
            ("operations per second of Redis", self.redis_capacity_per_s.value, 1.0, 1e9),
            ("the p99 target in microseconds", self.p99_target_us.unwrap_or(1.0), 1e-3, 1e12),
            ("the idle timeout in seconds", self.idle_s.value, 1.0, LONGEST_S),
        ];
        for (name, value, low, high) in ranges {
            if !(low..=high).contains(&value) {
                return Err(Refusal::Invalid(format!("{name} must lie between {low} and {high}, and is {value}")));
            }
        }
        if self.requests_per_s() < 1e-6 {
            return Err(Refusal::Invalid("there are no requests: say how many reads or writes per second".to_owned()));
        }
        Ok(())
    }
}
