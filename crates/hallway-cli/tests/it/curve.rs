//! `hallway curve` from outside.

use std::fs;

use serde_json::Value;

use crate::run::hallway;

/// A log in a folder that goes with it.
struct Log {
    folder: tempfile::TempDir,
    path: String,
}

fn log(name: &str, content: &[u8]) -> Log {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    fs::write(&path, content).unwrap();
    Log { path: path.to_str().unwrap().to_owned(), folder }
}

/// Three keys in turn, ten times: nothing below 3 entries is of use to LRU.
fn in_turn() -> Vec<u8> {
    "user:1\nuser:2\nuser:3\n".repeat(10).into_bytes()
}

#[test]
fn a_key_log_has_the_curve_that_is_counted_by_hand() {
    let log = log("access.log", &in_turn());
    let json = hallway(&["curve", "--trace", &log.path, "--json", "--quiet"]).exits(0).json();
    assert_eq!((&json["trace"], &json["requests"], &json["keys"]), (&"access.log".into(), &30.into(), &3.into()));
    let points = json["points"].as_array().unwrap();
    let column = |name: &str| points.iter().map(|point| point[name].as_f64().unwrap()).collect::<Vec<_>>();
    assert_eq!(column("entries"), [1.0, 2.0, 4.0]);
    assert_eq!(column("lru"), [0.0, 0.0, 0.9]);
    // 6 B of key, 256 B of value as nobody tells, and 200 B beside them.
    assert_eq!(column("bytes"), [462.0, 924.0, 1848.0]);
    assert_eq!(json["entry_bytes_from"], "assumed");
    assert_eq!((&json["gain"]["entries"], &json["gain"]["bytes"]), (&3.into(), &1386.into()));
    for (moka, bound) in column("moka").into_iter().zip(column("clairvoyant")) {
        assert!(moka <= bound, "{json}");
    }
}

#[test]
fn the_answer_is_for_people_and_progress_stays_off_standard_output() {
    let log = log("access.log", &in_turn());
    let ran = hallway(&["curve", "--trace", &log.path, "--value-bytes", "1000"]).exits(0);
    let sentence = "90 % of what a cache of any size could gain needs 3 entries (3.5 KiB).";
    for words in ["30 requests for 3 keys", "clairvoyant", sentence, "as given"] {
        assert!(ran.text().contains(words), "`{words}` is missing: {}", ran.text());
    }
    assert!(ran.text().lines().all(|line| line.chars().count() <= 120), "{}", ran.text());
    let quiet = hallway(&["curve", "--trace", &log.path, "--quiet", "--no-moka"]).exits(0);
    assert_eq!(quiet.stderr, "");
    assert!(quiet.text().contains('-'), "{}", quiet.text());
}

#[test]
fn a_log_of_twitter_tells_writes_and_sizes() {
    let lines = "0,a,1,100,7,get,0\n0,b,1,300,7,get,0\n1,a,1,100,7,set,60\n2,a,1,100,7,get,0\n";
    let log = log("cluster.csv", lines.as_bytes());
    let curve = |more: &[&str]| {
        hallway(&[&["curve", "--trace", &log.path, "--json", "--quiet"], more].concat()).exits(0).json()
    };
    let kept = curve(&[]);
    assert_eq!((&kept["requests"], &kept["reads"], &kept["keys"]), (&4.into(), &3.into(), &2.into()));
    assert_eq!((&kept["entry_bytes"], &kept["entry_bytes_from"]), (&401.0.into(), &"stream".into()));
    assert_eq!(kept["most"].as_f64(), Some(1.0 / 3.0));
    assert_eq!(curve(&["--invalidate"])["most"].as_f64(), Some(0.0));
    // A format that is named counts: every line is a key then.
    assert_eq!(curve(&["--format", "keys"])["keys"], 4);
    // A replay is of reads.
    hallway(&["replay", "--store", "moka:", "--trace", &log.path]).exits(2).complains("hallway curve");
}

#[test]
fn a_preset_has_the_hit_ratios_of_its_trace() {
    let json = hallway(&["curve", "--preset", "web12", "--requests", "95607", "--no-moka", "--json", "--quiet"])
        .exits(0)
        .json();
    assert_eq!(json["trace"], "preset web12");
    let at = |entries: u64| {
        let points = json["points"].as_array().unwrap();
        points.iter().find(|point| point["entries"] == entries).unwrap()["lru"].as_f64().unwrap()
    };
    for (entries, known) in [(64, 0.315), (1_024, 0.650), (4_096, 0.792)] {
        assert!((at(entries) - known).abs() <= 0.01, "{} with {entries} entries", at(entries));
    }
    assert!(json["points"].as_array().unwrap().iter().all(|point| point["moka"] == Value::Null), "{json}");
}

#[test]
fn files_are_written_into_a_folder() {
    let log = log("access.log", &in_turn());
    let out = log.folder.path().join("new/curve");
    hallway(&["curve", "--trace", &log.path, "--quiet", "--out", out.to_str().unwrap()]).exits(0);
    let json: Value = serde_json::from_slice(&fs::read(out.join("curve.json")).unwrap()).unwrap();
    assert_eq!(json["chart"]["kind"], "lines");
    assert_eq!(json["chart"]["series"].as_array().unwrap().len(), 3);
    assert_eq!(json["chart"]["marks"][0]["x"], 3.0);
    assert_eq!(json["keys"], 3);
    let picture = fs::read_to_string(out.join("curve.svg")).unwrap();
    assert!(picture.starts_with("<svg") && picture.contains("clairvoyant"), "{picture}");
    let page = fs::read_to_string(out.join("curve.html")).unwrap();
    for words in ["90 % of what a cache of any size could gain needs 3 entries", "access.log: 30 requests", "<svg"] {
        assert!(page.contains(words), "`{words}` is missing: {page}");
    }
    assert!(!page.contains("<script"), "it needs none");
}

#[test]
fn what_is_no_trace_is_refused() {
    let curve = |log: &Log, more: &[&str]| hallway(&[&["curve", "--trace", &log.path, "--quiet"], more].concat());
    curve(&log("empty", b""), &[]).exits(2).complains("no reads");
    curve(&log("junk", &[0; 64]), &[]).exits(6).complains("junk");
    curve(&log("short.oracleGeneral", &[1; 30]), &[]).exits(6).complains("short.oracleGeneral");
    curve(&log("keys.txt", b"a\nb\n"), &["--format", "twitter"]).exits(6).complains("keys.txt");
    curve(&log("keys.txt", b"a\nb\n"), &["--format", "csv"]).exits(2).complains("twitter");
    hallway(&["curve", "--trace", "/nonexistent"]).exits(6).complains("/nonexistent");
    hallway(&["curve", "--preset", "web12", "--format", "keys"]).exits(2);
    hallway(&["curve", "--requests", "0"]).exits(2);
}

#[test]
fn a_log_without_reuse_gains_nothing() {
    let log = log("once.txt", b"a\nb\nc\n");
    let ran = hallway(&["curve", "--trace", &log.path, "--quiet"]).exits(0);
    assert!(ran.text().contains("no cache of any size gains anything"), "{}", ran.text());
}
