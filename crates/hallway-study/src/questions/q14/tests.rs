//! The answer to Q14 from a study made by hand.

use super::mixed::Mixed;
use super::*;
use crate::report::{Status, Verdict};
use crate::study::Sample;

/// Loads and saves in microseconds.
fn sample(costs: &[(Backend, f64, f64)]) -> Sample {
    let backends: Vec<Backend> = costs.iter().map(|(backend, ..)| *backend).collect();
    let mut sample = Sample::of(&backends);
    for (backend, load, save) in costs {
        for (group, micros) in [(LOAD, *load), (SLIDE, load + 30.0), (SAVE, *save)] {
            sample.put(group, backend.name(), 256.0, micros * 1e3);
        }
    }
    sample
}

fn served(mixed: Mixed) -> Value {
    let rates = |rate: f64| vec![rate; 5];
    let served = Served { mixes: vec![mixed; 2], loads: rates(9_500.0), touches: rates(1e9), saves: rates(500.0) };
    serde_json::to_value(served).unwrap()
}

#[test]
fn a_file_wins_while_few_requests_save() {
    let mut sample = sample(&[
        (Backend::MokaBytes, 1.0, 2.0),
        (Backend::Sqlite, 20.0, 500.0),
        (Backend::RedisTcp, 70.0, 100.0),
        (Backend::Postgres, 120.0, 900.0),
    ]);
    sample.run("Q14", "sqlite", served(Mixed { request_ns: 300e3, load_ns: 30e3, save_ns: 400e3 }));
    let killed = Killed { server: "redis, nothing kept on disk".to_owned(), made: 200, left: 0 };
    sample.run("Q14", KILL_REDIS, serde_json::to_value([killed]).unwrap());
    let findings = SessionsBelong.answer(&sample.found()).unwrap();

    let [sqlite, postgres, sql] = &findings.crossovers[..] else { panic!("{:?}", findings.crossovers) };
    assert_eq!(sqlite.id, "Q14/request/sqlite/redis-tcp");
    assert_eq!(sqlite.verdict, Verdict::Crossover);
    // 20 + s * 500 = 70 + s * 100.
    assert!((sqlite.points[0].x - 0.125).abs() < 0.005, "{:?}", sqlite.points);
    assert_eq!((postgres.winner.as_deref(), sql.winner.as_deref()), (Some("redis-tcp"), Some("sqlite")));
    // 0.7 / (0.95 / 9,500 + 0.05 / 500).
    let fits = &findings.answer.rules[0];
    assert!(
        fits.starts_with("Sessions in sqlite fit while there are fewer than 3.5 k [3.5 k, 3.5 k] requests/s (f = 0.5"),
        "{fits}"
    );
    assert!(findings.answer.rules.iter().any(|rule| rule.contains("lost 200 of 200")), "{:?}", findings.answer.rules);
    // Every second request saves: by the rounds 20 + 500 / 2, by what was timed beside it 30 + 400 / 2; then one in 20.
    let predicted: Vec<f64> = findings.validation.iter().map(|one| one.predicted_ns).collect();
    assert_eq!(predicted, [270e3, 230e3, 45e3, 50e3]);
    assert_eq!(findings.validation[0].ratio, 0.9);
    // PostgreSQL was there and was not killed.
    assert_eq!(findings.answer.status, Status::Partly);
    assert!(findings.not_measured[0].what.contains("killed postgres"), "{:?}", findings.not_measured);
}

#[test]
fn without_servers_memory_is_held_against_a_file() {
    let sample = sample(&[(Backend::MokaBytes, 1.0, 2.0), (Backend::Sqlite, 20.0, 500.0)]);
    let findings = SessionsBelong.answer(&sample.found()).unwrap();
    assert_eq!(findings.crossovers.len(), 1);
    assert_eq!(findings.crossovers[0].winner.as_deref(), Some("moka-bytes"));
    assert_eq!(findings.not_measured.len(), 2);
    assert!(findings.not_measured.iter().all(|one| one.why.contains("--start")));
}
