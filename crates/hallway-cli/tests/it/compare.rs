//! `compare` from outside: what it writes, what it refuses, and that it goes on where it was interrupted. Never what it
//! measures.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::run::{Ran, command, hallway};

/// A question of few points, so that a study takes seconds.
const ONLY: &str = "q11";

fn args(out: &Path) -> [String; 6] {
    ["compare", "--no-servers", "--only", ONLY, "--out"]
        .map(str::to_owned)
        .into_iter()
        .chain([out.display().to_string()])
        .collect::<Vec<_>>()
        .try_into()
        .unwrap()
}

fn study(out: &Path) -> Ran {
    hallway(&args(out).each_ref().map(String::as_str))
}

/// A study that has begun with this round.
fn begun(out: &Path, round: u32) -> Child {
    let mut child = command().args(args(out)).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let sample = out.join(format!("criterion/Q11_get/sqlite-many/1/r{round:02}/sample.json"));
    let start = Instant::now();
    while !sample.is_file() {
        assert!(start.elapsed() < Duration::from_secs(120), "no round {round}");
        assert!(child.try_wait().unwrap().is_none(), "it ended by itself");
        std::thread::sleep(Duration::from_millis(5));
    }
    child
}

/// Whether files of SQLite are left.
fn has_databases(out: &Path) -> bool {
    fs::read_dir(out).unwrap().flatten().any(|entry| entry.file_name().to_string_lossy().starts_with("sqlite-"))
}

#[test]
fn a_study_writes_a_report_and_compares_with_another() {
    let folder = TempDir::new().unwrap();
    let out = folder.path().join("report");
    let ran = study(&out).exits(0);
    assert!(ran.text().contains("Q11"), "{ran:?}");
    assert!(ran.text().trim_end().ends_with("index.html"), "the last line says where to look: {ran:?}");
    for file in ["index.html", "report.md", "crossover.schema.json", "github-action-benchmark.json", "q11-get.svg"] {
        assert!(out.join(file).is_file(), "{file}");
    }
    let json = out.join("crossover.json");
    let report: serde_json::Value = serde_json::from_slice(&fs::read(&json).unwrap()).unwrap();
    assert_eq!(report["schema"], "crossover/1");
    assert_eq!(report["rounds"], 5);
    assert!(report["crossovers"].as_array().is_some_and(|all| !all.is_empty()), "{report:#}");
    assert!(report["not_measured"].to_string().contains("--no-servers"), "{report:#}");
    // Where the machine has a core for each.
    let is_alone = std::thread::available_parallelism().is_ok_and(|cores| cores.get() == 1);
    let placement = report["env"]["placement"].as_str().unwrap();
    assert!(placement.starts_with("pinned: the study on core") != is_alone, "{placement}");
    // As critcmp looks for them.
    assert!(out.join("criterion/Q11_get/sqlite-many/1/r05/estimates.json").is_file());
    assert!(
        fs::read_dir(&out).unwrap().flatten().all(|entry| !entry.file_name().to_string_lossy().starts_with("sqlite-"))
    );

    let json = json.to_str().unwrap();
    hallway(&["compare", json, json, "--fail-on-move"]).exits(0);
    let mut turned = report;
    let verdict = &mut turned["crossovers"][0]["verdict"];
    *verdict = if *verdict == "equal" { "no_crossover" } else { "equal" }.into();
    let other = folder.path().join("other.json");
    fs::write(&other, turned.to_string()).unwrap();
    let other = other.to_str().unwrap();
    let shared = folder.path().join("shared");
    hallway(&[&args(&shared).each_ref().map(String::as_str)[..], &["--placement", "shared"]].concat()).exits(0);
    let shared = shared.join("crossover.json");
    assert!(fs::read_to_string(&shared).unwrap().contains("\"placement\": \"shared\""));
    if !is_alone {
        hallway(&["compare", json, shared.to_str().unwrap()]).exits(2).complains("the same placement");
    }
    let moved = hallway(&["compare", json, other]).exits(0);
    assert!(moved.text().contains("turned"), "{moved:?}");
    hallway(&["compare", json, other, "--fail-on-move"]).exits(1);
}

/// What is computed is what was measured and nothing else: only the backend that is supposed to be slower is.
#[test]
fn what_if_a_backend_were_slower_is_computed() {
    let folder = TempDir::new().unwrap();
    let out = folder.path().join("report");
    let ran =
        hallway(&[&args(&out).each_ref().map(String::as_str)[..], &["--what-if", "sqlite=200"]].concat()).exits(0);
    assert!(ran.text().contains("if each call of sqlite took 200µs longer (computed, not measured)"), "{ran:?}");
    let report =
        |file: &str| -> serde_json::Value { serde_json::from_slice(&fs::read(out.join(file)).unwrap()).unwrap() };
    let [found, supposed] = ["crossover.json", "what-if/crossover.json"].map(report);
    assert!(out.join("what-if/index.html").is_file());
    assert!(supposed["warnings"].to_string().contains("Computed, not measured"), "{supposed:#}");
    let cost = |report: &serde_json::Value, backend: &str| {
        let primitives = report["primitives"].as_array().unwrap();
        let get = primitives.iter().find(|one| one["backend"] == backend && one["op"] == "get").unwrap();
        get["median_ns"].as_f64().unwrap()
    };
    let longer = |backend| cost(&supposed, backend) - cost(&found, backend);
    assert!((longer("sqlite") - 200e3).abs() < 1.0, "{}", longer("sqlite"));
    assert_eq!(longer("moka-bytes"), 0.0);

    // A finished study is not measured again, whatever is supposed of it.
    let sample = || fs::read(out.join("criterion/Q11_get/sqlite-many/1/r01/sample.json")).unwrap();
    let (measured, main) = (sample(), fs::read(out.join("crossover.json")).unwrap());
    let again =
        hallway(&[&args(&out).each_ref().map(String::as_str)[..], &["--what-if", "sqlite=500"]].concat()).exits(0);
    assert!(again.stderr.contains("computing from the study"), "{again:?}");
    assert!((cost(&report("what-if/crossover.json"), "sqlite") - cost(&found, "sqlite") - 500e3).abs() < 1.0);
    assert_eq!((sample(), fs::read(out.join("crossover.json")).unwrap()), (measured, main));

    hallway(&[&args(&out).each_ref().map(String::as_str)[..], &["--what-if", "redis-tcp=200"]].concat())
        .exits(2)
        .complains("redis-tcp cannot be slower, because it is not there");
    // Nor is one added to that lacks what this version asks for.
    fs::remove_dir_all(out.join("criterion/Q11_get/sqlite-many/1/r01")).unwrap();
    hallway(&[&args(&out).each_ref().map(String::as_str)[..], &["--what-if", "sqlite=500"]].concat())
        .exits(2)
        .complains("lacks Q11/get/sqlite-many/1");
    hallway(&["compare", "--what-if", "sqlite"]).exits(2).complains("BACKEND=MICROSECONDS");
    hallway(&["compare", "--inject", "sqlite=0"]).exits(2).complains("name a delay");
}

/// Every round of a point that is done is kept.
#[test]
fn an_interrupted_study_goes_on() {
    let folder = TempDir::new().unwrap();
    let out = folder.path().join("report");
    let mut child = begun(&out, 2);
    child.kill().unwrap();
    child.wait().unwrap();
    let first: PathBuf = out.join("criterion/Q11_get/sqlite-many/1/r01/sample.json");
    let before = fs::read(&first).unwrap();

    let other = hallway(&["compare", "--no-servers", "--only", "Q1", "--out", out.to_str().unwrap()]);
    other.exits(2).complains("--restart");
    // What an older version has left does not say where it ran: on all cores.
    if std::thread::available_parallelism().is_ok_and(|cores| cores.get() > 1) {
        let state = out.join("study.json");
        let text = fs::read_to_string(&state).unwrap();
        let mut old: serde_json::Value = serde_json::from_str(&text).unwrap();
        old["study"].as_object_mut().unwrap().remove("placement").unwrap();
        fs::write(&state, old.to_string()).unwrap();
        study(&out).exits(2).complains("ran `shared`, and this one would run `pinned");
        fs::write(&state, text).unwrap();
    }

    // Told to stop, it clears up.
    let child = begun(&out, 3);
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    let stopped = Ran::from(child.wait_with_output().unwrap()).exits(130);
    assert!(stopped.stderr.contains("interrupted"), "{stopped:?}");
    assert!(!has_databases(&out));

    let ran = study(&out).exits(0);
    assert!(ran.stderr.contains("going on with the study"), "{ran:?}");
    assert_eq!(fs::read(&first).unwrap(), before, "what was measured is not measured again");
    assert!(out.join("index.html").is_file());
}

#[test]
fn what_cannot_be_studied_is_refused() {
    let folder = TempDir::new().unwrap();
    let out = folder.path().to_str().unwrap();
    hallway(&["compare", "--only", "Q99", "--out", out])
        .exits(2)
        .complains("there is no question Q99; there are Q1, Q2");
    hallway(&["compare", "--inject", "redis-tcp"]).exits(2).complains("BACKEND=MICROSECONDS");
    hallway(&["compare", "--start", "--no-servers"]).exits(2);
    let file = folder.path().join("mine.txt");
    fs::write(&file, "not yours").unwrap();
    hallway(&["compare", "--no-servers", "--out", out]).exits(2).complains("is not empty and holds no study");
    assert_eq!(fs::read(&file).unwrap(), b"not yours");
    hallway(&["compare", file.to_str().unwrap(), file.to_str().unwrap()]).exits(2).complains("mine.txt");
}
