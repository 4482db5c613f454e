//! `hallway replay` from outside.

use std::fs::File;
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use hallway_testkit::servers::RedisServer;
use lzma_rust2::{XzOptions, XzWriter};
use serde_json::Value;

use crate::run::{Ran, command, hallway, hallway_fed};

fn stores(json: &Value) -> &Vec<Value> {
    json["stores"].as_array().expect("a list of stores")
}

fn ratio(store: &Value) -> f64 {
    store["hit_ratio"].as_f64().expect("a number")
}

#[test]
fn without_arguments_it_compares_moka_and_sqlite_on_a_preset() {
    let json = hallway(&["replay", "--requests", "3000", "--json"]).exits(0).json();
    assert_eq!(json["requests"], 3_000);
    let fields = ["store", "hit_ratio", "ops_per_s", "p50_us", "p99_us", "p999_us", "bytes"];
    for store in stores(&json) {
        let mut found: Vec<_> = store.as_object().unwrap().keys().map(String::as_str).collect();
        found.sort_unstable();
        let mut expected = fields;
        expected.sort_unstable();
        assert_eq!(found, expected);
        assert!(fields[1..].iter().all(|field| store[field].as_f64().unwrap() > 0.0), "{store}");
        assert!(store["p50_us"].as_f64() <= store["p99_us"].as_f64(), "{store}");
        assert!(store["p99_us"].as_f64() <= store["p999_us"].as_f64(), "{store}");
    }
    let [moka, sqlite] = &stores(&json)[..] else { panic!("{json}") };
    assert_eq!(moka["store"], "moka:?max_entries=1024");
    assert_eq!(sqlite["store"], "sqlite: (temporary file)");
    // What never forgets hits at least as often.
    assert!(ratio(sqlite) >= ratio(moka), "{json}");
}

#[test]
fn the_table_is_for_people_and_progress_stays_off_standard_output() {
    let ran = hallway(&["replay", "--requests", "2000", "--store", "moka:", "--capacity", "64", "--preset", "web12"])
        .exits(0);
    for word in ["2,000 requests", "hit ratio", "p99.9", "bytes held", "moka:?max_entries=64"] {
        assert!(ran.text().contains(word), "`{word}` is missing: {}", ran.text());
    }
    let quiet = hallway(&["replay", "--requests", "2000", "--store", "moka:", "--quiet"]).exits(0);
    assert_eq!(quiet.stderr, "");
}

#[test]
fn the_table_fits_a_terminal_and_a_file() {
    let ran = hallway(&["replay", "--requests", "2000"]).exits(0);
    assert!(ran.text().lines().all(|line| line.chars().count() <= 80), "{}", ran.text());
    // Nobody looks: no colours, no bar.
    assert!(!ran.text().contains('\u{1b}') && !ran.stderr.contains('\u{1b}'), "{ran:?}");
}

#[test]
fn a_seed_fixes_the_stream() {
    // Without eviction, hits follow from the stream alone.
    let hits = |seed: &str| {
        let args = ["replay", "--requests", "5000", "--store", "moka:?max=16MiB", "--seed", seed, "--json"];
        ratio(&stores(&hallway(&args).exits(0).json())[0])
    };
    assert_eq!(hits("1"), hits("1"));
    assert_ne!(hits("1"), hits("2"));
}

#[test]
fn a_text_trace_has_the_hits_it_must_have() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("keys.txt");
    // 4 keys, 8 requests; colons and braces are part of an id.
    std::fs::write(&file, "a\nb\nuser:1\n\na\nb\n{x}\nuser:1\r\na\n").unwrap();
    let file = file.to_str().unwrap();
    for concurrency in ["1", "4"] {
        let args = ["replay", "--trace", file, "--store", "moka:", "--store", "sqlite::memory:", "--json"];
        let json = hallway(&[&args[..], &["--concurrency", concurrency]].concat()).exits(0).json();
        assert_eq!(json["requests"], 8);
        if concurrency == "1" {
            assert!(stores(&json).iter().all(|store| ratio(store) == 0.5), "{json}");
        }
    }
    let short = hallway(&["replay", "--trace", file, "--store", "moka:", "--requests", "3", "--json"]).exits(0).json();
    assert_eq!((&short["requests"], ratio(&stores(&short)[0])), (&Value::from(3), 0.0));
}

#[test]
fn traces_that_cannot_be_replayed_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, bytes: &[u8]| {
        let file = folder.path().join(name);
        std::fs::write(&file, bytes).unwrap();
        file.to_str().unwrap().to_owned()
    };
    let replay = |file: &str| hallway(&["replay", "--store", "moka:", "--trace", file]);
    replay("/nonexistent").exits(6).complains("/nonexistent");
    replay(&write("empty", b"")).exits(2).complains("no requests");
    replay(&write("binary", b"\xff\xfe\x00")).exits(6).complains("binary");
    replay(&write("damaged.xz", b"\xfd7zXZ\0\0\0damaged")).exits(6).complains("damaged.xz");
    replay(&write("long", &[b'x'; 600])).exits(2).complains("request 1 on moka:");
    replay(&write("control", b"a\na\tb\n")).exits(2).complains("request 2 on moka:");
}

/// `count` keys, each requested once, so that the number of requests and the hits tell of any that is lost.
fn text_keys(count: u32) -> Vec<u8> {
    (0..count).map(|key| format!("user:{key}\n")).collect::<String>().into_bytes()
}

fn xz_keys(count: u32) -> Vec<u8> {
    let mut writer = XzWriter::new(Vec::new(), XzOptions::with_preset(6)).expect("valid options");
    // Spread, so that the packed form is longer than a buffer.
    (0..count).for_each(|key| writer.write_all(&key.wrapping_mul(2_654_435_769).to_be_bytes()).expect("memory"));
    writer.finish().expect("memory")
}

#[test]
fn a_trace_on_a_pipe_is_replayed_from_its_first_byte() {
    const KEYS: u32 = 20_000;
    for bytes in [text_keys(KEYS), xz_keys(KEYS)] {
        assert!(bytes.len() > 4 * 8_192, "more than any buffer holds");
        let args = ["replay", "--trace", "/dev/stdin", "--store", "moka:?max=16MiB", "--json", "--quiet"];
        let json = hallway_fed(&args, &bytes).exits(0).json();
        assert_eq!((&json["requests"], ratio(&stores(&json)[0])), (&Value::from(KEYS), 0.0));
    }
}

#[test]
fn a_trace_in_a_fifo_is_opened_once() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = xz_keys(20_000);
    let fifo = folder.path().join("fifo");
    assert!(Command::new("mkfifo").arg(&fifo).status().expect("Debian package coreutils").success());
    let mut child = command()
        .args(["replay", "--store", "moka:", "--json", "--quiet", "--trace", fifo.to_str().unwrap()])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let writer = thread::spawn(move || {
        let mut file = File::options().write(true).open(fifo).unwrap();
        // Few at first: a format is told by its first bytes, however they arrive.
        file.write_all(&bytes[..3]).unwrap();
        thread::sleep(Duration::from_millis(50));
        file.write_all(&bytes[3..]).unwrap();
    });
    let start = Instant::now();
    while child.try_wait().unwrap().is_none() {
        if start.elapsed() > Duration::from_secs(30) {
            child.kill().unwrap();
            panic!("it waits for a second writer");
        }
        thread::sleep(Duration::from_millis(10));
    }
    let json = Ran::from(child.wait_with_output().unwrap()).exits(0).json();
    assert_eq!(json["requests"], 20_000);
    writer.join().unwrap();
}

/// Whether the process has a handler for SIGINT, which is signal 2.
fn catches_interrupts(pid: &str) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
    let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).expect("a list of signals");
    u64::from_str_radix(caught.trim(), 16).expect("hexadecimal") & 0b10 != 0
}

#[test]
fn an_interrupt_ends_it_while_a_pipe_is_silent() {
    let mut child = command()
        .args(["replay", "--quiet", "--store", "moka:", "--trace", "/dev/stdin"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    // More than tells the format, and then nothing, with the pipe open.
    stdin.write_all(b"user:1\nuser:2\n").unwrap();
    let (start, pid) = (Instant::now(), child.id().to_string());
    while !catches_interrupts(&pid) {
        assert!(start.elapsed() < Duration::from_secs(30), "no handler for interrupts");
        thread::sleep(Duration::from_millis(5));
    }
    assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
    while child.try_wait().unwrap().is_none() {
        if start.elapsed() > Duration::from_secs(60) {
            child.kill().unwrap();
            panic!("it waits for the pipe");
        }
        thread::sleep(Duration::from_millis(10));
    }
    drop(stdin);
    Ran::from(child.wait_with_output().unwrap()).exits(130);
}

#[test]
fn a_pipe_cannot_go_through_several_stores() {
    let several = ["replay", "--trace", "/dev/stdin", "--store", "moka:", "--store", "sqlite::memory:"];
    for args in [&several[..], &several[..3]] {
        let ran = hallway_fed(args, b"a\nb\n").exits(2).complains("save it to a file first");
        assert!(ran.stdout.is_empty(), "{ran:?}");
    }
    // A file that happens to be standard input can be read again.
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("keys.txt");
    std::fs::write(&file, "a\nb\n").unwrap();
    let output = command().args(several).arg("--json").stdin(File::open(file).unwrap()).output().unwrap();
    let json = Ran::from(output).exits(0).json();
    assert_eq!((&json["requests"], stores(&json).len()), (&Value::from(2), 2));
}

#[test]
fn options_that_contradict_each_other_are_refused() {
    let replay = |args: &[&str]| hallway(&[&["replay"], args].concat()).exits(2);
    replay(&["--capacity", "0"]);
    replay(&["--requests", "0"]);
    replay(&["--concurrency", "0"]);
    replay(&["--capacity", "5", "--store", "moka:?max=1MiB"]).complains("--capacity");
    replay(&["--capacity", "5", "--store", "sqlite::memory:"]).complains("--capacity");
    replay(&["--trace", "x", "--preset", "web12"]);
    replay(&["--trace", "x", "--seed", "1"]);
    replay(&["--store", "memcached://h"]).complains("unknown store scheme");
}

#[test]
fn a_store_that_is_not_there_is_found_before_anything_is_measured() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let url = format!("redis://127.0.0.1:{port}/0?deadline=500ms");
    let ran =
        hallway(&["replay", "--store", "moka:", "--store", &url]).exits(3).complains(&format!("127.0.0.1:{port}"));
    assert!(ran.stdout.is_empty(), "{ran:?}");
}

#[test]
fn only_its_own_namespace_is_touched_and_nothing_stays() {
    let server = RedisServer::shared();
    server.cli(&["set", "replay:other:1", "mine"]);
    server.cli(&["set", "mine", "too"]);
    let json = hallway(&["replay", "--requests", "2000", "--store", &server.url(), "--concurrency", "8", "--json"]);
    assert!(ratio(&stores(&json.exits(0).json())[0]) > 0.3);
    let mut left: Vec<_> = server.cli(&["keys", "*"]).lines().map(str::to_owned).collect();
    left.sort();
    assert_eq!(left, ["mine", "replay:other:1"]);
}

#[test]
fn a_changed_value_is_found_and_ends_the_replay() {
    let server = RedisServer::shared();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("same.txt");
    std::fs::write(&file, "the-one-key\n".repeat(5_000_000)).unwrap();
    let child = command()
        .args(["replay", "--quiet", "--store", &server.url(), "--trace", file.to_str().unwrap()])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let start = Instant::now();
    loop {
        assert!(start.elapsed() < Duration::from_secs(30), "the replay has not written its key");
        let keys = server.cli(&["keys", "replay:*:the-one-key"]);
        if let Some(key) = keys.lines().next().filter(|key| !key.is_empty()) {
            server.cli(&["setrange", key, "20", "!"]);
            break;
        }
    }
    let ran = Ran::from(child.wait_with_output().unwrap()).exits(6).complains("request ");
    assert!(ran.stderr.contains("redis://127.0.0.1") && ran.stderr.contains("not the one written"), "{ran:?}");
    assert!(ran.stdout.is_empty(), "{ran:?}");
    assert_eq!(server.cli(&["keys", "replay:*:the-one-key"]).trim(), "", "cleared after the failure too");
}

#[test]
fn an_interrupt_ends_it_and_clears_its_keys() {
    let server = RedisServer::shared();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("same.txt");
    std::fs::write(&file, "interrupted-key\n".repeat(5_000_000)).unwrap();
    let child = command()
        .args(["replay", "--quiet", "--store", &server.url(), "--trace", file.to_str().unwrap()])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let start = Instant::now();
    while server.cli(&["keys", "replay:*:interrupted-key"]).trim().is_empty() {
        assert!(start.elapsed() < Duration::from_secs(30), "the replay has not written its key");
    }
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    let ran = Ran::from(child.wait_with_output().unwrap()).exits(130);
    assert!(ran.stderr.contains("interrupted"), "{ran:?}");
    assert_eq!(server.cli(&["keys", "replay:*:interrupted-key"]).trim(), "");
}
