//! Which of the choices that are left: the fewest moving parts among those that are nearly the fastest.

use super::advice::Elimination;
use super::architecture::Architecture;
use super::costs::Costs;
use super::hits::Corner;
use super::load::loads;
use super::model::operations;
use super::predict::{mean_us, p99_us};
use super::semantics::ruled_out;
use super::units::time;
use super::workload::Workload;

/// Means that differ by less are equal: a tenth.
pub const TIE: f64 = 0.10;

/// What a service that does not run yet has to save to be worth running: so many requests in flight, by Little's law
/// the requests per second times the seconds saved on each. A judgement; below it nobody would notice.
pub const WORTH_IN_FLIGHT: f64 = 0.1;

/// What may be chosen with its mean in microseconds, and what may not.
pub(super) fn sort_out(workload: &Workload, costs: &Costs) -> (Vec<(Architecture, f64)>, Vec<Elimination>) {
    let mut feasible = Vec::new();
    let mut eliminated = Vec::new();
    for architecture in Architecture::ALL {
        match why_not(architecture, workload, costs) {
            Some((rule, reason)) => {
                eliminated.push(Elimination { architecture, name: architecture.name(workload), rule, reason });
            }
            None => feasible.push((architecture, mean_us(architecture, workload, costs, Corner::Middle))),
        }
    }
    (feasible, eliminated)
}

fn why_not(architecture: Architecture, workload: &Workload, costs: &Costs) -> Option<(&'static str, String)> {
    ruled_out(architecture, workload, costs)
        .or_else(|| {
            let too_much = loads(architecture, workload, costs).iter().find_map(|load| load.too_much());
            too_much.map(|reason| ("load", reason))
        })
        .or_else(|| {
            let target = workload.p99_target_us?;
            // What is assumed of slow calls may warn, and is not enough to rule out.
            let p99 = p99_us(architecture, workload, &costs.without_assumed_tails());
            let is_known = operations(architecture, workload, costs).iter().all(|of| costs.of(*of).is_tail_known);
            let least = if is_known { "" } else { " at least" };
            (p99 > target).then(|| ("p99", format!("p99 {}{least} misses the target of {}", time(p99), time(target))))
        })
}

/// The choice among what may be chosen, and the one after it. Empty if there is none.
///
/// Services that do not run yet are considered only if they beat everything that needs fewer of them by more than a tie,
/// and by enough for anybody to notice, for each of them.
pub(super) fn rank(feasible: &[(Architecture, f64)], workload: &Workload) -> Vec<Architecture> {
    let parts = |of: &(Architecture, f64)| of.0.moving_parts(workload);
    let in_flight = |us: f64| workload.requests_per_s() * us / 1e6;
    let earns = |one: &&(Architecture, f64)| {
        let services = parts(one).0;
        feasible.iter().filter(|other| parts(other).0 < services).all(|other| {
            let worth = WORTH_IN_FLIGHT * f64::from(services - parts(other).0);
            one.1 * (1.0 + TIE) < other.1 && in_flight(other.1 - one.1) >= worth
        })
    };
    let mut left: Vec<(Architecture, f64)> = feasible.iter().filter(earns).copied().collect();
    let mut ranked = Vec::new();
    while let Some(next) = pick(&left, workload) {
        ranked.push(next);
        left.retain(|one| one.0 != next);
    }
    // What did not earn its keep comes last, the fastest of it first.
    let mut rest: Vec<_> = feasible.iter().filter(|one| !ranked.contains(&one.0)).collect();
    rest.sort_by(|a, b| a.1.total_cmp(&b.1));
    ranked.extend(rest.into_iter().map(|one| one.0));
    ranked
}

fn pick(among: &[(Architecture, f64)], workload: &Workload) -> Option<Architecture> {
    let best = best(among.iter());
    let ties = among.iter().filter(|one| one.1 <= best * (1.0 + TIE));
    ties.min_by(|a, b| {
        let parts = |one: &(Architecture, f64)| one.0.moving_parts(workload);
        parts(a).cmp(&parts(b)).then(a.1.total_cmp(&b.1))
    })
    .map(|one| one.0)
}

fn best<'a>(among: impl Iterator<Item = &'a (Architecture, f64)>) -> f64 {
    among.map(|one| one.1).fold(f64::INFINITY, f64::min)
}

/// The choice alone, without predictions and flip points: for maps of many workloads.
///
/// `None` if nothing fits, or if [`Workload::check`] refuses the workload.
pub fn choose(workload: &Workload, costs: &Costs) -> Option<Architecture> {
    workload.check().ok()?;
    rank(&sort_out(workload, costs).0, workload).first().copied()
}
