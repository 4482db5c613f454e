//! What an advice rests on: every number that its predictions were made of.

use std::collections::BTreeSet;

use super::advice::NamedFact;
use super::architecture::Architecture;
use super::costs::{Costs, Operation};
use super::fact::{Basis, Fact};
use super::hits::{LINKED_TTL_S, LONGEST_TTL_S};
use super::load::USABLE;
use super::model::operations;
use super::predict::Prediction;
use super::semantics::OVERHEAD;
use super::workload::{Purpose, Workload};

pub(super) fn basis(
    workload: &Workload,
    costs: &Costs,
    choice: &Prediction,
    runner_up: Option<&Prediction>,
) -> Vec<NamedFact> {
    let mut basis = asked(workload);
    basis.extend(copies(workload, choice, runner_up));
    basis.extend(machines(workload, costs, choice, runner_up));
    basis
}

fn named(name: &'static str, fact: Fact) -> NamedFact {
    NamedFact { name, fact }
}

/// What was asked.
fn asked(workload: &Workload) -> Vec<NamedFact> {
    let mut asked = vec![
        named("instances", Fact::given(f64::from(workload.instances))),
        named("reads_per_s", Fact::given(workload.reads_per_s)),
        named("writes_per_s", Fact::given(workload.writes_per_s)),
        named("value_bytes", workload.bytes.clone()),
        named("keys", workload.keys.clone()),
    ];
    asked.push(if workload.purpose == Purpose::Session {
        named("idle_s", workload.idle_s.clone())
    } else {
        named("stale_ms", Fact::given(workload.stale_ms))
    });
    asked
}

/// How often copies hit.
fn copies(workload: &Workload, choice: &Prediction, runner_up: Option<&Prediction>) -> Vec<NamedFact> {
    let of = |test: fn(Architecture) -> bool| {
        test(choice.architecture) || runner_up.is_some_and(|runner_up| test(runner_up.architecture))
    };
    let mut copies = Vec::new();
    if of(Architecture::has_copies) {
        let shown = runner_up.filter(|_| !choice.architecture.has_copies()).unwrap_or(choice);
        let [low, high] = shown.total_hit_interval;
        let (value, basis, note) = (shown.total_hit_ratio, workload.curve.basis, workload.curve.note.clone());
        copies.push(named("total_hit_ratio", Fact { value, low, high, basis, note }));
    }
    if of(Architecture::has_local_copies) && workload.is_shared() {
        copies.push(named("stale_share", workload.stale_share.clone()));
    }
    if of(|a| a.has_redis() && a.has_database()) || (of(|a| a == Architecture::LocalDatabase) && !workload.is_shared())
    {
        let note = "the life of copies that are ended by writes: the default of hallway";
        copies.push(named("copy_ttl_s", Fact::assumed(LONGEST_TTL_S, note)));
    }
    if of(|a| a.has_bus() && a.has_local_copies()) {
        copies.push(named("local_ttl_s", Fact::assumed(LINKED_TTL_S, "the same before Redis")));
    }
    let has_local = of(|a| a.has_local_copies() || a == Architecture::Local);
    if has_local {
        copies.push(named("memory_bytes", workload.memory_bytes.clone()));
    }
    let redis_memory = workload.redis_memory_bytes.clone().filter(|_| of(Architecture::has_redis));
    if has_local || redis_memory.is_some() {
        copies.push(named("entry_overhead_bytes", Fact::assumed(OVERHEAD, "what an entry takes beyond its value")));
    }
    copies.extend(redis_memory.map(|fact| named("redis_memory_bytes", fact)));
    copies
}

/// What operations cost, and what servers take.
fn machines(workload: &Workload, costs: &Costs, choice: &Prediction, runner_up: Option<&Prediction>) -> Vec<NamedFact> {
    let shown = || std::iter::once(choice).chain(runner_up);
    let used: BTreeSet<Operation> = shown().flat_map(|of| operations(of.architecture, workload, costs)).collect();
    let mut machines = Vec::new();
    let size = workload.bytes.value;
    machines.extend(used.iter().map(|operation| named(operation.name(), costs.total(*operation, size))));
    machines.extend((!used.is_empty()).then(|| named("slow_calls", slow_calls(costs, &used))));
    let is_redis = |operation: &&Operation| matches!(operation, Operation::RedisGet | Operation::RedisSet);
    let crosses = |operation: &&Operation| costs.of(**operation).round_trips > 0.0;
    if used.iter().any(|operation| is_redis(&operation)) {
        machines.push(named("redis_rtt_us", costs.redis_rtt_us.clone()));
    }
    if used.iter().any(|operation| !is_redis(&operation) && crosses(&operation)) {
        machines.push(named("database_rtt_us", costs.database_rtt_us.clone()));
    }
    if used.iter().any(|operation| operation.is_remote() && costs.of(*operation).known_to() < size) {
        machines.push(named("bytes_per_us", costs.bytes_per_us.clone()));
    }
    if shown().any(|of| of.architecture.hears_of_writes()) && workload.is_shared() {
        machines.push(named("receipt_us", costs.receipt_us.clone()));
    }
    for (server, name, fact) in [
        ("database", "database_capacity_per_s", &workload.database_capacity_per_s),
        ("redis", "redis_capacity_per_s", &workload.redis_capacity_per_s),
    ] {
        let mut loads = shown().flat_map(|of| &of.loads).filter(|load| load.server == server);
        if let Some(load) = loads.next() {
            // What SQLite can take is worked out from its costs, unless it was said.
            let is_worked_out = load.capacity_per_s != fact.value;
            let note = if is_worked_out { "SQLite, one request after the other; --db-capacity" } else { &fact.note };
            machines.push(named(name, Fact::exact(load.capacity_per_s, load.basis, note)));
        }
    }
    if shown().any(|of| !of.loads.is_empty()) {
        machines.push(named("usable_share", Fact::assumed(USABLE, "of what a server can take")));
    }
    machines
}

/// How far slow calls are from usual ones, over all operations that are used.
fn slow_calls(costs: &Costs, used: &BTreeSet<Operation>) -> Fact {
    let tails = || used.iter().map(|operation| costs.of(*operation).tail);
    let (low, high) = (tails().fold(f64::INFINITY, f64::min), tails().fold(1.0, f64::max));
    let is_known = used.iter().all(|operation| costs.of(*operation).is_tail_known);
    let basis = if is_known { Basis::Measured } else { Basis::Assumed };
    Fact { value: high, low, high, basis, note: "the 99th percentile over the median; --calibrate".to_owned() }
}
