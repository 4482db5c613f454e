//! The answer to Q4 from a study made by hand.

use super::*;
use crate::report::Status;
use crate::study::Sample;

const REDIS: [(Backend, f64, f64); 3] =
    [(Backend::MokaBytes, 1e2, 2e2), (Backend::RedisTcp, 50e3, 60e3), (Backend::Postgres, 300e3, 900e3)];
const NONE: [(Backend, f64, f64); 2] = [(Backend::MokaBytes, 1e2, 2e2), (Backend::Sqlite, 30e3, 900e3)];

fn sample(costs: &[(Backend, f64, f64)]) -> Sample {
    let backends: Vec<Backend> = costs.iter().map(|(backend, ..)| *backend).collect();
    let mut sample = Sample::of(&backends);
    for (backend, get, set) in costs {
        sample.put(GET, backend.name(), 256.0, *get).put(SET, backend.name(), 256.0, *set);
    }
    // What the formulas say is what is measured.
    let parts = Costs::of(&sample.found()).unwrap().middle();
    for tiers in Tiers::present(backends.contains(&Backend::RedisTcp)) {
        for reads in [1.0, 9.0, 99.0] {
            sample.put(GROUP, tiers.name(), reads, tiers.mean(reads, &parts));
        }
    }
    sample
}

#[test]
fn the_crossing_is_told_as_something_to_do() {
    let sample = sample(&REDIS);
    let findings = CopiesWithWrites.answer(&sample.found()).unwrap();
    assert_eq!(findings.answer.status, Status::Answered);
    let ids: Vec<&str> = findings.crossovers.iter().map(|crossover| crossover.id.as_str()).collect();
    assert_eq!(
        ids,
        [
            "Q4/request/database/shared-copies",
            "Q4/request/database/local+shared-copies",
            "Q4/request/shared-copies/local+shared-copies"
        ]
    );
    let shared = &findings.crossovers[0];
    assert_eq!(shared.verdict, Verdict::Crossover, "{shared:?}");
    let exact = least_reads_per_write(Tiers::Shared, &Costs::of(&sample.found()).unwrap().middle()).unwrap();
    let factor = shared.points[0].x / exact;
    assert!((0.7..1.4).contains(&factor), "interpolated between a few points: {factor}");
    assert!(
        findings.answer.rules[0].starts_with("Stop keeping shared copies below ")
            && findings.answer.rules[0].contains("reads per write ["),
        "{:?}",
        findings.answer.rules
    );
    assert_eq!(findings.validation.len(), 3);
    assert!(findings.validation.iter().all(|one| (one.ratio - 1.0).abs() < 1e-9), "{:?}", findings.validation);
}

#[test]
fn without_servers_local_copies_stand_in_front_of_sqlite() {
    let mut sample = sample(&NONE);
    let quantiles = crate::load::Quantiles { p50_ns: 1, p90_ns: 2, p99_ns: 3_000, p999_ns: 4 };
    let tail = Tail { requests: 1_000, reads: 900, hits: 810, expected_hits: 810, mean_ns: 1.0, all: quantiles };
    sample.run("Q4", "local-copies", serde_json::to_value(tail).unwrap());
    let findings = CopiesWithWrites.answer(&sample.found()).unwrap();
    assert_eq!(findings.answer.status, Status::Partly);
    assert_eq!(findings.crossovers.len(), 1);
    assert_eq!(findings.crossovers[0].winner.as_deref(), Some("local-copies"));
    let tails = findings.answer.tables.last().unwrap();
    assert_eq!(tails.rows, [["local-copies", "0.900 (formula 0.900)", "10 %", "1 ns", "3 us"]]);
    assert!(findings.not_measured.iter().all(|one| one.why.contains("--start")));
}
