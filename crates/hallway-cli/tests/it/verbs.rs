//! Every verb on a store that keeps things, and on one that does not.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use serde_json::json;
use tempfile::TempDir;

use crate::run::{command, hallway, hallway_fed};

/// A SQLite file of its own for each test.
struct Sqlite {
    _folder: TempDir,
    url: String,
}

impl Sqlite {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let url = format!("sqlite:{}", folder.path().join("verbs.db").display());
        Self { _folder: folder, url }
    }

    fn run(&self, args: &[&str]) -> crate::run::Ran {
        hallway(&[args, &["--store", &self.url]].concat())
    }
}

#[test]
fn a_value_is_set_read_touched_and_deleted() {
    let store = Sqlite::new();
    let set = store.run(&["set", "user:profile:42", "Ada", "--ttl", "5m"]).exits(0);
    assert!(set.stdout.is_empty() && set.stderr.is_empty(), "{set:?}");
    let get = store.run(&["get", "user:profile:42"]).exits(0);
    assert_eq!(get.stdout, b"Ada", "raw bytes, no line end");

    let before = store.run(&["get", "user:profile:42", "--json"]).exits(0).json();
    assert_eq!(
        (&before["key"], &before["found"], &before["value"]),
        (&json!("user:profile:42"), &json!(true), &json!("Ada"))
    );
    let ttl = before["ttl_ms"].as_u64().unwrap();
    assert!((1..=300_000).contains(&ttl), "{before}");

    store.run(&["touch", "user:profile:42", "--ttl", "forever"]).exits(0);
    let after = store.run(&["get", "user:profile:42", "--json"]).exits(0).json();
    assert_eq!(after["ttl_ms"], json!(null));

    let deleted = store.run(&["delete", "user:profile:42", "--json"]).exits(0).json();
    assert_eq!(deleted, json!({"key": "user:profile:42", "deleted": true}));
    store.run(&["delete", "user:profile:42"]).exits(1);
    store.run(&["touch", "user:profile:42", "--ttl", "1h"]).exits(1);
}

#[test]
fn a_missing_key_gives_nothing_and_exit_code_1() {
    let store = Sqlite::new();
    let get = store.run(&["get", "nowhere"]).exits(1);
    assert!(get.stdout.is_empty() && get.stderr.is_empty(), "{get:?}");
    let json = store.run(&["get", "nowhere", "--json"]).exits(1).json();
    assert_eq!(json, json!({"key": "nowhere", "found": false, "ttl_ms": null}));
}

#[test]
fn any_bytes_go_in_by_standard_input_and_come_out() {
    let store = Sqlite::new();
    let bytes: Vec<u8> = (0..=255).collect();
    for args in [&["set", "bytes", "-"][..], &["set", "bytes"]] {
        hallway_fed(&[args, &["--ttl", "1h", "--store", &store.url]].concat(), &bytes).exits(0);
        assert_eq!(store.run(&["get", "bytes"]).exits(0).stdout, bytes);
        store.run(&["delete", "bytes"]).exits(0);
    }
    hallway_fed(&["set", "bytes", "--ttl", "1h", "--store", &store.url], &bytes[250..]).exits(0);
    let json = store.run(&["get", "bytes", "--json"]).exits(0).json();
    assert_eq!((&json["value_base64"], &json["value"]), (&json!("+vv8/f7/"), &json!(null)));
}

#[test]
fn conditions_are_kept() {
    let store = Sqlite::new();
    let set = |value: &str, condition: &[&str], code| {
        store.run(&[&["set", "k", value, "--ttl", "1h"], condition].concat()).exits(code)
    };
    set("a", &["--if-present"], 1);
    set("a", &["--if-absent"], 0);
    set("b", &["--if-absent"], 1);
    set("b", &["--if-equals", "x"], 1);
    set("b", &["--if-equals", "a"], 0);
    assert_eq!(set("c", &["--if-present", "--json"], 0).json(), json!({"key": "k", "written": true}));
    assert_eq!(set("d", &["--if-absent", "--json"], 1).json(), json!({"key": "k", "written": false}));
    assert_eq!(store.run(&["get", "k"]).stdout, b"c");
    set("d", &["--if-absent", "--if-present"], 2);
}

#[test]
fn keys_are_listed_and_a_prefix_is_cleared_only_with_yes() {
    let store = Sqlite::new();
    for key in ["app:1", "app:2", "app:deep:3", "app2:4"] {
        store.run(&["set", key, "v", "--ttl", "1h"]).exits(0);
    }
    let mut listed: Vec<_> = store.run(&["scan", "app"]).exits(0).text().lines().map(str::to_owned).collect();
    listed.sort();
    assert_eq!(listed, ["app:1", "app:2", "app:deep:3"]);
    assert_eq!(store.run(&["scan"]).exits(0).text().lines().count(), 4);

    let page = store.run(&["scan", "app:", "--limit", "2", "--json"]).exits(0).json();
    assert_eq!((page["keys"].as_array().unwrap().len(), &page["prefix"]), (2, &json!("app:")));
    let cursor = page["next"].as_str().unwrap();
    let rest = store.run(&["scan", "app", "--after", cursor, "--json"]).exits(0).json();
    assert_eq!((rest["keys"].as_array().unwrap().len(), &rest["next"]), (1, &json!(null)));
    let cut = store.run(&["scan", "--limit", "1"]).exits(0);
    assert!(cut.stderr.contains("--limit"), "{cut:?}");

    store.run(&["delete", "--prefix", "app"]).exits(2).complains("--yes");
    assert_eq!(store.run(&["scan"]).text().lines().count(), 4, "nothing is deleted without --yes");
    let cleared = store.run(&["delete", "--prefix", "app", "--yes", "--json"]).exits(0).json();
    assert_eq!(cleared, json!({"prefix": "app:", "deleted": 3}));
    assert_eq!(store.run(&["scan"]).exits(0).text(), "app2:4\n");
    store.run(&["delete"]).exits(2);
    store.run(&["delete", "--prefix", "", "--yes"]).exits(2);
}

#[test]
fn the_command_line_that_goes_on_with_a_listing_can_be_pasted() {
    let store = Sqlite::new();
    for key in ["it's:1", "it's:2"] {
        store.run(&["set", key, "v", "--ttl", "1h"]).exits(0);
    }
    let cut = store.run(&["scan", "--limit", "1"]).exits(0);
    assert_eq!(cut.text(), "it's:1\n");
    let words = &cut.stderr[cut.stderr.find("--after").expect("how to go on")..];
    let line = format!("{} scan {}", env!("CARGO_BIN_EXE_hallway"), words.trim());
    let output = Command::new("sh").args(["-c", &line]).env("HALLWAY_STORE", &store.url).output().unwrap();
    assert_eq!(crate::run::Ran::from(output).exits(0).text(), "it's:2\n");
}

#[test]
fn ping_tells_latency_clock_and_capabilities() {
    let store = Sqlite::new();
    let json = store.run(&["ping", "--json"]).exits(0).json();
    assert_eq!(json["store"], json!(store.url));
    assert!(json["latency_us"].as_f64().unwrap() > 0.0 && json["connect_us"].as_f64().unwrap() > 0.0, "{json}");
    assert!(json["clock"].as_str().unwrap().ends_with('Z') && json["clock_ahead_ms"].is_number(), "{json}");
    assert!(json["capabilities"].as_array().unwrap().contains(&json!("durable")), "{json}");
    let text = store.run(&["ping"]).exits(0);
    assert!(text.text().contains("latency") && text.text().contains("capabilities"), "{text:?}");
}

#[test]
fn every_verb_works_on_moka_though_nothing_stays() {
    let store = ["--store", "moka:?max=1MiB"];
    let run = |args: &[&str]| hallway(&[args, &store].concat());
    let set = run(&["set", "k", "v", "--ttl", "1h"]).exits(0);
    assert!(set.stderr.contains("lives in the process"), "{set:?}");
    run(&["get", "k"]).exits(1);
    run(&["touch", "k", "--ttl", "1h"]).exits(1);
    run(&["delete", "k"]).exits(1);
    assert_eq!(run(&["delete", "--prefix", "k", "--yes"]).exits(0).text(), "0 deleted\n");
    assert_eq!(run(&["scan"]).exits(0).text(), "");
    run(&["ping"]).exits(0);
    run(&["schema", "--print"]).exits(2).complains("sqlite:");
}

#[test]
fn a_reader_that_leaves_is_no_failure() {
    let store = Sqlite::new();
    for page in 0..30 {
        // Long keys, so that the listing is longer than a pipe holds.
        store.run(&["set", &format!("{page:0>500}"), "v", "--ttl", "1h"]).exits(0);
    }
    let big = vec![b'x'; 1 << 20];
    hallway_fed(&["set", "big", "--ttl", "1h", "--store", &store.url], &big).exits(0);
    for args in [&["get", "big"][..], &["scan"]] {
        let mut child = command()
            .args(args)
            .args(["--store", &store.url])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // A byte, and the reader is gone.
        let mut reader = BufReader::with_capacity(1, child.stdout.take().unwrap());
        assert!(!reader.fill_buf().unwrap().is_empty());
        drop(reader);
        let output = child.wait_with_output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(0) && !stderr.contains("panic"), "{args:?}: {:?} {stderr}", output.status);
    }
}
