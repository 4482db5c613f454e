//! The answer to Q3 from a study made by hand.

use super::replay::Replayed;
use super::*;
use crate::report::{Status, Verdict};
use crate::study::Sample;

/// A look costs 50 us, a fill 60 us, the database 40, 200 and 1,000 us.
fn sample(backends: &[Backend], cache: Backend) -> Sample {
    let mut sample = Sample::of(backends);
    sample.put(GET, cache.name(), 256.0, 50e3);
    for (work, nanos) in Work::ALL.into_iter().zip([40e3, 200e3, 1e6]) {
        sample.put(GROUP, work.name(), work.rows(), nanos);
        sample.put(MISS, work.name(), work.rows(), 50e3 + nanos + 60e3);
    }
    sample
}

#[test]
fn the_border_is_f1_and_each_work_has_its_sentence() {
    let mut sample = sample(&Backend::ALL, Backend::RedisTcp);
    let ratios = vec![Replayed { hit_ratio: 0.9, requests: 1_000, hits: 900, mean_ns: 95e3 }];
    let replay = Replay { ratios, hit_ns: 40e3, miss_ns: 200e3, read_ns: 100e3 };
    sample.run("Q3", REPLAY, serde_json::to_value(replay).unwrap());
    let findings = CachePays.answer(&sample.found()).unwrap();

    assert_eq!(findings.answer.status, Status::Answered);
    let [key, join, aggregate] = &findings.crossovers[..] else { panic!("{:?}", findings.crossovers) };
    assert_eq!(key.id, "Q3/primary-key/postgres/redis-tcp+postgres");
    assert_eq!(key.verdict, Verdict::NoCrossover);
    assert!(key.rule.contains("never pays"), "{}", key.rule);
    for (crossover, exact) in [(join, 110.0 / 260.0), (aggregate, 110.0 / 1_060.0)] {
        assert_eq!(crossover.verdict, Verdict::Crossover);
        assert!((crossover.points[0].x - exact).abs() < 0.003, "{crossover:?}");
        assert_eq!(crossover.points[0].right, "redis-tcp+postgres");
        assert_eq!(crossover.metric, "mean_ns");
        let check = crossover.cross_check.as_ref().and_then(|check| check.x).unwrap();
        assert!((check - exact).abs() < 1e-6, "the mean is a straight line: {check}");
    }
    assert!(
        join.rule
            .starts_with("A redis-tcp cache over a join of five rows of postgres pays above a hit ratio of 0.423 ["),
        "{}",
        join.rule
    );
    // By the rounds 50 + 0.1 * (200 + 60), by what was timed beside it 40 + 0.1 * (100 + 60).
    let predicted = [&findings.validation[0], &findings.validation[1]].map(|one| (one.predicted_ns, one.ratio));
    assert_eq!(predicted, [(76e3, 0.8), (56e3, 56.0 / 95.0)]);
}

#[test]
fn without_servers_a_local_cache_stands_in_and_the_remedy_is_told() {
    let sample = sample(&[Backend::MokaBytes, Backend::Sqlite], Backend::MokaBytes);
    let findings = CachePays.answer(&sample.found()).unwrap();
    assert_eq!(findings.answer.status, Status::Partly);
    assert_eq!(findings.crossovers[1].id, "Q3/join/sqlite/moka-bytes+sqlite");
    assert!(findings.not_measured.iter().all(|one| one.why.contains("--start")), "{:?}", findings.not_measured);
    assert_eq!(findings.not_measured.len(), 2);
}

#[test]
fn the_map_divides_at_the_border() {
    let sample = sample(&Backend::ALL, Backend::RedisTcp);
    let found = sample.found();
    let costs = Costs::of(&found, Backend::RedisTcp, Work::Join).unwrap();
    let figure = map(Backend::RedisTcp, Backend::Postgres, &costs, &found);
    assert!(figure.caption.contains("a join of five rows 200 us"), "{}", figure.caption);
    let Chart::HeatMap(map) = figure.chart else { panic!() };
    for (ratio, row) in map.ys.iter().zip(&map.cells) {
        for (read, cell) in map.xs.iter().zip(row) {
            let pays = *ratio > break_even_hit_ratio(50e3, 60e3, *read);
            assert_eq!(cell.unwrap() < 1.0, pays, "{ratio} {read}");
        }
    }
    assert!(!map.curve.is_empty() && map.curve.iter().all(|spot| (0.0..=1.0).contains(&spot.y)));
}

#[test]
fn nothing_measured_is_no_answer_and_no_error() {
    let findings = CachePays.answer(&Sample::of(&Backend::ALL).found()).unwrap();
    assert!(
        findings.answer.rules.is_empty() && findings.answer.figures.is_empty() && findings.answer.tables.is_empty()
    );
}
