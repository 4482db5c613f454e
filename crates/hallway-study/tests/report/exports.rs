//! What the programs of others are given.

use std::collections::BTreeSet;

use hallway_study::report::exports;
use serde_json::Value;

use crate::sample;

#[test]
fn github_action_benchmark_gets_numbers_with_names_of_their_own() {
    let mut report = sample::report();
    let text = exports::github_action_benchmark(&report).unwrap();
    let entries: Vec<Value> = serde_json::from_str(&text).unwrap();
    assert_eq!(entries.len(), report.primitives.len() + 2 * report.wire.len());
    let names: BTreeSet<_> = entries.iter().map(|entry| entry["name"].as_str().unwrap()).collect();
    assert_eq!(names.len(), entries.len(), "{names:?}");
    assert!(names.contains("get_many/postgres-unlogged/256 B/tasks 4/batch 64/rtt 1 ms"), "{names:?}");
    for entry in &entries {
        assert!(entry["value"].is_f64() && entry["unit"].is_string() && entry["extra"].is_string(), "{entry}");
    }
    assert_eq!(entries[0]["value"], report.primitives[0].median_ns);
    assert_eq!(entries[0]["range"], "± 1055.0");

    report.primitives[0].median_ns = f64::INFINITY;
    let error = exports::github_action_benchmark(&report).unwrap_err().to_string();
    assert!(error.contains("get/redis-tcp/256 B"), "{error}");
}
