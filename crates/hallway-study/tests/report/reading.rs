//! Reports of earlier studies, and files that are none.

use std::fs;

use hallway_study::report;

use crate::sample;

#[test]
fn files_that_are_no_report_of_this_schema_are_refused_with_a_reason() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("crossover.json");
    let refuse = |text: &str, wanted: &[&str]| {
        fs::write(&file, text).unwrap();
        let error = report::read(&file).unwrap_err().to_string();
        for word in wanted.iter().chain(&["crossover.json"]) {
            assert!(error.contains(word), "`{word}` is not in: {error}");
        }
    };
    refuse("nothing", &["not JSON"]);
    refuse("{}", &["no report", "cargo hallway compare"]);
    refuse("[1, 2]", &["no report"]);
    refuse(r#"{"schema": "crossover/2"}"#, &["`crossover/2`", "`crossover/1`", "the version that wrote it"]);
    refuse(r#"{"schema": "crossover/1"}"#, &["not a whole report", "missing field"]);
    fs::remove_file(&file).unwrap();
    let error = report::read(&file).unwrap_err().to_string();
    assert!(error.contains("cannot be read"), "{error}");
}

/// Changes only add: what a later version adds is no obstacle.
#[test]
fn fields_of_a_later_version_are_passed_over() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("later.json");
    let mut value = serde_json::to_value(sample::report()).unwrap();
    value["later"] = 1.into();
    value["env"]["later"] = "text".into();
    // And what an earlier one did not have yet.
    for found in value["crossovers"].as_array_mut().unwrap() {
        found.as_object_mut().unwrap().remove("winner");
    }
    fs::write(&file, value.to_string()).unwrap();
    let mut wanted = sample::report();
    wanted.crossovers.iter_mut().for_each(|found| found.winner = None);
    assert_eq!(report::read(&file).unwrap(), wanted);
}
