//! How a request runs through an architecture, step by step, and what that costs.

use std::collections::BTreeSet;

use super::architecture::Architecture;
use super::costs::{Costs, Operation};
use super::fact::Basis;
use super::hits::{Corner, Hits, hits};
use super::workload::{Database, Purpose, Workload};
use crate::formulas::touch_write_share;

/// A session is prolonged when that gains this much, seconds, or this share of its timeout if that is less.
const TOUCH_AFTER_S: f64 = 60.0;
const TOUCH_AFTER_SHARE: f64 = 0.05;

/// What a step costs, microseconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Step {
    pub(super) mean: f64,
    pub(super) p99: f64,
}

impl Step {
    const NOTHING: Self = Self { mean: 0.0, p99: 0.0 };

    /// Steps one after the other. That all are slow at once is rare: what they may take longer adds up as independent
    /// deviations do.
    fn chain(steps: &[Self]) -> Self {
        let mean: f64 = steps.iter().map(|step| step.mean).sum();
        let squares: f64 = steps.iter().map(|step| (step.p99 - step.mean).powi(2)).sum();
        Self { mean, p99: mean + squares.sqrt() }
    }
}

/// One way that requests go.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Way {
    /// Share of all requests.
    pub(super) share: f64,
    pub(super) cost: Step,
}

/// The ways that requests go through an architecture; their shares add up to 1.
pub(super) fn ways(architecture: Architecture, workload: &Workload, costs: &Costs, corner: Corner) -> Vec<Way> {
    let steps = Steps { workload, costs, corner };
    let receipts = steps.receipts(architecture);
    let way = |(share, operations): (f64, Vec<Operation>)| {
        let steps: Vec<Step> = operations.into_iter().map(|operation| steps.of(operation)).collect();
        Way { share, cost: Step::chain(&[&steps[..], &[receipts]].concat()) }
    };
    paths(architecture, workload, costs, corner).into_iter().map(way).collect()
}

/// The operations that an architecture consists of here: what its numbers rest on.
pub(super) fn operations(architecture: Architecture, workload: &Workload, costs: &Costs) -> BTreeSet<Operation> {
    paths(architecture, workload, costs, Corner::Middle).into_iter().flat_map(|(_, operations)| operations).collect()
}

/// The operations of each way, with its share of all requests.
fn paths(architecture: Architecture, workload: &Workload, costs: &Costs, corner: Corner) -> Vec<(f64, Vec<Operation>)> {
    let hits = hits(architecture, workload, corner);
    let writes = workload.write_share();
    let reads = 1.0 - writes;
    let (local, miss) = (hits.local, 1.0 - hits.total);
    let shared = (1.0 - local - miss).max(0.0);
    let steps = Operations { workload, costs };
    let [by_local, by_shared, by_miss] = steps.read(architecture);
    let mut paths = vec![(reads * local, by_local), (reads * shared, by_shared), (reads * miss, by_miss)];
    if workload.purpose == Purpose::Session {
        // Some of the loads write as well.
        let touched = touch_share(workload);
        let write = steps.truth_set(architecture);
        let touching: Vec<_> =
            paths.iter().map(|(share, operations)| (share * touched, [&operations[..], &[write]].concat())).collect();
        paths.iter_mut().for_each(|(share, _)| *share *= 1.0 - touched);
        paths.extend(touching);
    }
    paths.push((writes, steps.write(architecture)));
    paths.retain(|(share, _)| *share > 0.0);
    paths
}

/// The share of the loads of sessions that write to keep the session alive (F15).
pub(super) fn touch_share(workload: &Workload) -> f64 {
    let idle = workload.idle_s.value;
    let after = (TOUCH_AFTER_S / idle).min(TOUCH_AFTER_SHARE);
    touch_write_share(workload.reads_per_s / workload.keys.value, idle, after)
}

/// The shares of the reads that each tier answers, in the middle of the intervals.
pub(super) fn expected_hits(architecture: Architecture, workload: &Workload) -> Hits {
    hits(architecture, workload, Corner::Middle)
}

struct Steps<'a> {
    workload: &'a Workload,
    costs: &'a Costs,
    corner: Corner,
}

impl Steps<'_> {
    fn of(&self, operation: Operation) -> Step {
        let fact = self.costs.total(operation, self.workload.bytes.value);
        let mean = match self.corner {
            Corner::Best => fact.low,
            Corner::Middle => fact.value,
            Corner::Worst => fact.high,
        };
        Step { mean, p99: mean * self.costs.of(operation).tail }
    }

    /// What invalidations take from each request (F10): every instance takes in the writes of all.
    fn receipts(&self, architecture: Architecture) -> Step {
        if !architecture.hears_of_writes() || !self.workload.is_shared() {
            return Step::NOTHING;
        }
        let each = match self.corner {
            Corner::Best => self.costs.receipt_us.low,
            Corner::Middle => self.costs.receipt_us.value,
            Corner::Worst => self.costs.receipt_us.high,
        };
        let mean = each * f64::from(self.workload.instances) * self.workload.write_share();
        Step { mean, p99: mean }
    }
}

/// The operation that stands for a read and a write of the database of a cache.
///
/// What was said of the database is true of it whichever it is; what was measured as PostgreSQL is not true of SQLite.
pub(super) fn of_database(workload: &Workload, costs: &Costs) -> [Operation; 2] {
    let is_sqlite = workload.database() == Database::Sqlite;
    [(Operation::DatabaseGet, Operation::SqliteGet), (Operation::DatabaseSet, Operation::SqliteSet)]
        .map(|(postgres, sqlite)| if is_sqlite && costs.of(postgres).basis != Basis::Given { sqlite } else { postgres })
}

struct Operations<'a> {
    workload: &'a Workload,
    costs: &'a Costs,
}

impl Operations<'_> {
    /// A cache of values holds them as they are used; a store holds bytes.
    fn local(&self) -> [Operation; 2] {
        match self.workload.purpose {
            Purpose::Cache => [Operation::MokaTypedGet, Operation::MokaTypedSet],
            Purpose::Session | Purpose::State => [Operation::MokaBytesGet, Operation::MokaBytesSet],
        }
    }

    /// What a read takes that the process, the second tier or the truth answers. A miss of Redis asks for the lease and
    /// fills; the local tier keeps what Redis had, and not what was just loaded.
    fn read(&self, architecture: Architecture) -> [Vec<Operation>; 3] {
        use Architecture as A;
        let [local, keep] = self.local();
        let (shared, lease, fill) = (Operation::RedisGet, Operation::RedisSet, Operation::RedisSet);
        let [database, _] = of_database(self.workload, self.costs);
        match architecture {
            A::Local => [vec![], vec![], vec![local]],
            A::Sqlite => [vec![], vec![], vec![Operation::SqliteGet]],
            A::Database => [vec![], vec![], vec![database]],
            A::LocalDatabase | A::LocalBusDatabase => [vec![local], vec![], vec![local, database, keep]],
            A::SharedDatabase => [vec![], vec![shared], vec![shared, lease, database, fill]],
            A::LocalTtlSharedDatabase | A::LocalBusSharedDatabase => {
                [vec![local], vec![local, shared, keep], vec![local, shared, lease, database, fill]]
            }
            A::Redis => [vec![], vec![], vec![shared]],
            A::LocalRedis => [vec![local], vec![], vec![local, shared, keep]],
            A::UnloggedDatabase => {
                let copy = Operation::UnloggedGet;
                [vec![], vec![copy], vec![copy, database, Operation::UnloggedSet]]
            }
        }
    }

    /// What a write takes: over copies in Redis a marker before it and its removal after.
    fn write(&self, architecture: Architecture) -> Vec<Operation> {
        use Architecture as A;
        let [_, keep] = self.local();
        let [_, database] = of_database(self.workload, self.costs);
        let shared = Operation::RedisSet;
        match architecture {
            A::Local => vec![keep],
            A::Sqlite => vec![Operation::SqliteSet],
            A::Database => vec![database],
            A::LocalDatabase | A::LocalBusDatabase => vec![database, keep],
            A::SharedDatabase => vec![shared, database, shared],
            A::LocalTtlSharedDatabase | A::LocalBusSharedDatabase => vec![shared, database, shared, keep],
            A::Redis => vec![shared],
            A::LocalRedis => vec![shared, keep],
            A::UnloggedDatabase => vec![database, Operation::UnloggedSet],
        }
    }

    fn truth_set(&self, architecture: Architecture) -> Operation {
        match architecture {
            Architecture::Local => self.local()[1],
            Architecture::Sqlite => Operation::SqliteSet,
            architecture if architecture.has_database() => of_database(self.workload, self.costs)[1],
            _ => Operation::RedisSet,
        }
    }
}
