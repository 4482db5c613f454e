//! The answer to Q2 from a study made by hand.

use super::*;
use crate::report::{Status, Verdict};
use crate::study::Sample;

const BACKENDS: [Backend; 3] = [Backend::Sqlite, Backend::RedisTcp, Backend::Postgres];

/// Redis takes 10 us more than its PING, whose wire is 60 us long before anything is added; SQLite in microseconds.
fn put(sample: &mut Sample, group: &str, sqlite: f64) {
    for added in [0.0, 1_000.0, 2_000.0] {
        let ping = 60e3 + added * 1e3;
        sample.put(group, PING, added, ping).put(group, REDIS, added, 10e3 + ping);
        sample.put(group, SQLITE, added, sqlite * 1e3);
    }
}

fn only(findings: &Findings) -> &Crossover {
    assert_eq!(findings.crossovers.len(), 1, "{findings:?}");
    &findings.crossovers[0]
}

#[test]
fn crossings_nearer_and_farther_than_any_ping_are_composed() {
    for (group, sqlite, exact, tolerance) in
        [("Q2/get", 40.0, 30.0, 3.0), ("Q2/set", 3_000.0, 2_990.0, 60.0), ("Q2/set", 500.0, 490.0, 15.0)]
    {
        let mut sample = Sample::of(&BACKENDS);
        put(&mut sample, group, sqlite);
        let findings = EmbeddedOrShared.answer(&sample.found()).unwrap();
        let crossover = only(&findings);
        assert_eq!(crossover.id, format!("{group}/sqlite/redis-tcp"));
        assert_eq!((crossover.verdict, crossover.range), (Verdict::Crossover, [0.0, 5_000.0]));
        let point = &crossover.points[0];
        assert!((point.x - exact).abs() < tolerance, "{point:?}");
        assert_eq!((point.left.as_str(), point.right.as_str()), ("redis-tcp", "sqlite"));
        let check = crossover.cross_check.as_ref().and_then(|check| check.x).unwrap();
        assert!((check / exact - 1.0).abs() < 0.01, "{check}");
        assert!((findings.fits[0].k_rtt.unwrap() - 1.0).abs() < 1e-9, "{:?}", findings.fits);
        assert!((findings.fits[0].a_ns - 10e3).abs() < 1.0, "{:?}", findings.fits);
        assert_eq!(findings.answer.status, Status::Answered);
    }
}

#[test]
fn each_round_is_placed_by_its_own_pings() {
    let mut sample = Sample::of(&BACKENDS);
    // The whole machine was twice as slow in some rounds: Redis over the same PING was not.
    let slow = [1.0, 2.0, 1.0, 2.0, 1.5];
    for added in [0.0, 1_000.0, 2_000.0] {
        let pings = slow.map(|slow| 60e3 * slow + added * 1e3);
        sample.put_rounds("Q2/set", PING, added, pings);
        sample.put_rounds("Q2/set", REDIS, added, pings.map(|ping| 10e3 + ping));
        sample.put_rounds("Q2/set", SQLITE, added, [500e3; 5]);
    }
    let findings = EmbeddedOrShared.answer(&sample.found()).unwrap();
    let [low, high] = only(&findings).points[0].ci95;
    assert!(high - low < 1.0, "the rounds agree: [{low}, {high}]");
}

#[test]
fn pings_that_do_not_increase_fail_nothing() {
    let mut sample = Sample::of(&BACKENDS);
    for (added, ping) in [(0.0, 80e3), (250.0, 75e3), (500.0, 560e3), (1_000.0, 1_060e3), (2_000.0, 2_060e3)] {
        sample.put("Q2/get", PING, added, ping).put("Q2/get", REDIS, added, 10e3 + ping);
        sample.put("Q2/get", SQLITE, added, 500e3);
        // A wire that cannot be told from a longer one.
        sample.put("Q2/set", PING, added, 60e3).put("Q2/set", REDIS, added, 70e3).put("Q2/set", SQLITE, added, 500e3);
    }
    let findings = EmbeddedOrShared.answer(&sample.found()).unwrap();
    assert_eq!(only(&findings).id, "Q2/get/sqlite/redis-tcp");
    assert_eq!(findings.answer.status, Status::Partly);
    assert_eq!(findings.not_measured[0].what, "Q2: set by the round trip");
    assert!(findings.not_measured[0].why.contains("quieter machine"), "{:?}", findings.not_measured);
}

#[test]
fn a_line_below_nothing_is_a_cheap_call_and_no_error() {
    let mut sample = Sample::of(&BACKENDS);
    for added in [0.0, 1_000.0, 2_000.0] {
        let ping = 60e3 + added * 1e3;
        sample.put("Q2/get", PING, added, ping).put("Q2/get", REDIS, added, ping - 5e3);
        sample.put("Q2/get", SQLITE, added, 20e3);
    }
    let findings = EmbeddedOrShared.answer(&sample.found()).unwrap();
    assert!((only(&findings).points[0].x - 25.0).abs() < 5.0, "{:?}", only(&findings).points);
}

#[test]
fn where_no_proxy_can_stand_the_reason_and_the_remedy_are_told() {
    let findings = EmbeddedOrShared.answer(&Sample::of(&BACKENDS).found()).unwrap();
    assert_eq!(findings.not_measured[0].what, "Q2: redis");
    assert!(findings.not_measured[0].why.contains("redis://HOST:PORT"), "{:?}", findings.not_measured);
    let without = EmbeddedOrShared.answer(&Sample::of(&[Backend::Sqlite]).found()).unwrap();
    assert_eq!(without.not_measured.len(), 1);
    assert!(without.not_measured[0].why.contains("no redis here"), "{:?}", without.not_measured);
}
