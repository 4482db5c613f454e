//! Workloads and costs for the tests.

use std::collections::BTreeSet;

use hallway_study::advisor::{
    Advice, Basis, Cost, Costs, Fact, HitCurve, Inputs, Loss, Operation, Purpose, Service, Share, Span, Workload,
    advise,
};
use hallway_study::advisor::{Rate, Size};
use proptest::prelude::*;

/// A machine whose costs are known, so that goldens do not change with the shipped defaults.
pub(crate) fn known_costs() -> Costs {
    let figures = [
        (Operation::DatabaseGet, 1_100.0),
        (Operation::DatabaseSet, 2_000.0),
        (Operation::MokaBytesGet, 0.2),
        (Operation::MokaBytesSet, 0.8),
        (Operation::MokaTypedGet, 0.1),
        (Operation::MokaTypedSet, 0.7),
        (Operation::RedisGet, 350.0),
        (Operation::RedisSet, 360.0),
        (Operation::SqliteGet, 15.0),
        (Operation::SqliteSet, 900.0),
        (Operation::UnloggedGet, 500.0),
        (Operation::UnloggedSet, 600.0),
    ];
    let mut costs = Costs::shipped();
    costs.redis_rtt_us = Fact::given(0.0);
    costs.database_rtt_us = Fact::given(0.0);
    figures.into_iter().fold(costs, |costs, (operation, us)| {
        costs.with(operation, Cost::flat(us, Basis::Given, "").unwrap().with_tail(3.0, true))
    })
}

/// What a question needs at least.
pub(crate) fn inputs(purpose: Purpose, instances: u32, reads: f64, writes: f64, stale_ms: f64) -> Inputs {
    let mut inputs = Inputs::default();
    inputs.purpose = Some(purpose);
    inputs.instances = Some(instances);
    inputs.reads = Some(Rate(reads));
    inputs.writes = Some(Rate(writes));
    inputs.stale = Some(Span(stale_ms * 1e3));
    inputs
}

pub(crate) fn ask(inputs: &Inputs) -> Advice {
    advise(&inputs.workload(None).unwrap(), &known_costs()).unwrap()
}

/// Any workload that makes sense.
pub(crate) fn workloads() -> impl Strategy<Value = Workload> {
    let log = |low: f64, high: f64| (low.ln()..high.ln()).prop_map(f64::exp);
    let or_zero = move |low, high| prop_oneof![1 => Just(0.0), 5 => log(low, high)];
    let purpose = prop_oneof![Just(Purpose::Cache), Just(Purpose::Session), Just(Purpose::State)];
    let loss = prop_oneof![Just(Loss::None), Just(Loss::Seconds), Just(Loss::All)];
    let service = prop_oneof![Just(Service::Postgres), Just(Service::Redis), Just(Service::Sqlite)];
    let demand = (purpose, 1..100_u32, log(0.1, 1e5), or_zero(0.01, 1e5), or_zero(1.0, 1e6), log(1e-4, 1.0));
    let shape = (log(1.0, 1e6), log(1.0, 1e8), log(1e4, 1e11), log(10.0, 1e6), log(10.0, 1e6));
    let rest = (loss, proptest::collection::btree_set(service, 0..3), any::<bool>(), any::<bool>());
    (demand, shape, rest).prop_map(|(demand, shape, (loss, running, one_curve, said))| {
        let (purpose, instances, reads, writes, stale_ms, stale_share) = demand;
        let (bytes, keys, memory, database, redis) = shape;
        let mut inputs = inputs(purpose, instances, reads, writes, stale_ms);
        inputs.stale_share = Some(Share(stale_share));
        inputs.loss = Some(loss);
        inputs.bytes = Some(Size(bytes));
        inputs.keys = Some(hallway_study::advisor::Keys::Count(keys));
        inputs.memory = Some(Size(memory));
        // SQLite has a capacity of its own until somebody says one.
        inputs.db_capacity = said.then_some(Rate(database));
        inputs.redis_capacity = Some(Rate(redis));
        inputs.has = Some(running.into_iter().collect::<BTreeSet<_>>().into_iter().collect());
        let mut workload = inputs.workload(None).unwrap();
        if one_curve {
            (workload.curve, workload.other_curve) = (HitCurve::web12(), None);
        }
        workload
    })
}

/// Any costs that make sense.
pub(crate) fn costs() -> impl Strategy<Value = Costs> {
    let log = |low: f64, high: f64| (low.ln()..high.ln()).prop_map(f64::exp);
    let local = (log(0.01, 2.0), log(0.1, 5.0));
    let sqlite = (log(3.0, 200.0), log(20.0, 2e4));
    let redis = (log(20.0, 3_000.0), log(20.0, 3_000.0), log(1.0, 5_000.0));
    let database = (log(30.0, 1e5), log(100.0, 1e5), log(30.0, 5e3), log(50.0, 1e4));
    // What was said of a database is true of any, what was measured is not.
    let basis = prop_oneof![Just(Basis::Given), Just(Basis::Measured), Just(Basis::Report), Just(Basis::Assumed)];
    let tail = (1.0..6.0_f64, any::<bool>());
    (local, sqlite, redis, database, tail, basis).prop_map(
        |(local, sqlite, redis, database, (tail, is_known), basis)| {
            let figures = [
                (Operation::DatabaseGet, database.0),
                (Operation::DatabaseSet, database.1),
                (Operation::MokaBytesGet, local.0),
                (Operation::MokaBytesSet, local.1),
                (Operation::MokaTypedGet, local.0),
                (Operation::MokaTypedSet, local.1),
                (Operation::SqliteGet, sqlite.0),
                (Operation::SqliteSet, sqlite.1),
                (Operation::UnloggedGet, database.2),
                (Operation::UnloggedSet, database.3),
            ];
            let mut costs = Costs::shipped();
            costs.redis_rtt_us = Fact::given(redis.2);
            costs.database_rtt_us = Fact::given(0.0);
            for (operation, us) in figures {
                costs = costs.with(operation, Cost::flat(us, basis, "").unwrap().with_tail(tail, is_known));
            }
            for (operation, us) in [(Operation::RedisGet, redis.0), (Operation::RedisSet, redis.1)] {
                let cost = Cost::flat(us, basis, "").unwrap().with_tail(tail, is_known);
                costs = costs.with(operation, cost.with_round_trips(1.0));
            }
            costs
        },
    )
}

/// The ways of a workload with SQLite are among what is drawn: both with costs that were said, and with its own.
#[test]
fn what_is_drawn_reaches_sqlite() {
    use proptest::strategy::ValueTree as _;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut seen = BTreeSet::new();
    for _ in 0..400 {
        let workload = workloads().new_tree(&mut runner).unwrap().current();
        let costs = costs().new_tree(&mut runner).unwrap().current();
        let has = |service| workload.running.contains(&service);
        if workload.purpose == Purpose::Cache && has(Service::Sqlite) && !has(Service::Postgres) {
            let is_said = costs.of(Operation::DatabaseGet).basis == Basis::Given;
            seen.insert((is_said, workload.database_capacity_per_s.basis == Basis::Given));
        }
    }
    assert_eq!(seen.len(), 4, "{seen:?}");
}
