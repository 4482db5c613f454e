//! `hallway get` on copies, and `hallway verify`, on real servers.

use hallway_testkit::servers::PostgresServer;
use serde_json::json;

use crate::run::hallway;
use crate::tiers::Place;

#[test]
fn a_copy_is_shown_apart() {
    let place = Place::new();
    place.copy("user:profile:42", "Ada");
    let get = |args: &[&str]| hallway(&[&["get", "copy:user:profile:42", "--store", &place.shared], args].concat());
    let text = get(&[]).exits(0);
    assert_eq!(text.stdout, b"Ada", "the payload alone, for a pipe");
    assert!(text.stderr.contains("copy: V1 bytes ttl=") && text.stderr.contains("age: "), "{text:?}");
    assert!(get(&["--raw"]).exits(0).stdout.starts_with(b"V1 bytes ttl="));
    let answer = get(&["--json"]).exits(0).json();
    assert_eq!((&answer["state"], &answer["value"]), (&json!("value"), &json!("Ada")), "{answer}");
    assert_eq!(answer["header"]["codec"], "bytes");
    assert!(answer["header"]["line"].as_str().unwrap().starts_with("V1 bytes "), "{answer}");
}

#[test]
fn leases_and_markers_are_no_values() {
    let place = Place::new();
    let set = |value: &str| place.redis.cli(&["set", "copy:k", value, "px", "60000"]);
    let get = |args: &[&str]| hallway(&[&["get", "copy:k", "--store", &place.shared], args].concat());
    set("L00000000000000ab");
    let lease = get(&[]).exits(1);
    assert!(lease.stdout.is_empty() && lease.stderr.contains("lease: 00000000000000ab"), "{lease:?}");
    assert_eq!(get(&["--json"]).exits(1).json()["state"], "lease");
    set("M00000000000000ab:1700000000000;00000000000000ac:1700000000001;");
    let markers = get(&["--json"]).exits(1).json();
    assert_eq!((&markers["state"], &markers["found"]), (&json!("markers"), &json!(false)));
    assert_eq!(markers["holders"][1], json!({"token": "00000000000000ac", "until": "2023-11-14T22:13:20.001Z"}));
    // Somebody's own value below `copy:` is a value like any other.
    set("Verily");
    assert_eq!(get(&[]).exits(0).stdout, b"Verily");
}

fn verify_finds(place: &Place, flags: &[&str]) {
    let set = |value: &str| {
        hallway(&["set", "user:profile:hunter2", value, "--ttl", "1h", "--store", &place.consistent]).exits(0);
    };
    place.copy("user:profile:hunter2", "Ada");
    place.copy("other:1", "Bob");
    let args = [&["verify", "--sample", "1", "--wait", "100ms"], flags].concat();
    let run = |more: &[&str]| place.run(&[&args[..], more].concat());
    let fine = run(&["--json"]).exits(0).json();
    assert_eq!((&fine["copies"], &fine["sampled"], &fine["stale"]), (&json!(2), &json!(2), &json!(0)), "{fine}");
    assert!(run(&[]).exits(0).text().contains("no stale copy"));

    // Behind the tiers' back.
    set("Grace");
    let stale = run(&["--json"]).exits(1).json();
    assert_eq!((&stale["stale"], &stale["rounds"][1]["differing"]), (&json!(1), &json!(1)), "{stale}");
    assert!(stale["stale_keys"][0].as_str().unwrap().starts_with("user:profile#"), "{stale}");
    let text = run(&[]).exits(1);
    assert!(text.text().contains("1 stale: user:profile#"), "{text:?}");
    assert!(!format!("{text:?} {stale}").contains("hunter2"), "a whole key is shown: {text:?}");
    run(&["--prefix", "other"]).exits(0);

    // Several waits, each a round.
    let rounds = run(&["--wait", "200ms", "--json"]).exits(1).json();
    let after: Vec<_> = rounds["rounds"].as_array().unwrap().iter().map(|round| round["after_ms"].as_u64()).collect();
    assert_eq!(after, [Some(0), Some(100), Some(200)]);

    // A deleted value has no good copy either; one that is gone is nothing to complain about.
    hallway(&["delete", "user:profile:hunter2", "--store", &place.consistent]).exits(0);
    run(&[]).exits(1);
    place.redis.cli(&["del", "copy:user:profile:hunter2"]);
    run(&[]).exits(0);
}

#[test]
fn a_stale_copy_of_sqlite_is_found_by_tag() {
    verify_finds(&Place::new(), &[]);
}

#[test]
fn a_stale_copy_of_postgres_is_found_by_tag() {
    let mut place = Place::new();
    place.consistent = format!("{}?table=verify_{}", PostgresServer::shared().url(), std::process::id());
    verify_finds(&place, &[]);
}

#[test]
fn copies_of_loaders_and_keys_in_use_are_counted_and_left_alone() {
    let place = Place::new();
    place.copy("a:1", "Ada");
    // A copy as a cache leaves it, with the CRC-32C of its payload.
    let copy =
        "V1 json ttl=60000 soft=60000 cost=5 id=00000000000000ab crc=e3069283 created=2026-01-01T00:00:00Z\n123456789";
    place.redis.cli(&["set", "copy:b:1", copy, "px", "60000"]);
    place.redis.cli(&["set", "copy:b:2", "L00000000000000ab", "px", "60000"]);
    let found = place.run(&["verify", "--sample", "1", "--wait", "10ms", "--json"]).exits(0).json();
    let figures = ["copies", "loaded", "busy", "sampled"].map(|name| found[name].as_u64().unwrap());
    assert_eq!(figures, [3, 1, 1, 1], "{found}");
    assert_eq!(place.redis.cli(&["get", "copy:b:2"]).trim(), "L00000000000000ab");
}

#[test]
fn a_server_that_is_down_is_no_clean_bill() {
    let args = ["verify", "--shared", "redis://127.0.0.1:1", "--consistent", "sqlite::memory:"];
    hallway(&args).exits(3).complains("redis");
}
