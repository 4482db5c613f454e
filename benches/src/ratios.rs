//! The performance goals, each a ratio of two contenders measured interleaved in one run.

mod goals;
mod interleave;
mod report;

use std::collections::HashMap;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use regex::Regex;
use serde::{Deserialize, Serialize};

pub use self::goals::{Goal, Hit, Kind, Measure, OurWay, goals};
pub use self::interleave::{Rounds, interleave};
pub use self::report::{print_json, print_table};
use crate::{Lanes, Plan, Result, Stage, Store};

/// What became of a goal.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Outcome {
    /// `store/what/concurrency`.
    pub id: String,
    /// Which way is better.
    pub kind: Kind,
    /// The median over the rounds, or nothing after an error.
    pub measured: Option<f64>,
    /// The lowest and the highest round.
    pub spread: Option<[f64; 2]>,
    /// What the median is to reach.
    pub goal: f64,
    /// Whether it does.
    pub met: bool,
    /// Microseconds of processor time per operation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_us: Option<CpuPerOperation>,
    /// The same ratio of the cache's parts without its promises, put together plainly, timed by turns with both.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bare: Option<f64>,
    /// Why nothing was measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// Microseconds of processor time per operation, of this process and of the server, for each contender.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct CpuPerOperation {
    /// hallway: this process, the server.
    pub ours: [f64; 2],
    /// The library beneath: this process, the server.
    pub raw: [f64; 2],
    /// The parts of a cache without its promises: this process, the server.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bare: Option<[f64; 2]>,
}

/// Measures every goal whose id matches, one after the other. `allocations` is the program that counts them.
///
/// What cannot be measured becomes an outcome with an error; the others go on. The goals are those of values of the usual
/// sizes; with others, `value_bytes` says how much of a ratio is a matter of that.
pub async fn measure(
    stage: &mut Stage,
    only: Option<&Regex>,
    value_bytes: Option<usize>,
    allocations: &Path,
) -> Vec<Outcome> {
    let wanted: Vec<_> = goals().into_iter().filter(|goal| only.is_none_or(|only| only.is_match(&goal.id))).collect();
    let mut open: HashMap<Store, std::result::Result<Lanes, String>> = HashMap::new();
    let mut outcomes = Vec::with_capacity(wanted.len());
    for (index, goal) in wanted.iter().enumerate() {
        eprint!("[{}/{}] {} ... ", index + 1, wanted.len(), goal.id);
        let outcome = match &goal.measure {
            Measure::AllocationsPerHit(hit) => outcome(goal, count_allocations(allocations, *hit).map(Measured::count)),
            Measure::Ratio { store, op, concurrency, ours, .. } => {
                if !open.contains_key(store) {
                    // Idle connections and the memory of the stores measured before are none of this one's business.
                    open.clear();
                    let workload = Arc::new(store.workload(value_bytes));
                    let lanes = stage.lanes(*store, &workload).await.map_err(|error| error.to_string());
                    open.insert(*store, lanes);
                }
                match &open[store] {
                    Err(error) => outcome(goal, Err(error.clone().into())),
                    Ok(lanes) => {
                        let plan =
                            Plan { op: *op, concurrency: *concurrency, iterations: 1, latencies: goal.is_percentile() };
                        outcome(goal, ratio(lanes, plan, *ours, goal.kind).await)
                    }
                }
            }
        };
        eprintln!("{}", report::verdict(&outcome));
        outcomes.push(outcome);
    }
    outcomes
}

/// Ratios of all rounds.
struct Measured {
    ratios: Vec<f64>,
    bare: Vec<f64>,
    cpu: Option<CpuPerOperation>,
}

impl Measured {
    fn count(count: f64) -> Self {
        Self { ratios: vec![count], bare: Vec::new(), cpu: None }
    }
}

async fn ratio(lanes: &Lanes, plan: Plan, ours: OurWay, kind: Kind) -> Result<Measured> {
    let (ours, raw) = match ours {
        OurWay::AtOnce => (lanes.at_once.as_ref().ok_or("this store has no hit without waiting")?, lanes.raw(plan.op)),
        OurWay::Dyn => (lanes.ours_dyn.as_ref().ok_or("a cache is no store")?, lanes.raw(plan.op)),
        OurWay::Own => (&lanes.ours, lanes.raw(plan.op)),
    };
    let lanes_in_turn: Vec<_> = [ours, raw].into_iter().chain(&lanes.bare).collect();
    let mut all = interleave(&lanes_in_turn, plan, lanes.server).await.into_iter();
    let mut next = || all.next().ok_or("each lane has a result")?;
    let (ours, raw) = (next()?, next()?);
    let bare = if lanes.bare.is_some() { Some(next()?) } else { None };
    let ratios = |costs: &[f64]| -> Vec<f64> {
        let ratio = |(ours, raw): (&f64, &f64)| match kind {
            Kind::Time => ours / raw,
            Kind::Throughput => raw / ours,
        };
        costs.iter().zip(&raw.costs).map(ratio).collect()
    };
    let micros = |rounds: &Rounds| {
        [rounds.cpu.client, rounds.cpu.server].map(|time| time.as_secs_f64() * 1e6 / rounds.operations as f64)
    };
    let cpu = CpuPerOperation { ours: micros(&ours), raw: micros(&raw), bare: bare.as_ref().map(micros) };
    let bare = bare.map_or_else(Vec::new, |bare| ratios(&bare.costs));
    Ok(Measured { ratios: ratios(&ours.costs), bare, cpu: Some(cpu) })
}

fn outcome(goal: &Goal, measured: Result<Measured>) -> Outcome {
    let empty = Outcome {
        id: goal.id.clone(),
        kind: goal.kind,
        measured: None,
        spread: None,
        goal: goal.target,
        met: false,
        cpu_us: None,
        bare: None,
        error: None,
    };
    match measured {
        Err(error) => Outcome { error: Some(error.to_string()), ..empty },
        Ok(Measured { mut ratios, mut bare, cpu }) => {
            ratios.sort_by(f64::total_cmp);
            bare.sort_by(f64::total_cmp);
            let median = median(&ratios);
            Outcome {
                measured: median,
                spread: ratios.first().zip(ratios.last()).map(|(low, high)| [*low, *high]),
                met: median.is_some_and(|median| goal.is_met_by(median)),
                cpu_us: cpu,
                bare: self::median(&bare),
                ..empty
            }
        }
    }
}

/// The middle of numbers in order.
#[must_use]
pub fn median(sorted: &[f64]) -> Option<f64> {
    let middle = sorted.len() / 2;
    match sorted.len() % 2 {
        1 => Some(sorted[middle]),
        _ => Some((sorted.get(middle.checked_sub(1)?)? + sorted.get(middle)?) / 2.0),
    }
}

/// Runs the program with the counting allocator, which prints allocations per hit.
fn count_allocations(program: &Path, hit: Hit) -> Result<f64> {
    let output = Command::new(program)
        .arg(hit.name())
        .output()
        .map_err(|error| format!("cannot run `{}`: {error}; build with `--bins`", program.display()))?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).trim().into());
    }
    Ok(String::from_utf8(output.stdout)?.trim().parse()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_stands_in_the_middle() {
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[1.0, 2.0, 9.0]), Some(2.0));
        assert_eq!(median(&[1.0, 2.0, 4.0, 9.0]), Some(3.0));
    }

    #[test]
    fn an_error_is_a_goal_not_met_that_says_why() {
        let goal = &goals()[0];
        let outcome = outcome(goal, Err("redis-server is not installed".into()));
        assert!(!outcome.met && outcome.measured.is_none());
        assert_eq!(outcome.error.as_deref(), Some("redis-server is not installed"));
    }
}
