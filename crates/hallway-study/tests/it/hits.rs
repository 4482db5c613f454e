//! Questions of hit ratios and freshness: their runs and cells once, on private servers. No timing decides.

use std::collections::BTreeMap;

use hallway_study::lab::{Choice, Choices, Lab};
use hallway_study::placement::Placement;
use hallway_study::report::StudyMode;
use hallway_study::study::{self, Depth, Question};
use serde_json::Value;

const DEPTH: Depth = Depth { mode: StudyMode::Quick, seed: 42 };

/// A lab in a folder of its own.
async fn lab(choice: Choice) -> (Lab, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let choices = Choices { redis: choice.clone(), postgres: choice, placement: Placement::Shared };
    (Lab::open(&choices, folder.path(), None).await.unwrap(), folder)
}

fn question(id: &str) -> Box<dyn Question> {
    study::questions().into_iter().find(|question| question.id() == id).unwrap()
}

/// Everything that a question runs, by name.
async fn runs(question: &dyn Question, lab: &Lab) -> BTreeMap<String, Value> {
    let mut found = BTreeMap::new();
    for run in question.runs(lab, DEPTH) {
        found.insert(run.name.clone(), question.run(&run.name, lab, DEPTH).await.unwrap());
    }
    found
}

fn number(value: &Value, path: &str) -> f64 {
    value.pointer(path).and_then(Value::as_f64).unwrap_or_else(|| panic!("no number at {path} of {value}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn parts_of_tiers_end_as_they_are_called() {
    let (lab, _folder) = lab(Choice::Start).await;
    let points = study::tier_points(&lab).await.unwrap();
    assert_eq!(points.len(), study::Part::ALL.len());
    for point in &points {
        // More than there are keys: each part stays what it is when they come again.
        let iterations = if point.id.series.ends_with("write") { 20 } else { 1_100 };
        point.cell.run(iterations).await.unwrap_or_else(|error| panic!("{}: {error}", point.id));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn q5_counts_a_stream_and_a_log_of_the_user() {
    let (lab, folder) = lab(Choice::None).await;
    let log = folder.path().join("mine.txt");
    let keys: Vec<String> = (0..4_000).map(|at| format!("key:{}", at % 1_000)).collect();
    std::fs::write(&log, keys.join("\n")).unwrap();
    let lab = lab.with_traces(vec![log]);
    let found = runs(&*question("Q5"), &lab).await;
    assert_eq!(found.keys().collect::<Vec<_>>(), ["orm-busy", "trace-1", "web12"]);
    let mine = &found["trace-1"];
    assert_eq!(mine["label"], "mine.txt");
    // A thousand keys in turn: 512 entries never hit; 1,024 do but for the first time.
    assert_eq!((number(mine, "/cold/hits/3"), number(mine, "/cold/hits/4")), (0.0, 1_000.0));
    assert_eq!((number(mine, "/warm/hits/3"), number(mine, "/warm/hits/4")), (0.0, 2_000.0));
}

#[tokio::test(flavor = "multi_thread")]
async fn q6_knows_the_presets() {
    let (lab, _folder) = lab(Choice::None).await;
    let found = runs(&*question("Q6"), &lab).await;
    for (name, entries, hits) in [("orm-busy", 1_024.0, 0.789), ("web12", 1_024.0, 0.650)] {
        let points = found[name]["points"].as_array().unwrap();
        let point = points.iter().find(|point| number(point, "/entries") == entries).unwrap();
        assert!((number(point, "/lru") - hits).abs() < 0.01, "{name}: {point}");
        for point in points {
            let bound = number(point, "/clairvoyant");
            assert!(number(point, "/lru") <= bound && number(point, "/moka") <= bound, "{name}: {point}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn q7_replays_hit_as_often_as_was_expected() {
    let (lab, _folder) = lab(Choice::Start).await;
    let found = runs(&*question("Q7"), &lab).await;
    let replays: Vec<_> = found.iter().filter(|(name, _)| name.starts_with("tiers-")).collect();
    assert_eq!(replays.len(), 8);
    for (name, outcome) in replays {
        let (reads, local) = (number(outcome, "/replayed/reads"), number(outcome, "/replayed/local_hits"));
        let (shared, loads) = (number(outcome, "/replayed/shared_hits"), number(outcome, "/replayed/loads"));
        assert_eq!(local + shared + loads, reads, "{name}: every read is answered once: {outcome}");
        assert_eq!(number(outcome, "/replayed/writes") > 0.0, name.ends_with("writes"));
        if let Some(expected) = outcome["local"].as_f64() {
            assert!((local / reads - expected).abs() < 0.05, "{name}: {outcome}");
        }
        if let Some(expected) = outcome["shared"].as_f64() {
            assert!((shared / (reads - local) - expected).abs() < 0.08, "{name}: {outcome}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn q9_no_copy_outlives_its_ttl_and_no_database_is_stale() {
    let (lab, _folder) = lab(Choice::Start).await;
    let found = runs(&*question("Q9"), &lab).await;
    let cells = found["race"].as_array().unwrap();
    assert_eq!(cells.len(), 6 * 3, "six ways at three paces");
    for cell in cells {
        assert!(number(cell, "/reads") > 0.0, "{cell}");
        match cell.pointer("/way/kind").and_then(Value::as_str).unwrap() {
            // A copy is read before it is made, so what it misses is younger than its life; a clock has grains.
            "ttl" => assert!(number(cell, "/age_most_s") <= number(cell, "/way/ttl_s") + 0.001, "{cell}"),
            "bus" => assert!(number(cell, "/hits") > 0.0, "{cell}"),
            _ => assert_eq!((number(cell, "/stale"), number(cell, "/hits")), (0.0, 0.0), "{cell}"),
        }
    }
    let slow_and_long =
        |cell: &&Value| cell.pointer("/way/ttl_s") == Some(&Value::from(1.0)) && number(cell, "/pace") == 10.0;
    let stale = cells.iter().find(slow_and_long).unwrap();
    assert!(number(stale, "/stale_hits") > 0.0, "ten writes in the life of a copy are seen: {stale}");
}
