//! `hallway advise`: from flags, a file, a key log, a report and running stores to an answer, or a refusal that helps.

use std::fs;

use crate::run::{Ran, hallway};

/// The question of the documents.
const ASKED: [&str; 11] =
    ["advise", "--purpose", "cache", "--instances", "4", "--reads", "2000/s", "--writes", "40/s", "--stale", "2s"];

fn ask(more: &[&str]) -> Ran {
    hallway(&[&ASKED, more].concat())
}

#[test]
fn help_names_what_must_be_known_and_the_units() {
    let help = hallway(&["advise", "--help"]).exits(0);
    for words in ["--purpose", "--instances", "2000/s", "--stale", "--calibrate", "--crossover", "hallway.toml"] {
        assert!(help.text().contains(words), "`{words}` is missing: {}", help.text());
    }
}

#[test]
fn an_answer_says_why_what_would_change_it_and_what_it_rests_on() {
    let ran = ask(&["--bytes", "400", "--db-read", "1.1ms", "--redis-rtt", "300us", "--has", "postgres"]).exits(0);
    for words in [
        "-> L1 moka",
        "L2 Redis",
        "why ",
        "runner-up ",
        "holds while ",
        "ruled out ",
        "database_get_us = 1100: given",
        "redis_rtt_us = 300: given",
        "keys = 76349: assumption",
        "shipped default (measured on ",
        "may be 3 times as fast or as slow",
        "careful ",
        "[stores]",
    ] {
        assert!(ran.text().contains(words), "`{words}` is missing: {}", ran.text());
    }
    assert!(ran.stderr.is_empty(), "{ran:?}");
}

#[test]
fn json_has_stable_names_and_a_basis_for_each_number() {
    let json = ask(&["--json"]).exits(0).json();
    assert_eq!(json["schema"], "advice/1");
    assert!(json["choice"]["mean_us"].as_f64().unwrap() > 0.0);
    assert!(json["choice"]["architecture"].is_string());
    for fact in json["basis"].as_array().unwrap() {
        assert!(fact["name"].is_string() && fact["value"].is_number() && fact["basis"].is_string(), "{fact}");
    }
    for flip in json["flips"].as_array().unwrap() {
        assert!(flip["holds_at"].is_number() && flip["changes_at"].is_number() && flip["unit"].is_string(), "{flip}");
    }
}

#[test]
fn the_configuration_alone_can_be_put_into_a_file() {
    let ran = ask(&["--toml"]).exits(0);
    let config = hallway::Config::from_toml_str(ran.text()).unwrap_or_else(|error| panic!("{error}: {ran:?}"));
    assert!(config.urls().any(|(tier, url)| tier == "local" && url.is_some()), "{ran:?}");
    ask(&["--toml", "--json"]).exits(2);
}

#[test]
fn what_must_not_be_guessed_is_asked_for() {
    let ran = hallway(&["advise", "--reads", "10/s"]).exits(2).complains("must be known");
    for flag in ["--purpose cache, session or state", "--instances 4", "--writes 40/s", "--stale 2s"] {
        assert!(ran.stderr.contains(flag), "`{flag}` is missing: {ran:?}");
    }
    assert!(!ran.stderr.contains("--reads 2000/s") && ran.stdout.is_empty(), "{ran:?}");
    hallway(&[&ASKED[..], &["--ycsb", "B"]].concat()).exits(2);
    for (flag, value, words) in [
        ("--bytes", "many", "64MiB"),
        ("--db-read", "5", "1.1ms"),
        ("--ycsb", "E", "ranges"),
        ("--has", "memcached", "redis"),
        ("--loss", "some", "seconds"),
    ] {
        let asked = if flag == "--ycsb" { &ASKED[..7] } else { &ASKED[..] };
        let ran = hallway(&[asked, &[flag, value]].concat()).exits(2);
        assert!(ran.stderr.contains(words), "`{words}` is missing: {ran:?}");
    }
}

#[test]
fn where_nothing_fits_the_answer_is_no_with_reasons() {
    let impossible = ["--db-capacity", "10/s", "--redis-capacity", "10/s"];
    let ran = ask(&impossible).exits(1);
    assert!(ran.text().contains("nothing fits") && ran.text().contains("70 %"), "{ran:?}");
    let json = ask(&[&impossible[..], &["--json"]].concat()).exits(1).json();
    assert!(json["choice"].is_null() && !json["eliminated"].as_array().unwrap().is_empty());
}

#[test]
fn a_file_asks_and_flags_have_the_last_word() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("workload.toml");
    // A key log beside it, in which ten keys come again and again.
    let log: String = (0..4_000_u32).map(|at| format!("user:{}\n", at * at % 10)).collect();
    fs::write(folder.path().join("access.log"), log).unwrap();
    fs::write(
        &path,
        "purpose = 'cache'\ninstances = 4\nreads = '2000/s'\nycsb = 'C'\nstale = '1min'\nkeys = 'access.log'\nhas = ['postgres']\n",
    )
    .unwrap();
    let file = path.to_str().unwrap();
    let json = hallway(&["advise", "--workload", file, "--instances", "1", "--json", "--quiet"]).exits(0).json();
    let fact = |name: &str| json["basis"].as_array().unwrap().iter().find(|fact| fact["name"] == name).unwrap().clone();
    assert_eq!(fact("instances")["value"], 1.0);
    assert_eq!(fact("keys")["basis"], "key_log");
    assert_eq!(json["choice"]["architecture"], "local_database");
    assert!(json["choice"]["total_hit_ratio"].as_f64().unwrap() > 0.98, "{json}");

    fs::write(&path, "instnces = 4").unwrap();
    hallway(&["advise", "--workload", file]).exits(2).complains("instnces");
    hallway(&["advise", "--workload", "/nonexistent.toml"]).exits(2).complains("/nonexistent.toml");
    ask(&["--keys", "/nonexistent.log"]).exits(2).complains("/nonexistent.log");
}

#[test]
fn a_report_of_this_machine_takes_the_place_of_defaults() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("crossover.json");
    fs::write(&path, "{\"schema\":\"crossover/99\"}").unwrap();
    ask(&["--crossover", path.to_str().unwrap()]).exits(2).complains("crossover/99");
    ask(&["--crossover", "/nonexistent.json"]).exits(2).complains("/nonexistent.json");

    let report = concat!(env!("CARGO_MANIFEST_DIR"), "/../hallway-study/testdata/report/crossover.json");
    let text = fs::read_to_string(report).unwrap();
    let document: serde_json::Value = serde_json::from_str(&text).unwrap();
    let is_it = |p: &&serde_json::Value| p["backend"] == "redis-tcp" && p["op"] == "get" && p["bytes"] == 256;
    let known = document["primitives"].as_array().unwrap().iter().find(is_it).unwrap();
    let json = ask(&["--bytes", "256", "--redis-rtt", "0", "--crossover", report, "--json"]).exits(0).json();
    let fact = json["basis"].as_array().unwrap().iter().find(|fact| fact["name"] == "redis_get_us").unwrap().clone();
    assert_eq!(fact["basis"], "report", "{fact}");
    let expected = known["median_ns"].as_f64().unwrap() / 1e3;
    assert!((fact["value"].as_f64().unwrap() - expected).abs() < 1e-6, "{fact} for {expected}");
}

#[test]
fn a_key_log_of_too_many_keys_is_a_slip_with_a_remedy() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("many.log");
    let log: String = (0..1_000_001_u32).map(|at| format!("{at:x}\n")).collect();
    fs::write(&path, log).unwrap();
    let mut asked = ASKED;
    asked[4] = "1";
    let ran = hallway(&[&asked[..], &["--key-log", path.to_str().unwrap(), "--quiet"]].concat()).exits(2);
    assert!(ran.stderr.contains("many.log") && ran.stderr.contains("sample"), "{ran:?}");
}

#[test]
fn a_database_that_is_measured_is_the_one_of_the_cache() {
    let folder = tempfile::tempdir().unwrap();
    let url = format!("sqlite:{}", folder.path().join("app.db").display());
    let more = ["--calibrate", "--allow-writes", "--database", &url, "--has", "redis", "--json", "--quiet"];
    let json = ask(&more).exits(0).json();
    let fact = |name: &str| json["basis"].as_array().unwrap().iter().find(|fact| fact["name"] == name).cloned();
    assert!(json["choice"]["name"].as_str().unwrap().contains("SQLite"), "{json}");
    assert_eq!(fact("sqlite_get_us").unwrap()["basis"], "measured", "{json}");
    assert_eq!(fact("database_get_us"), None, "nothing was measured of a server: {json}");
}

#[test]
fn calibration_needs_stores_and_says_what_it_measured() {
    ask(&["--calibrate"]).exits(2).complains("--redis URL");
    ask(&["--redis", "redis://127.0.0.1/0"]).exits(2);
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let nobody = format!("redis://user:hunter2@127.0.0.1:{port}/0");
    let ran = ask(&["--calibrate", "--redis", &nobody, "--quiet"]).exits(3).complains("redis");
    assert!(!ran.stderr.contains("hunter2"), "{ran:?}");
}
