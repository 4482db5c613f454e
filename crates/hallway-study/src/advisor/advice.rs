//! The answer: a choice, why, what comes next, what would change it, and what it rests on.

use serde::Serialize;

use super::architecture::Architecture;
use super::choose::{TIE, rank, sort_out};
use super::config::hallway_toml;
use super::costs::{Costs, Operation};
use super::fact::{Basis, Fact};
use super::flips::{Flip, flips};
use super::predict::{Prediction, predict};
use super::refusal::Refusal;
use super::units::{count, digits, percent, time};
use super::workload::{Loss, Purpose, Workload};
use crate::formulas::break_even_hit_ratio_with_writes;

/// The schema of this version of the JSON form; changes only add to it.
pub const SCHEMA: &str = "advice/1";

/// What is recommended, and all that it rests on. As JSON its names are stable and carry their units.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Advice {
    /// [`SCHEMA`].
    pub schema: &'static str,
    /// What to choose.
    pub choice: Prediction,
    /// Why, in sentences.
    pub why: Vec<String>,
    /// What comes next.
    pub runner_up: Option<Prediction>,
    /// What else may be chosen, in the order of preference.
    pub others: Vec<Prediction>,
    /// What may not be chosen.
    pub eliminated: Vec<Elimination>,
    /// What would change the choice, the nearest first.
    pub flips: Vec<Flip>,
    /// What the numbers rest on.
    pub basis: Vec<NamedFact>,
    /// What to be careful about.
    pub warnings: Vec<String>,
    /// The configuration, ready to paste.
    pub hallway_toml: String,
}

/// What may not be chosen.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Elimination {
    /// Which.
    pub architecture: Architecture,
    /// Its name with the stores of this workload.
    pub name: String,
    /// `purpose`, `sharing`, `loss`, `staleness`, `memory`, `load` or `p99`.
    pub rule: &'static str,
    /// Why, in a sentence.
    pub reason: String,
}

/// A number that the advice rests on.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct NamedFact {
    /// What it is, with its unit.
    pub name: &'static str,
    /// The number.
    #[serde(flatten)]
    pub fact: Fact,
}

/// Chooses where the state of a workload should live.
///
/// # Errors
/// - [`Refusal::Invalid`] for a number that makes no sense.
/// - [`Refusal::NothingFits`] if everything is ruled out, with each reason.
pub fn advise(workload: &Workload, costs: &Costs) -> Result<Advice, Refusal> {
    workload.check()?;
    if !costs.is_sound() {
        return Err(Refusal::Invalid("costs must be finite, not negative, and within their intervals".to_owned()));
    }
    let (feasible, eliminated) = sort_out(workload, costs);
    let ranked = rank(&feasible, workload);
    let mut predictions = ranked.iter().map(|architecture| predict(*architecture, workload, costs));
    let Some(choice) = predictions.next() else { return Err(Refusal::NothingFits(eliminated)) };
    let runner_up = predictions.next();
    let others: Vec<Prediction> = predictions.collect();
    let basis = basis(workload, costs, &choice, runner_up.as_ref());
    Ok(Advice {
        schema: SCHEMA,
        why: why(workload, costs, &choice, runner_up.iter().chain(&others)),
        warnings: warnings(workload, costs, &choice, &basis),
        flips: flips(workload, costs, choice.architecture),
        hallway_toml: hallway_toml(workload, &choice),
        basis,
        choice,
        runner_up,
        others,
        eliminated,
    })
}

fn why<'a>(
    workload: &Workload,
    costs: &Costs,
    choice: &Prediction,
    others: impl Iterator<Item = &'a Prediction>,
) -> Vec<String> {
    let mut why = Vec::new();
    let architecture = choice.architecture;
    if architecture.has_copies() {
        let reads = workload.reads_per_s;
        let left = reads * (1.0 - choice.total_hit_ratio);
        let behind = if architecture.has_database() { workload.database().name() } else { "Redis" };
        why.push(format!(
            "{} of the reads hit a copy: {behind} is asked {} times a second instead of {}",
            percent(choice.total_hit_ratio),
            count(left),
            count(reads)
        ));
    }
    if let Some(ttl) = choice.copy_ttl_ms {
        why.push(format!(
            "a TTL of {} keeps stale hits at {} (your limit: {})",
            time(ttl * 1e3),
            percent(choice.stale_share),
            percent(workload.stale_share.value)
        ));
    }
    if architecture.has_redis() && architecture.has_database() && !architecture.has_local_copies() {
        let us = |operation| costs.total(operation, workload.bytes.value).value;
        let set = us(Operation::RedisSet);
        let least = break_even_hit_ratio_with_writes(
            us(Operation::RedisGet),
            2.0 * set,
            us(Operation::DatabaseGet),
            2.0 * set,
            1.0 - workload.write_share(),
        );
        if least <= 1.0 {
            why.push(format!("Redis pays above a hit ratio of {}", percent(least)));
        }
    }
    let fastest = others.min_by(|a, b| a.mean_us.total_cmp(&b.mean_us));
    if let Some(fastest) = fastest.filter(|fastest| fastest.mean_us < choice.mean_us) {
        let gain = 1.0 - fastest.mean_us / choice.mean_us;
        let saved = workload.requests_per_s() * (choice.mean_us - fastest.mean_us) / 1e6;
        let reason = if fastest.mean_us * (1.0 + TIE) >= choice.mean_us {
            "which is no difference, for more to look after".to_owned()
        } else {
            format!("{} requests in flight less, which is not worth one more service", digits(saved))
        };
        why.push(format!("{} would be {} faster, {reason}", fastest.name, percent(gain)));
    }
    if why.is_empty() {
        why.push("of what may be chosen, nothing is faster by more than a tenth or has fewer parts".to_owned());
    }
    why
}

fn basis(workload: &Workload, costs: &Costs, choice: &Prediction, runner_up: Option<&Prediction>) -> Vec<NamedFact> {
    let named = |name, fact: Fact| NamedFact { name, fact };
    let of = |test: fn(Architecture) -> bool| {
        test(choice.architecture) || runner_up.is_some_and(|runner_up| test(runner_up.architecture))
    };
    let mut basis = vec![
        named("instances", Fact::given(f64::from(workload.instances))),
        named("reads_per_s", Fact::given(workload.reads_per_s)),
        named("writes_per_s", Fact::given(workload.writes_per_s)),
        named("stale_ms", Fact::given(workload.stale_ms)),
        named("value_bytes", workload.bytes.clone()),
        named("keys", workload.keys.clone()),
    ];
    if of(Architecture::has_copies) {
        basis.push(named("stale_share", workload.stale_share.clone()));
        let shown = runner_up.filter(|_| !choice.architecture.has_copies()).unwrap_or(choice);
        let [low, high] = shown.total_hit_interval;
        let (value, basis_of, note) = (shown.total_hit_ratio, workload.curve.basis, workload.curve.note.clone());
        basis.push(named("total_hit_ratio", Fact { value, low, high, basis: basis_of, note }));
    }
    if of(|a| a.has_local_copies() || a == Architecture::Local) {
        basis.push(named("memory_bytes", workload.memory_bytes.clone()));
        let cache = workload.purpose == Purpose::Cache;
        let get = if cache { Operation::MokaTypedGet } else { Operation::MokaBytesGet };
        basis.push(named(get.name(), costs.total(get, workload.bytes.value)));
    }
    let mut operations = Vec::new();
    if of(|a| a == Architecture::Sqlite) || workload.database() == super::workload::Database::Sqlite {
        operations.extend([Operation::SqliteGet, Operation::SqliteSet]);
    }
    if of(Architecture::has_database) {
        operations.extend([Operation::DatabaseGet, Operation::DatabaseSet]);
        basis.push(named("database_capacity_per_s", workload.database_capacity_per_s.clone()));
    }
    if of(Architecture::has_redis) {
        operations.extend([Operation::RedisGet, Operation::RedisSet]);
        basis.push(named("redis_rtt_us", costs.redis_rtt_us.clone()));
        basis.push(named("redis_capacity_per_s", workload.redis_capacity_per_s.clone()));
        basis.extend(workload.redis_memory_bytes.clone().map(|fact| named("redis_memory_bytes", fact)));
    }
    if of(|a| a == Architecture::UnloggedDatabase) {
        operations.extend([Operation::UnloggedGet, Operation::UnloggedSet]);
    }
    basis.extend(operations.into_iter().map(|op| named(op.name(), costs.total(op, workload.bytes.value))));
    if operations_over_network(costs, of(Architecture::has_database)) {
        basis.push(named("database_rtt_us", costs.database_rtt_us.clone()));
    }
    if of(Architecture::has_bus) && workload.is_shared() {
        basis.push(named("receipt_us", costs.receipt_us.clone()));
    }
    if workload.purpose == Purpose::Session {
        basis.push(named("idle_s", workload.idle_s.clone()));
    }
    basis
}

fn operations_over_network(costs: &Costs, has_database: bool) -> bool {
    has_database && [Operation::DatabaseGet, Operation::DatabaseSet].iter().any(|op| costs.of(*op).round_trips > 0.0)
}

fn warnings(workload: &Workload, costs: &Costs, choice: &Prediction, basis: &[NamedFact]) -> Vec<String> {
    let mut warnings = Vec::new();
    for (weak, what) in [
        (Basis::Assumed, "assumed"),
        (Basis::Shipped, "from another machine, not from yours"),
        (Basis::Preset, "from a public trace, not from your keys"),
    ] {
        let names: Vec<&str> = basis.iter().filter(|fact| fact.fact.basis == weak).map(|fact| fact.name).collect();
        if !names.is_empty() {
            warnings.push(format!("{what}: {}", names.join(", ")));
        }
    }
    if workload.purpose != Purpose::Cache && workload.loss_basis == Basis::Assumed {
        warnings.push(format!("assumed: what may be lost is `{}`; --loss says otherwise", workload.loss));
    }
    let has_tail = Operation::ALL.iter().any(|op| costs.of(*op).is_tail_known);
    if !has_tail {
        warnings.push("p99 is a guess: how far slow calls are from usual ones was not measured".to_owned());
    }
    if workload.instances > workload.curve.most_instances() && choice.architecture.has_local_copies() {
        warnings.push(format!(
            "beyond {} instances local copies hit less than is said here",
            workload.curve.most_instances()
        ));
    }
    let is_truth = matches!(choice.architecture, Architecture::Redis | Architecture::LocalRedis);
    if is_truth && workload.loss != Loss::All {
        warnings.push(
            "Redis loses seconds at most only with `appendonly yes`, and evicts nothing only with `noeviction`"
                .to_owned(),
        );
    }
    if !workload.is_shared() && choice.architecture == Architecture::LocalDatabase {
        warnings.push("local copies are right as long as nobody writes past this process".to_owned());
    }
    warnings
}
