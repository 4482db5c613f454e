//! The answer to Q16 from a study made by hand.

use super::*;
use crate::report::{Status, Verdict};
use crate::study::Sample;

#[test]
fn the_rate_is_f14_and_the_crowd_is_told() {
    let mut sample = Sample::of(&[Backend::MokaBytes, Backend::Postgres]);
    sample.put(GET, "postgres", 256.0, 200e3);
    for (tasks, single, plain) in [(1.0, 210e3, 200e3), (8.0, 220e3, 600e3), (64.0, 260e3, 4e6)] {
        sample.put(GROUP, "single-flight", tasks, single).put(GROUP, "look-load-set", tasks, plain);
    }
    let one = |way: Way, tasks, loads, p99_ns| Bursts {
        way: way.name().to_owned(),
        loader_ms: 10,
        tasks,
        bursts: 3,
        loads,
        p50_ns: p99_ns,
        p99_ns,
    };
    let bursts = [
        one(Way::SingleFlight, 8, 3, 11_000_000),
        one(Way::Plain, 8, 24, 22_000_000),
        one(Way::SingleFlight, 64, 3, 11_000_000),
        one(Way::Plain, 64, 192, 176_000_000),
    ];
    sample.run("Q16", BURSTS, serde_json::to_value(bursts).unwrap());
    let arrivals =
        Arrivals { way: Way::Plain.name().to_owned(), per_second: 200.0, load_ns: 10e6, expired: 50, loads: 150 };
    sample.run("Q16", ARRIVALS, serde_json::to_value([arrivals]).unwrap());
    let findings = SingleFlight.answer(&sample.found()).unwrap();

    assert_eq!(findings.answer.status, Status::Answered);
    let rules = &findings.answer.rules;
    assert!(rules[0].starts_with("Single flight is needed from 5 k reads/s of one key ["), "{rules:?}");
    let crossover = &findings.crossovers[0];
    assert_eq!(crossover.id, "Q16/burst/single-flight/look-load-set");
    assert_eq!((crossover.verdict, crossover.points[0].right.as_str()), (Verdict::Crossover, "single-flight"));
    assert_eq!(
        rules[2],
        "64 readers at once, a load of 10 ms, 4 at a time: 64 loads and a p99 of 176 ms without single flight, 1 and 11 ms with it."
    );
    let chance = findings.answer.tables.last().unwrap();
    assert_eq!(chance.rows, [["200/s", "10 ms", "look-load-set", "3", "3"]]);
}

#[test]
fn without_servers_the_database_is_a_file() {
    let mut sample = Sample::of(&[Backend::MokaBytes, Backend::Sqlite]);
    sample.put(GET, "sqlite", 256.0, 20e3);
    let findings = SingleFlight.answer(&sample.found()).unwrap();
    assert!(findings.answer.rules[0].contains("from 50 k reads/s"), "{:?}", findings.answer.rules);
    assert_eq!(findings.answer.status, Status::Partly);
    assert!(findings.not_measured[0].why.contains("--start"));
}
