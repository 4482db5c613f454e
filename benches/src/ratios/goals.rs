//! The goals as data: what is measured, against what, and the ratio to reach.

use serde::{Deserialize, Serialize};

use crate::{Op, Store};

/// Which way a ratio is to be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A cost of hallway's over the library's: smaller is better.
    Time,
    /// Operations per second of hallway's over the library's: larger is better.
    Throughput,
}

/// How hallway's store is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OurWay {
    /// `try_get`.
    AtOnce,
    /// As `dyn KvStore`.
    Dyn,
    /// Through its own type.
    Own,
}

/// What is hit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hit {
    /// A typed cache.
    Cache,
    /// A store.
    Store,
    /// A store of tiers.
    Tiers,
}

impl Hit {
    /// As the counting program knows it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Cache => "cache",
            Self::Store => "store",
            Self::Tiers => "tiers",
        }
    }
}

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Measure {
    /// Allocations of one in-process hit, counted by a program of its own.
    AllocationsPerHit(Hit),
    /// hallway's store over the library beneath it.
    Ratio {
        /// The store.
        store: Store,
        /// What each iteration does.
        op: Op,
        /// How many tasks or threads do it.
        concurrency: usize,
        /// How hallway's store is used.
        ours: OurWay,
        /// The 99th percentile of single operations, instead of the time of all.
        p99: bool,
    },
}

/// A ratio to reach.
#[derive(Debug, Clone, PartialEq)]
pub struct Goal {
    /// `store/what/concurrency`.
    pub id: String,
    /// Which way is better.
    pub kind: Kind,
    /// The ratio.
    pub target: f64,
    /// How it is measured.
    pub measure: Measure,
}

impl Goal {
    /// Whether a measured median reaches the goal.
    #[must_use]
    pub fn is_met_by(&self, median: f64) -> bool {
        match self.kind {
            Kind::Time => median <= self.target,
            Kind::Throughput => median >= self.target,
        }
    }

    /// Whether single operations must be timed.
    #[must_use]
    pub fn is_percentile(&self) -> bool {
        matches!(self.measure, Measure::Ratio { p99: true, .. })
    }
}

/// Every goal, those of one store together.
#[must_use]
pub fn goals() -> Vec<Goal> {
    use Store::{CacheHot, CacheShared, CacheWide, Moka, Postgres, PostgresAway, Redis, Sqlite, TieredPostgres};
    const BATCH: Op = Op::GetMany(100);
    const MIX: Op = Op::Popular(10);

    let mut goals = Vec::new();
    let mut add = |store: Store, what: &str, op, ours, kind, targets: &[(usize, f64)]| {
        let section = if store == Moka { "local" } else { store.name() };
        for &(concurrency, target) in targets {
            let measure = Measure::Ratio { store, op, concurrency, ours, p99: what.ends_with("-p99") };
            goals.push(Goal { id: format!("{section}/{what}/{concurrency}"), kind, target, measure });
        }
    };
    let (time, throughput, own) = (Kind::Time, Kind::Throughput, OurWay::Own);

    add(Moka, "try-get", Op::Get, OurWay::AtOnce, time, &[(1, 1.10), (2, 1.10)]);
    add(Moka, "get-dyn", Op::Get, OurWay::Dyn, time, &[(1, 1.25), (2, 1.25)]);
    add(Moka, "set", Op::Set, own, time, &[(1, 1.20), (2, 1.20)]);
    add(Redis, "get", Op::Get, own, throughput, &[(1, 0.97), (16, 1.0), (64, 1.4), (256, 1.7)]);
    add(Redis, "get-p99", Op::Get, own, time, &[(1, 1.1)]);
    add(Redis, "get-many-100", BATCH, own, throughput, &[(1, 0.95)]);
    add(Postgres, "get", Op::Get, own, throughput, &[(1, 1.3), (16, 3.0), (64, 7.0), (256, 10.0)]);
    add(Postgres, "upsert", Op::Set, own, throughput, &[(1, 0.95), (16, 2.3), (64, 4.5), (256, 7.0)]);
    // Against 100 reads, one after the other.
    add(Postgres, "get-many-100", BATCH, own, throughput, &[(1, 15.0)]);
    add(PostgresAway, "get-0.5ms", Op::Get, own, throughput, &[(64, 12.0), (256, 20.0)]);
    add(Sqlite, "get", Op::Get, own, throughput, &[(1, 1.15), (16, 2.0), (64, 3.0), (256, 4.0)]);
    add(Sqlite, "upsert", Op::Set, own, throughput, &[(1, 0.95), (16, 6.0), (64, 7.5), (256, 8.5)]);

    add(CacheHot, "cache-hit", Op::Get, own, time, &[(1, 0.35), (2, 0.25)]);
    add(CacheHot, "try-get", Op::Get, OurWay::AtOnce, time, &[(1, 0.35), (2, 0.25)]);
    add(CacheWide, "cache-hit-worst", Op::Get, own, time, &[(1, 1.15)]);
    add(CacheShared, "zipf-mix", MIX, own, throughput, &[(64, 3.5)]);
    add(CacheShared, "shared-hit", Op::First, own, throughput, &[(64, 1.0), (256, 1.4)]);
    add(CacheShared, "full-miss", Op::Load, own, throughput, &[(64, 0.55)]);
    add(TieredPostgres, "consistent-get", Op::Get, own, throughput, &[(64, 7.0)]);

    for (id, hit) in
        [("tiers/try-get-alloc/1", Hit::Tiers), ("tiers/cache-hit-alloc/1", Hit::Cache), ("local/alloc/1", Hit::Store)]
    {
        let measure = Measure::AllocationsPerHit(hit);
        goals.insert(0, Goal { id: id.into(), kind: time, target: 0.0, measure });
    }
    goals
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn ids_are_unique_paths() {
        let goals = goals();
        let ids: HashSet<_> = goals.iter().map(|goal| goal.id.as_str()).collect();
        assert_eq!(ids.len(), goals.len());
        for id in
            ["local/try-get/1", "redis/get-p99/1", "postgres/get-0.5ms/256", "sqlite/upsert/64", "tiers/zipf-mix/64"]
        {
            assert!(ids.contains(id), "{id}");
        }
        assert!(ids.iter().all(|id| id.split('/').count() == 3));
    }

    #[test]
    fn a_time_is_to_be_small_and_a_throughput_large() {
        let goal = |kind| Goal { kind, target: 1.1, ..goals()[0].clone() };
        assert!(goal(Kind::Time).is_met_by(1.1) && !goal(Kind::Time).is_met_by(1.11));
        assert!(goal(Kind::Throughput).is_met_by(1.1) && !goal(Kind::Throughput).is_met_by(1.09));
    }

    #[test]
    fn only_percentiles_time_single_operations() {
        let timed: Vec<_> = goals().into_iter().filter(Goal::is_percentile).map(|goal| goal.id).collect();
        assert_eq!(timed, ["redis/get-p99/1"]);
    }
}
