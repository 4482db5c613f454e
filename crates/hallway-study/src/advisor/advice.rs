//! The answer: a choice, why, what comes next, what would change it, and what it rests on.

use serde::Serialize;

use super::architecture::Architecture;
use super::basis::basis;
use super::choose::{TIE, WORTH_IN_FLIGHT, rank, sort_out};
use super::config::hallway_toml;
use super::costs::{Costs, Operation};
use super::fact::Fact;
use super::flips::{Flip, flips};
use super::predict::{Prediction, predict};
use super::refusal::Refusal;
use super::units::{count, digits, percent, time};
use super::warnings::warnings;
use super::workload::Workload;
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
    let is_cache_possible = runner_up.iter().chain(&others).any(|other| other.architecture.has_copies());
    Ok(Advice {
        schema: SCHEMA,
        why: why(workload, costs, &choice, runner_up.iter().chain(&others)),
        warnings: warnings(workload, costs, &choice, &basis),
        flips: flips(workload, costs, choice.architecture),
        hallway_toml: hallway_toml(workload, &choice, is_cache_possible),
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
    if let Some(ttl) = choice.copy_ttl_ms.map(|ms| time(ms * 1e3)) {
        why.push(match choice.stale_share {
            Some(share) => format!(
                "a TTL of {ttl} keeps stale hits at {} (your limit: {})",
                percent(share),
                percent(workload.stale_share.value)
            ),
            None => format!("a TTL of {ttl} ends what a slow fill leaves behind; how often that happens is not known"),
        });
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
        let services = fastest.new_services.saturating_sub(choice.new_services);
        let more = if services > 1 { format!("{services} more services") } else { "one more service".to_owned() };
        let reason = if fastest.mean_us * (1.0 + TIE) >= choice.mean_us {
            "which is no difference, for more to look after".to_owned()
        } else if saved < WORTH_IN_FLIGHT * f64::from(services) {
            format!("{} requests in flight less, which is not worth {more}", digits(saved))
        } else {
            format!("which is no more than a tie with what comes without {more}")
        };
        why.push(format!("{} would be {} faster, {reason}", fastest.name, percent(gain)));
    }
    if why.is_empty() {
        why.push("of what may be chosen, nothing is faster by more than a tenth or has fewer parts".to_owned());
    }
    why
}
