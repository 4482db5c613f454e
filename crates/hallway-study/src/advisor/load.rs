//! What a choice asks of the servers, against what they can take.

use serde::Serialize;

use super::architecture::Architecture;
use super::costs::{Costs, Operation};
use super::fact::{Basis, Fact};
use super::model::{expected_hits, of_database, touch_share};
use super::units::count;
use super::workload::{Database, Purpose, Workload};

/// The share of a server's capacity that may be planned with: beyond it waiting grows faster than work.
pub(super) const USABLE: f64 = 0.7;

/// What one server is asked for.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Load {
    /// `database` or `redis`.
    pub server: &'static str,
    /// Operations per second, reads and writes.
    pub per_s: f64,
    /// What it can take, operations per second.
    pub capacity_per_s: f64,
    /// Where the capacity comes from.
    pub basis: Basis,
}

impl Load {
    /// Why it is too much, if it is.
    pub(super) fn too_much(&self) -> Option<String> {
        (self.per_s > USABLE * self.capacity_per_s).then(|| {
            let remedy = match (self.basis, self.server) {
                (Basis::Assumed, "redis") => " (assumed; --redis-capacity says better)",
                (Basis::Assumed, _) => " (assumed; --db-capacity says better)",
                _ => "",
            };
            format!(
                "the {} would take {}/s, over 70 % of its {}/s{remedy}",
                if self.server == "redis" { "Redis" } else { "database" },
                count(self.per_s),
                count(self.capacity_per_s)
            )
        })
    }
}

/// What the servers of an architecture are asked for.
pub(super) fn loads(architecture: Architecture, workload: &Workload, costs: &Costs) -> Vec<Load> {
    let hits = expected_hits(architecture, workload);
    let (reads, writes) = (workload.reads_per_s, workload.writes_per_s);
    let misses = reads * (1.0 - hits.total);
    let touches = if workload.purpose == Purpose::Session { reads * touch_share(workload) } else { 0.0 };
    let mut loads = Vec::new();
    if architecture == Architecture::Sqlite {
        loads.push(sqlite(reads, writes + touches, [Operation::SqliteGet, Operation::SqliteSet], workload, costs));
    } else if architecture.has_database() {
        let (gets, sets) = match architecture {
            // Copies are in the same server.
            Architecture::UnloggedDatabase => (reads + misses, misses + 2.0 * writes),
            _ => (misses, writes + touches),
        };
        loads.push(if workload.database() == Database::Sqlite {
            sqlite(gets, sets, of_database(workload, costs), workload, costs)
        } else {
            database(gets + sets, workload)
        });
    }
    if architecture.has_redis() {
        let gets = reads * (1.0 - hits.local);
        let per_s = match architecture {
            Architecture::Redis | Architecture::LocalRedis => gets + writes + touches,
            // A miss asks for the lease and fills; a write marks and unmarks.
            _ => gets + 2.0 * misses + 2.0 * writes,
        };
        loads.push(Load {
            server: "redis",
            per_s,
            capacity_per_s: workload.redis_capacity_per_s.value,
            basis: workload.redis_capacity_per_s.basis,
        });
    }
    loads
}

fn database(per_s: f64, workload: &Workload) -> Load {
    let Fact { value, basis, .. } = workload.database_capacity_per_s;
    Load { server: "database", per_s, capacity_per_s: value, basis }
}

/// SQLite works in this process. If nobody says what it can take, that is as many requests as fit into a second one after
/// the other: too few where writes share a commit, so it is an assumption whatever the costs rest on.
fn sqlite(gets: f64, sets: f64, [get, set]: [Operation; 2], workload: &Workload, costs: &Costs) -> Load {
    let per_s = gets + sets;
    if is_capacity_said(workload) {
        return database(per_s, workload);
    }
    let us = |operation| costs.total(operation, workload.bytes.value).value;
    let busy = (gets * us(get) + sets * us(set)) / 1e6;
    let capacity_per_s = if busy > 0.0 { per_s / busy } else { f64::MAX };
    Load { server: "database", per_s, capacity_per_s, basis: Basis::Assumed }
}

/// Whether somebody said what the database can take.
pub(super) fn is_capacity_said(workload: &Workload) -> bool {
    workload.database_capacity_per_s.basis == Basis::Given
}
