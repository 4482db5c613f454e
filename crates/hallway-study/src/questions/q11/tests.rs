//! The answer to Q11 from a study made by hand.

use super::*;
use crate::report::{Status, Verdict};
use crate::study::Sample;

/// A batch costs this at zero and for each key, in microseconds.
fn sample(backends: &[Backend], lines: &[(&str, f64, f64)]) -> Sample {
    let mut sample = Sample::of(backends);
    for (series, at_zero, per_key) in lines {
        for keys in [1.0, 4.0, 16.0, 64.0, 256.0] {
            sample.put(GROUP, series, keys, (at_zero + per_key * keys) * 1e3);
        }
    }
    sample
}

#[test]
fn chatty_reads_lose_to_one_query_after_a_few_keys() {
    let sample = sample(
        &[Backend::RedisTcp, Backend::Postgres, Backend::Sqlite],
        &[
            ("redis-sequential", 0.0, 60.0),
            ("redis-joined", 60.0, 4.0),
            ("redis-many", 60.0, 1.0),
            ("postgres-many", 200.0, 2.0),
            ("sqlite-sequential", 0.0, 20.0),
            ("sqlite-many", 20.0, 2.0),
        ],
    );
    let findings = Batches.answer(&sample.found()).unwrap();
    assert_eq!(findings.answer.status, Status::Answered);
    let [chatty, many, joined, sqlite] = &findings.crossovers[..] else { panic!("{:?}", findings.crossovers) };
    assert_eq!(chatty.id, "Q11/get/redis-sequential/postgres-many");
    assert_eq!((chatty.verdict, chatty.metric.as_str()), (Verdict::Crossover, "median_ns"));
    // 60 k = 200 + 2 k.
    let (exact, point) = (200.0 / 58.0, &chatty.points[0]);
    assert!((point.x / exact - 1.0).abs() < 0.1, "{point:?}");
    assert_eq!(point.right, "postgres-many");
    let check = chatty.cross_check.as_ref().and_then(|check| check.x).unwrap();
    assert!((check / exact - 1.0).abs() < 1e-6, "{check}");
    assert_eq!((many.winner.as_deref(), joined.winner.as_deref()), (Some("redis-many"), Some("redis-many")));
    assert_eq!(sqlite.points[0].right, "sqlite-many");
    // (200 + 2 * 256) / 60.
    let worth = &findings.answer.rules[0];
    assert!(
        worth.starts_with("12 sequential gets of Redis [") && worth.contains("postgres-many for 256 keys"),
        "{worth}"
    );
}

#[test]
fn without_servers_one_file_is_asked_both_ways_and_the_remedy_is_told() {
    let lines = [("sqlite-sequential", 0.0, 20.0), ("sqlite-many", 20.0, 2.0)];
    let findings = Batches.answer(&sample(&[Backend::Sqlite], &lines).found()).unwrap();
    assert_eq!(findings.crossovers.len(), 1);
    assert_eq!(findings.answer.status, Status::Partly);
    assert!(findings.answer.rules.iter().all(|rule| !rule.contains("gets of Redis")), "{:?}", findings.answer.rules);
    assert_eq!(findings.not_measured.len(), 2);
    assert!(findings.not_measured.iter().all(|one| one.why.contains("--start")), "{:?}", findings.not_measured);
}
