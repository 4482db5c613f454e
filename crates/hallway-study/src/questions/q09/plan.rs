//! What is read and written how often, and what came of it.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::study::Depth;

/// Keys that are written at one rate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Pace {
    /// Of each key.
    pub(super) writes_per_second: f64,
    /// The slower, the more: so that there are writes enough to count.
    pub(super) keys: usize,
}

/// A way to read.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub(super) enum Way {
    /// A local tier that is told of writes, before Redis and the database.
    Bus,
    /// The database.
    Database,
    /// Redis before the database.
    Shared,
    /// A local tier over the database whose copies end by their age alone.
    Ttl {
        /// Seconds.
        ttl_s: f64,
    },
}

/// The whole run.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    pub(super) lasts: Duration,
    pub(super) paces: Vec<Pace>,
    pub(super) ways: Vec<Way>,
    pub(super) seed: u64,
}

/// One way to read keys of one pace.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Cell {
    pub(super) way: Way,
    /// Writes of a key, as planned, and as acknowledged.
    pub(super) pace: f64,
    pub(super) writes_per_s: f64,
    /// Reads of a key, as they were.
    pub(super) reads_per_s: f64,
    pub(super) reads: u64,
    pub(super) hits: u64,
    /// Answers that missed a write acknowledged before the read began; of these, local hits.
    pub(super) stale: u64,
    pub(super) stale_hits: u64,
    /// How long before the read the first write that it missed was acknowledged; 0 for answers that miss nothing.
    pub(super) age_p99_s: f64,
    pub(super) age_most_s: f64,
    /// Of what no local copy answered, what Redis did.
    pub(super) shared: f64,
}

impl Plan {
    pub(super) fn new(depth: Depth, has_redis: bool) -> Self {
        let pace = |(writes_per_second, keys)| Pace { writes_per_second, keys };
        let paces = depth.pick([(0.5, 24), (2.0, 8), (10.0, 4)], [(0.1, 48), (1.0, 16), (10.0, 4)]).map(pace);
        let ttls: &[f64] = depth.pick(&[0.05, 0.2, 1.0], &[0.05, 0.2, 1.0, 5.0]);
        let mut ways: Vec<Way> = ttls.iter().map(|ttl_s| Way::Ttl { ttl_s: *ttl_s }).collect();
        if has_redis {
            ways.extend([Way::Bus, Way::Shared]);
        }
        ways.push(Way::Database);
        Self { lasts: Duration::from_secs(depth.pick(4, 60)), paces: paces.to_vec(), ways, seed: depth.seed }
    }
}

impl Way {
    /// Reads of each key a second: fewer of what always goes far, so that readers do not measure each other.
    pub(super) fn reads_per_second(self) -> f64 {
        match self {
            Self::Bus | Self::Ttl { .. } => 40.0,
            Self::Database | Self::Shared => 10.0,
        }
    }
}

impl Cell {
    /// Share of the reads that a local copy answered.
    pub(super) fn hit_ratio(&self) -> f64 {
        self.hits as f64 / self.reads.max(1) as f64
    }

    /// Share of the answers that were stale.
    pub(super) fn stale_share(&self) -> f64 {
        self.stale as f64 / self.reads.max(1) as f64
    }

    /// Share of the local hits that were stale.
    pub(super) fn stale_share_of_hits(&self) -> f64 {
        self.stale_hits as f64 / self.hits.max(1) as f64
    }
}
