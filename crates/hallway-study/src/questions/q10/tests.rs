//! The answer to Q10 from a study made by hand.

use super::*;
use crate::load::{OpenLoop, Quantiles};
use crate::report::{Status, Verdict};
use crate::study::Sample;

/// What an open loop might have found at a rate.
pub(super) fn cell(rate: f64, void: Option<&str>) -> OpenLoop {
    let quantiles = Quantiles { p50_ns: 100_000, p90_ns: 150_000, p99_ns: 300_000, p999_ns: 500_000 };
    OpenLoop {
        offered_per_second: rate,
        achieved_per_second: rate,
        service: quantiles,
        response: quantiles,
        lag_p99_ns: 1_000,
        void: void.map(str::to_owned),
    }
}

fn offered(backend: Backend, cells: Vec<(f64, OpenLoop)>) -> Value {
    let offered = Offered { backend: backend.name().to_owned(), capacity_per_second: 50_000.0, cells };
    serde_json::to_value(offered).unwrap()
}

/// Costs of one operation by one and by 64 tasks, in microseconds; between them a straight line on paper of logarithms.
fn sample(costs: &[(Backend, f64, f64)]) -> Sample {
    let backends: Vec<Backend> = costs.iter().map(|(backend, ..)| *backend).collect();
    let mut sample = Sample::of(&backends);
    for (backend, one, many) in costs {
        for tasks in [1.0, 8.0, 64.0_f64] {
            let cost = one * (many / one).powf(tasks.log(64.0));
            sample.put("Q10/get", backend.name(), tasks, cost * 1e3);
        }
    }
    sample
}

#[test]
fn a_crossing_by_tasks_is_not_held_against_straight_lines() {
    let sample =
        sample(&[(Backend::Sqlite, 20.0, 20.0), (Backend::RedisTcp, 80.0, 5.0), (Backend::Postgres, 90.0, 45.0)]);
    let findings = Saturation.answer(&sample.found()).unwrap();
    let crossed = findings.crossovers.iter().find(|crossover| crossover.id == "Q10/get/sqlite/redis-tcp").unwrap();
    assert_eq!((crossed.verdict, crossed.metric.as_str()), (Verdict::Crossover, "median_ns"));
    // 80 us fall to 20 us, the square root of the whole fall, at the square root of 64.
    assert!((crossed.points[0].x / 8.0 - 1.0).abs() < 0.01, "{:?}", crossed.points);
    assert_eq!(crossed.cross_check, None);
    assert!(!crossed.rule.contains("straight"), "{}", crossed.rule);
    assert!(
        findings
            .answer
            .rules
            .iter()
            .any(|rule| rule.starts_with("redis-tcp: get reaches nine tenths of its most (200000/s")),
        "{:?}",
        findings.answer.rules
    );
    assert_eq!(findings.answer.status, Status::Answered);
}

#[test]
fn the_largest_valid_rate_has_a_sentence_and_void_ones_are_shown() {
    let mut sample = sample(&[(Backend::Sqlite, 20.0, 20.0)]);
    let cells = vec![(0.85, cell(42_500.0, Some("late"))), (0.07, cell(3_500.0, None)), (0.03, cell(1_500.0, None))];
    sample.run("Q10", "sqlite", offered(Backend::Sqlite, cells));
    let findings = Saturation.answer(&sample.found()).unwrap();
    let expected = "sqlite: offered 3500 reads/s, 7 % of what it can do here, 99 of 100 readers wait at most 300 us.";
    assert!(findings.answer.rules.iter().any(|rule| rule == expected), "{:?}", findings.answer.rules);
    assert_eq!(findings.answer.tables[0].rows.len(), 3);
    assert_eq!(findings.answer.tables[0].rows[0][6], "void: late");
    let figure = findings.answer.figures.iter().find(|figure| figure.name == "q10-open").unwrap();
    let Chart::Lines(lines) = &figure.chart else { panic!("{figure:?}") };
    assert_eq!(lines.series[0].points.iter().map(|spot| spot.x).collect::<Vec<_>>(), [0.03, 0.07]);
}

#[test]
fn a_backend_without_any_valid_rate_is_not_measured_and_says_why() {
    let mut sample =
        sample(&[(Backend::Sqlite, 20.0, 20.0), (Backend::RedisTcp, 80.0, 5.0), (Backend::Postgres, 90.0, 45.0)]);
    let void = |share: f64| (share, cell(50_000.0 * share, Some("the generator was late")));
    sample.run("Q10", "redis-tcp", offered(Backend::RedisTcp, vec![void(0.85), void(0.007)]));
    let findings = Saturation.answer(&sample.found()).unwrap();
    assert_eq!(findings.answer.status, Status::Partly);
    let [lacking] = &findings.not_measured[..] else { panic!("{:?}", findings.not_measured) };
    assert_eq!(lacking.what, "Q10: redis-tcp at a rate");
    assert!(lacking.why.starts_with("even 0.7 % of its capacity was void (the generator was late)"), "{}", lacking.why);
    assert!(findings.answer.figures.iter().all(|figure| figure.name != "q10-open"));
}
