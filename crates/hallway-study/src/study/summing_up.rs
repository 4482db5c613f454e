//! From answers to a report: put together, with what is to be read with care.

use super::control::control;
use super::found::Found;
use super::question::Findings;
use super::run::Plan;
use super::{GET, SET, primitives};
use crate::Result;
use crate::lab::{CONTROL_SERIES, SLOWER};
use crate::report::{Environment, NotMeasured, Primitive, Report, SCHEMA, Status};
use crate::statistics::Judge;

/// Above these shares a report warns: of processor time given to others, of load before the start, of noise.
const MOST_STEAL: f64 = 0.02;
const MOST_LOAD: f64 = 0.3;
const MOST_NOISE: f64 = 0.10;

pub(super) fn warnings(report: &Report, load_per_core: f64, found: &Found<'_>) -> Result<Vec<String>> {
    let mut warnings = vec![
        "Client and servers are on one machine and share what it has: ratios and round trips transfer to others, absolute throughput does not."
            .to_owned(),
    ];
    if report.env.steal.is_some_and(|steal| steal > MOST_STEAL) {
        warnings
            .push("The host gave more than 2 % of the processor to others: advisory only; do not publish.".to_owned());
    }
    if load_per_core > MOST_LOAD {
        warnings.push(format!(
            "The machine was busy before the first measurement (load {load_per_core:.2} for each core): advisory only; do not publish."
        ));
    }
    if report.env.noise_floor.is_some_and(|noise| noise > MOST_NOISE) {
        warnings
            .push("One backend measured twice differs by more than 10 %: advisory only; do not publish.".to_owned());
    }
    if let Some(curves) = control(found.measured, CONTROL_SERIES[2])? {
        let slower = Judge::new(found.noise.overall.unwrap_or(0.0), found.depth.seed).judge(&curves).overall;
        // Negative: the side that was not slowed down takes less time.
        if slower.high >= 0.0 {
            warnings.push(format!(
                "A backend that was reported as {:.0} % slower on purpose was not found to be: this study sees no small differences.",
                SLOWER * 100.0
            ));
        }
    }
    Ok(warnings)
}

pub(super) fn assemble(
    plan: &Plan,
    started: &str,
    env: Environment,
    findings: Vec<Findings>,
    found: &Found<'_>,
) -> Report {
    let mut report = Report {
        schema: SCHEMA.to_owned(),
        mode: plan.mode,
        started: started.to_owned(),
        seed: plan.seed,
        rounds: plan.rounds(),
        env,
        slower: None,
        warnings: Vec::new(),
        answers: Vec::new(),
        crossovers: Vec::new(),
        primitives: primitives_of(found),
        wire: found.wire.to_vec(),
        fits: Vec::new(),
        validation: Vec::new(),
        not_measured: found.absent.to_vec(),
    };
    for mut one in findings {
        if one.answer.rules.is_empty() && one.answer.figures.is_empty() && one.answer.tables.is_empty() {
            one.answer.status = Status::NotMeasured;
        }
        report.answers.push(one.answer);
        report.crossovers.extend(one.crossovers);
        report.fits.extend(one.fits);
        report.validation.extend(one.validation);
        report.not_measured.extend(one.not_measured);
    }
    let mut seen: Vec<NotMeasured> = Vec::new();
    report.not_measured.retain(|one| {
        let new = !seen.contains(one);
        seen.push(one.clone());
        new
    });
    report
}

fn primitives_of(found: &Found<'_>) -> Vec<Primitive> {
    let mut primitives = Vec::new();
    for (group, op) in [(GET, "get"), (SET, "set")] {
        for backend in found.backends {
            if let Some(cost) = found.cost(group, backend.name(), primitives::BYTES as f64) {
                primitives.push(Primitive {
                    backend: backend.name().to_owned(),
                    op: op.to_owned(),
                    bytes: primitives::BYTES as u64,
                    tasks: 1,
                    batch: 1,
                    rtt_us: 0.0,
                    median_ns: cost.median,
                    ci95: [cost.low, cost.high],
                });
            }
        }
    }
    primitives
}
