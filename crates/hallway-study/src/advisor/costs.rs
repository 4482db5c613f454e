//! The costs of all operations that a choice is composed of.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::cost::{Cost, CostPoint};
use super::fact::{Basis, Fact};
use crate::report::{Primitive, Report};

/// The defaults of this crate: costs of primitives as a report has them.
const SHIPPED: &str = include_str!("defaults.json");

/// A round trip within one zone of a cloud, microseconds, where nobody says another.
const ASSUMED_RTT_US: f64 = 250.0;

/// Bytes that a network is assumed to carry in a microsecond: 1 Gbit/s.
const ASSUMED_BYTES_PER_US: f64 = 125.0;

/// An operation of a store, as in [`Primitive::backend`] and [`Primitive::op`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names say it")]
pub enum Operation {
    DatabaseGet,
    DatabaseSet,
    MokaBytesGet,
    MokaBytesSet,
    MokaTypedGet,
    MokaTypedSet,
    RedisGet,
    RedisSet,
    SqliteGet,
    SqliteSet,
    UnloggedGet,
    UnloggedSet,
}

impl Operation {
    /// All of them.
    pub const ALL: [Self; 12] = [
        Self::DatabaseGet,
        Self::DatabaseSet,
        Self::MokaBytesGet,
        Self::MokaBytesSet,
        Self::MokaTypedGet,
        Self::MokaTypedSet,
        Self::RedisGet,
        Self::RedisSet,
        Self::SqliteGet,
        Self::SqliteSet,
        Self::UnloggedGet,
        Self::UnloggedSet,
    ];

    /// Backend and operation as a report names them.
    #[must_use]
    pub fn primitive(self) -> (&'static str, &'static str) {
        match self {
            Self::DatabaseGet => ("postgres", "get"),
            Self::DatabaseSet => ("postgres", "set"),
            Self::MokaBytesGet => ("moka-bytes", "get"),
            Self::MokaBytesSet => ("moka-bytes", "set"),
            Self::MokaTypedGet => ("moka-typed", "get"),
            Self::MokaTypedSet => ("moka-typed", "set"),
            Self::RedisGet => ("redis-tcp", "get"),
            Self::RedisSet => ("redis-tcp", "set"),
            Self::SqliteGet => ("sqlite", "get"),
            Self::SqliteSet => ("sqlite", "set"),
            Self::UnloggedGet => ("postgres-unlogged", "get"),
            Self::UnloggedSet => ("postgres-unlogged", "set"),
        }
    }

    /// What stands for it in a report that leaves it out: a table that is not logged is read as any other, and a value
    /// is kept at the same cost whatever it is.
    #[must_use]
    pub fn like(self) -> Option<Self> {
        match self {
            Self::MokaTypedSet => Some(Self::MokaBytesSet),
            Self::UnloggedGet => Some(Self::DatabaseGet),
            _ => None,
        }
    }

    /// Its name where facts are listed, with the unit.
    pub fn name(self) -> &'static str {
        match self {
            Self::DatabaseGet => "database_get_us",
            Self::DatabaseSet => "database_set_us",
            Self::MokaBytesGet => "moka_bytes_get_us",
            Self::MokaBytesSet => "moka_bytes_set_us",
            Self::MokaTypedGet => "moka_typed_get_us",
            Self::MokaTypedSet => "moka_typed_set_us",
            Self::RedisGet => "redis_get_us",
            Self::RedisSet => "redis_set_us",
            Self::SqliteGet => "sqlite_get_us",
            Self::SqliteSet => "sqlite_set_us",
            Self::UnloggedGet => "unlogged_get_us",
            Self::UnloggedSet => "unlogged_set_us",
        }
    }

    /// Round trips that a measurement over loopback leaves out.
    fn round_trips(self) -> f64 {
        match self.primitive().0 {
            "redis-tcp" | "postgres" | "postgres-unlogged" => 1.0,
            _ => 0.0,
        }
    }

    /// Whether its values cross a network.
    pub(super) fn is_remote(self) -> bool {
        self.round_trips() > 0.0
    }

    /// How far slow calls are assumed to be from usual ones where nobody measured it: writes that wait for a disk vary
    /// most.
    fn assumed_tail(self) -> f64 {
        match self {
            Self::DatabaseSet | Self::SqliteSet => 4.0,
            _ => 2.5,
        }
    }
}

/// What operations cost, each with its basis.
#[derive(Debug, Clone, PartialEq)]
pub struct Costs {
    table: BTreeMap<Operation, Cost>,
    /// A round trip to Redis, microseconds.
    pub redis_rtt_us: Fact,
    /// A round trip to the database, microseconds, for costs that leave it out.
    pub database_rtt_us: Fact,
    /// Taking an invalidation in, in each instance, microseconds.
    pub receipt_us: Fact,
    /// Bytes that the network carries in a microsecond, for values larger than any that was measured.
    pub bytes_per_us: Fact,
}

#[derive(Deserialize)]
struct Shipped {
    source: String,
    basis: Basis,
    primitives: Vec<Primitive>,
}

impl Costs {
    /// The defaults of this crate. Advice on them alone warns of it.
    ///
    /// # Panics
    /// Never: the table is part of this crate, and a test reads it.
    pub fn shipped() -> Self {
        let shipped: Shipped = serde_json::from_str(SHIPPED).expect("the table of defaults is JSON");
        let mut costs = Self {
            table: BTreeMap::new(),
            redis_rtt_us: Fact::assumed(ASSUMED_RTT_US, "one zone of a cloud; --redis-rtt says better"),
            database_rtt_us: Fact::assumed(ASSUMED_RTT_US, "one zone of a cloud; --db-read says better"),
            receipt_us: Fact::assumed(5.0, "taking an invalidation in"),
            bytes_per_us: Fact::assumed(ASSUMED_BYTES_PER_US, "1 Gbit/s, for values larger than any measured"),
        };
        costs.take(&shipped.primitives, shipped.basis, &shipped.source);
        assert!(costs.table.len() == Operation::ALL.len(), "the table of defaults has every operation");
        costs
    }

    /// Takes what a report of this machine measured; what it did not measure stays.
    #[must_use]
    pub fn with_report(mut self, report: &Report) -> Self {
        let mut note = format!("crossover.json of {}", report.started.split('T').next().unwrap_or_default());
        if let Some(slower) = &report.slower {
            note.push_str(&format!(", {} made {} us slower", slower.backend, slower.delay_us));
        }
        self.take(&report.primitives, Basis::Report, &note);
        self
    }

    /// Sets the cost of an operation.
    #[must_use]
    pub fn with(mut self, operation: Operation, cost: Cost) -> Self {
        self.table.insert(operation, cost);
        self
    }

    /// Sets what somebody said that an operation takes, for values of any size. How far slow calls are from usual ones
    /// stays as it is known of `like`. What is no cost changes nothing.
    #[must_use]
    pub(super) fn with_said(self, operation: Operation, like: Operation, us: f64) -> Self {
        let known = self.of(like);
        let (tail, is_known) = (known.tail, known.is_tail_known);
        match Cost::flat(us, Basis::Given, "") {
            Some(cost) => self.with(operation, cost.with_tail(tail, is_known)),
            None => self,
        }
    }

    /// The same costs where no call is slower than usual unless that was measured.
    #[must_use]
    pub(super) fn without_assumed_tails(&self) -> Self {
        let mut costs = self.clone();
        costs.table.values_mut().filter(|cost| !cost.is_tail_known).for_each(|cost| cost.tail = 1.0);
        costs
    }

    fn take(&mut self, primitives: &[Primitive], basis: Basis, note: &str) {
        for operation in Operation::ALL {
            let own = points(primitives, operation.primitive());
            let (points, note) = match operation.like() {
                Some(like) if own.is_empty() => {
                    (points(primitives, like.primitive()), format!("as {}: {note}", like.name()))
                }
                _ => (own, note.to_owned()),
            };
            if let Some(cost) = Cost::new(points, basis, note) {
                let cost = cost.with_tail(operation.assumed_tail(), false).with_round_trips(operation.round_trips());
                self.table.insert(operation, cost);
            }
        }
    }

    /// The cost of an operation.
    pub fn of(&self, operation: Operation) -> &Cost {
        // `shipped` fills every row, and nothing empties one.
        &self.table[&operation]
    }

    /// The cost for values of `bytes` with its round trips, microseconds.
    pub fn total(&self, operation: Operation, bytes: f64) -> Fact {
        let cost = self.of(operation);
        let rtt = match operation {
            Operation::RedisGet | Operation::RedisSet => &self.redis_rtt_us,
            _ => &self.database_rtt_us,
        };
        let mut fact = cost.at(bytes);
        fact.value += cost.round_trips * rtt.value;
        fact.low += cost.round_trips * rtt.low;
        fact.high += cost.round_trips * rtt.high;
        // Beyond the sizes that were measured it is the network that counts (F11).
        let beyond = if operation.is_remote() { (bytes - cost.known_to()).max(0.0) } else { 0.0 };
        fact.value += beyond / self.bytes_per_us.value;
        fact.low += beyond / self.bytes_per_us.high;
        fact.high += beyond / self.bytes_per_us.low;
        fact
    }

    pub(super) fn is_sound(&self) -> bool {
        [&self.redis_rtt_us, &self.database_rtt_us, &self.receipt_us].iter().all(|fact| fact.is_sound())
            && self.bytes_per_us.is_sound()
            && self.bytes_per_us.low > 0.0
            && self.table.values().all(|cost| cost.round_trips >= 0.0 && cost.round_trips.is_finite())
    }
}

/// What was measured of an operation. Only single operations on an unloaded store without an added delay are comparable.
fn points(primitives: &[Primitive], (backend, op): (&str, &str)) -> Vec<CostPoint> {
    let is_it = |p: &&Primitive| p.backend == backend && p.op == op && p.tasks == 1 && p.batch == 1 && p.rtt_us == 0.0;
    let point = |p: &Primitive| CostPoint {
        bytes: (p.bytes as f64).max(1.0),
        us: p.median_ns / 1e3,
        low_us: p.ci95[0].min(p.median_ns) / 1e3,
        high_us: p.ci95[1].max(p.median_ns) / 1e3,
    };
    primitives.iter().filter(is_it).map(point).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_have_every_operation() {
        let costs = Costs::shipped();
        for operation in Operation::ALL {
            assert!(costs.of(operation).basis.is_weak());
            let fact = costs.total(operation, 256.0);
            assert!(fact.is_sound());
            // Nobody measured them: what is an order of magnitude has an interval of one.
            if fact.basis == Basis::Assumed {
                let figure = costs.of(operation).at(256.0);
                assert!(
                    figure.low <= figure.value / 3.0 && figure.high >= figure.value * 3.0,
                    "{operation:?}: {figure:?}"
                );
            }
        }
    }

    #[test]
    fn a_size_between_two_lies_between_their_costs() {
        let point = |bytes, us| CostPoint { bytes, us, low_us: us, high_us: us };
        let cost = Cost::new(vec![point(1_024.0, 40.0), point(64.0, 10.0)], Basis::Report, "").unwrap();
        assert_eq!(cost.at(1.0).value, 10.0);
        assert_eq!(cost.at(1e9).value, 40.0);
        assert!((cost.at(256.0).value - 20.0).abs() < 1e-9);
        assert!(Cost::new(Vec::new(), Basis::Report, "").is_none() && Cost::flat(f64::NAN, Basis::Given, "").is_none());
    }

    #[test]
    fn a_report_takes_the_place_of_defaults_as_far_as_it_goes() {
        let primitive = |backend: &str, op: &str, median_ns: f64| Primitive {
            backend: backend.to_owned(),
            op: op.to_owned(),
            bytes: 256,
            tasks: 1,
            batch: 1,
            rtt_us: 0.0,
            median_ns,
            ci95: [median_ns * 0.9, median_ns * 1.1],
        };
        let mut loaded = primitive("redis-tcp", "get", 9e9);
        loaded.tasks = 64;
        let mut costs = Costs::shipped();
        let measured = [primitive("postgres", "get", 80_000.0), primitive("redis-tcp", "get", 50_000.0), loaded];
        costs.take(&measured, Basis::Report, "a report");
        let of = |operation| (costs.of(operation).basis, costs.of(operation).at(256.0).value.round());
        assert_eq!(of(Operation::DatabaseGet), (Basis::Report, 80.0));
        assert_eq!(of(Operation::RedisGet), (Basis::Report, 50.0));
        assert_eq!(of(Operation::UnloggedGet), (Basis::Report, 80.0));
        assert_eq!(of(Operation::SqliteGet).0, Costs::shipped().of(Operation::SqliteGet).basis);
        assert!(costs.of(Operation::UnloggedGet).note.contains("as database_get_us"));
    }

    #[test]
    fn what_is_larger_than_any_measured_takes_the_network_longer() {
        let costs = Costs::shipped();
        let of = |operation, bytes| costs.total(operation, bytes).value;
        let more = of(Operation::RedisGet, 1_048_576.0) - of(Operation::RedisGet, 256.0);
        assert!((more - (1_048_576.0 - 256.0) / 125.0).abs() < 1e-6, "{more}");
        assert_eq!(of(Operation::MokaTypedGet, 1_048_576.0), of(Operation::MokaTypedGet, 256.0));
        // What is said of the values of an application is true of them.
        let said = costs.clone().with_said(Operation::DatabaseGet, Operation::DatabaseGet, 1_100.0);
        assert_eq!(said.total(Operation::DatabaseGet, 1_048_576.0).value, 1_100.0);
    }

    #[test]
    fn round_trips_come_on_top_of_what_was_measured_on_loopback() {
        let mut costs = Costs::shipped();
        costs.redis_rtt_us = Fact::given(1_000.0);
        let without = costs.of(Operation::RedisGet).at(256.0).value;
        assert!((costs.total(Operation::RedisGet, 256.0).value - without - 1_000.0).abs() < 1e-9);
        let flat = Cost::flat(7.0, Basis::Given, "").unwrap();
        assert_eq!(costs.with(Operation::RedisGet, flat).total(Operation::RedisGet, 256.0).value, 7.0);
    }
}
