//! How a request runs through an architecture, step by step, and what that costs.

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
    let hits = hits(architecture, workload, corner);
    let writes = workload.write_share();
    let reads = 1.0 - writes;
    let (local, miss) = (hits.local, 1.0 - hits.total);
    let shared = (1.0 - local - miss).max(0.0);
    let [by_local, by_shared, by_miss] = steps.read(architecture);
    let receipts = steps.receipts(architecture);
    let way = |share: f64, steps: &[Step]| Way { share, cost: Step::chain(&[steps, &[receipts]].concat()) };
    let mut ways = vec![
        way(reads * local, &by_local),
        way(reads * shared, &by_shared),
        way(reads * miss, &by_miss),
        way(writes, &steps.write(architecture)),
    ];
    if workload.purpose == Purpose::Session {
        touched(&mut ways, workload, steps.truth_set(architecture));
    }
    ways.retain(|way| way.share > 0.0);
    ways
}

/// The share of the loads of sessions that write to keep the session alive (F15).
pub(super) fn touch_share(workload: &Workload) -> f64 {
    let idle = workload.idle_s.value;
    let after = (TOUCH_AFTER_S / idle).min(TOUCH_AFTER_SHARE);
    touch_write_share(workload.reads_per_s / workload.keys.value, idle, after)
}

/// Some of the loads write as well.
fn touched(ways: &mut Vec<Way>, workload: &Workload, write: Step) {
    let share = touch_share(workload);
    let writes = ways.pop();
    let touching: Vec<Way> =
        ways.iter().map(|way| Way { share: way.share * share, cost: Step::chain(&[way.cost, write]) }).collect();
    ways.iter_mut().for_each(|way| way.share *= 1.0 - share);
    ways.extend(touching);
    ways.extend(writes);
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

    /// A cache of values holds them as they are used; a store holds bytes.
    fn local_get(&self) -> Step {
        let is_cache = self.workload.purpose == Purpose::Cache;
        self.of(if is_cache { Operation::MokaTypedGet } else { Operation::MokaBytesGet })
    }

    fn local_set(&self) -> Step {
        let is_cache = self.workload.purpose == Purpose::Cache;
        self.of(if is_cache { Operation::MokaTypedSet } else { Operation::MokaBytesSet })
    }

    /// What was said of the database is true of it whichever it is; what was measured is of PostgreSQL.
    fn database(&self, of_postgres: Operation, of_sqlite: Operation) -> Step {
        let is_said = matches!(self.costs.of(of_postgres).basis, Basis::Given | Basis::Measured);
        self.of(if self.workload.database() == Database::Sqlite && !is_said { of_sqlite } else { of_postgres })
    }

    fn database_get(&self) -> Step {
        self.database(Operation::DatabaseGet, Operation::SqliteGet)
    }

    fn database_set(&self) -> Step {
        self.database(Operation::DatabaseSet, Operation::SqliteSet)
    }

    /// What a read costs that the process, the second tier or the truth answers. A miss of Redis asks for the lease and
    /// fills; the local tier keeps what Redis had, and not what was just loaded.
    fn read(&self, architecture: Architecture) -> [Vec<Step>; 3] {
        use Architecture as A;
        let (local, shared) = (self.local_get(), self.of(Operation::RedisGet));
        let (lease, fill) = (self.of(Operation::RedisSet), self.of(Operation::RedisSet));
        let database = self.database_get();
        match architecture {
            A::Local => [vec![], vec![], vec![local]],
            A::Sqlite => [vec![], vec![], vec![self.of(Operation::SqliteGet)]],
            A::Database => [vec![], vec![], vec![database]],
            A::LocalDatabase | A::LocalBusDatabase => [vec![local], vec![], vec![local, database, self.local_set()]],
            A::SharedDatabase => [vec![], vec![shared], vec![shared, lease, database, fill]],
            A::LocalTtlSharedDatabase | A::LocalBusSharedDatabase => {
                [vec![local], vec![local, shared, self.local_set()], vec![local, shared, lease, database, fill]]
            }
            A::Redis => [vec![], vec![], vec![shared]],
            A::LocalRedis => [vec![local], vec![], vec![local, shared, self.local_set()]],
            A::UnloggedDatabase => {
                let copy = self.of(Operation::UnloggedGet);
                [vec![], vec![copy], vec![copy, database, self.of(Operation::UnloggedSet)]]
            }
        }
    }

    /// What a write costs: over copies in Redis a marker before it and its removal after.
    fn write(&self, architecture: Architecture) -> Vec<Step> {
        use Architecture as A;
        let (shared, database) = (self.of(Operation::RedisSet), self.database_set());
        match architecture {
            A::Local => vec![self.local_set()],
            A::Sqlite => vec![self.of(Operation::SqliteSet)],
            A::Database => vec![database],
            A::LocalDatabase | A::LocalBusDatabase => vec![database, self.local_set()],
            A::SharedDatabase => vec![shared, database, shared],
            A::LocalTtlSharedDatabase | A::LocalBusSharedDatabase => vec![shared, database, shared, self.local_set()],
            A::Redis => vec![shared],
            A::LocalRedis => vec![shared, self.local_set()],
            A::UnloggedDatabase => vec![database, self.of(Operation::UnloggedSet)],
        }
    }

    fn truth_set(&self, architecture: Architecture) -> Step {
        match architecture {
            Architecture::Local => self.local_set(),
            Architecture::Sqlite => self.of(Operation::SqliteSet),
            architecture if architecture.has_database() => self.database_set(),
            _ => self.of(Operation::RedisSet),
        }
    }

    /// What invalidations take from each request (F10): every instance takes in the writes of all.
    fn receipts(&self, architecture: Architecture) -> Step {
        if !architecture.has_bus() || !self.workload.is_shared() {
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
