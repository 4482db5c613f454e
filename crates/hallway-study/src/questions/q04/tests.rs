//! The answer to Q4 from a study made by hand.

use super::*;
use crate::formulas::break_even_hit_ratio_with_writes;
use crate::report::Status;
use crate::study::{GET, Part, SET, Sample, TIERS};

const ALL: [Backend; 4] = [Backend::MokaBytes, Backend::Sqlite, Backend::RedisTcp, Backend::Postgres];
const NONE: [Backend; 2] = [Backend::MokaBytes, Backend::Sqlite];

/// A look into Redis costs 50 us, its fill 120 us, what a write does to its copy 110 us; PostgreSQL 300 and 900 us.
fn costs(backends: &[Backend]) -> Sample {
    let mut sample = Sample::of(backends);
    let mut part = |part: Part, micros: f64| _ = sample.put(TIERS, part.name(), 256.0, micros * 1e3);
    part(Part::LocalHit, 0.1);
    part(Part::LocalFill, 0.1 + 30.0 + 0.4);
    part(Part::LocalWrite, 901.0);
    if backends.contains(&Backend::RedisTcp) {
        part(Part::SharedHit, 50.0);
        part(Part::SharedFill, 50.0 + 300.0 + 120.0);
        part(Part::SharedWrite, 1_010.0);
    }
    for (backend, get, set) in [(Backend::Sqlite, 30e3, 900e3), (Backend::Postgres, 300e3, 900e3)] {
        if backends.contains(&backend) {
            sample.put(GET, backend.name(), 256.0, get).put(SET, backend.name(), 256.0, set);
        }
    }
    sample
}

fn chain(sample: &Sample) -> Chain {
    let found = sample.found();
    found.chain(found.database()).unwrap()
}

fn mean(tiers: Tiers, reads: f64, chain: &Chain) -> f64 {
    tiers.mean(reads, chain, &(0..chain.rounds()).collect::<Vec<_>>())
}

fn sample(backends: &[Backend]) -> Sample {
    let mut sample = costs(backends);
    // What the formulas say is what is measured.
    let chain = chain(&sample);
    for tiers in Tiers::present(backends.contains(&Backend::RedisTcp)) {
        for reads in [1.0, 9.0, 99.0] {
            sample.put(GROUP, tiers.name(), reads, mean(tiers, reads, &chain));
        }
    }
    sample
}

#[test]
fn the_means_by_hand() {
    let chain = chain(&costs(&ALL));
    // Every second request reads, and half of the reads hit.
    for (tiers, micros) in [
        (Tiers::Database, 0.5 * 300.0 + 0.5 * 900.0),
        (Tiers::Shared, 0.5 * (50.0 + 0.5 * 420.0) + 0.5 * 1_010.0),
        // A quarter was read twice since the last write, another once.
        (Tiers::Both, 0.5 * (0.1 + 0.75 * 0.4 + 0.25 * 50.0 + 0.5 * 470.0) + 0.5 * 1_010.0),
    ] {
        let mean = mean(tiers, 1.0, &chain);
        assert!((mean - micros * 1e3).abs() < 1.0, "{tiers:?}: {mean}");
    }
    let reads = mean(Tiers::Both, f64::INFINITY, &chain);
    assert!((reads - 100.0).abs() < 1e-6, "nothing but local hits: {reads}");
}

#[test]
fn the_fewest_reads_per_write_are_where_f2_meets_f7() {
    let least = least_reads_per_write(Tiers::Shared, &chain(&costs(&ALL))).unwrap();
    let reads = read_share(least);
    let hit_ratio = break_even_hit_ratio_with_writes(50.0, 120.0, 300.0, 110.0, reads);
    assert!((hit_ratio - reads).abs() < 1e-6, "{least}: {hit_ratio} {reads}");
    let mut slow = costs(&ALL);
    slow.put(TIERS, Part::SharedHit.name(), 256.0, 500e3).put(TIERS, Part::SharedFill.name(), 256.0, 920e3);
    assert_eq!(least_reads_per_write(Tiers::Shared, &chain(&slow)), None);
}

#[test]
fn the_crossing_is_told_as_something_to_do() {
    let sample = sample(&ALL);
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
    let exact = least_reads_per_write(Tiers::Shared, &chain(&sample)).unwrap();
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
