//! Wrong input: refused with exit code 2 and a line that says what to do instead.

use crate::run::{hallway, hallway_fed};

const STORE: [&str; 2] = ["--store", "sqlite::memory:"];

fn refused(args: &[&str], words: &str) {
    let ran = hallway(&[args, &STORE].concat()).exits(2).complains(words);
    assert!(ran.stdout.is_empty(), "{ran:?}");
}

#[test]
fn keys_that_no_store_takes() {
    let long = "k".repeat(513);
    for verb in [&["get"][..], &["delete"], &["touch", "--ttl", "1h"], &["set", "--ttl", "1h"]] {
        let with = |key| {
            let (verb, rest) = verb.split_first().unwrap();
            let value: &[&str] = if *verb == "set" { &["v"] } else { &[] };
            [&[*verb, key][..], value, rest].concat()
        };
        refused(&with(""), "must not be empty");
        refused(&with(&long), "at most 512 bytes");
        refused(&with("a\nb"), "control characters");
        refused(&with("a\u{7f}b"), "control characters");
        refused(&with("a{b}"), "%7B");
        refused(&with("a::b"), "must not be empty");
    }
    let longest = "k".repeat(512);
    hallway(&[&["get", &longest], &STORE[..]].concat()).exits(1);
}

#[test]
fn ttls_that_no_store_takes() {
    for verb in [&["set", "k", "v"][..], &["touch", "k"]] {
        let with = |ttl| [verb, &["--ttl", ttl]].concat();
        refused(&with("0s"), "longer than 0");
        refused(&with("-5m"), "longer than 0");
        refused(&with("11years"), "at most 10 years");
        refused(&with("300"), "unit");
        refused(&with("soon"), "forever");
        refused(verb, "--ttl");
    }
    // Less than a millisecond is rounded up, as in every store.
    hallway(&[&["set", "k", "v", "--ttl", "10us"], &STORE[..]].concat()).exits(0);
}

#[test]
fn values_over_the_cap() {
    let over = vec![b'x'; (16 << 20) + 1];
    hallway_fed(&[&["set", "k", "-", "--ttl", "1h"], &STORE[..]].concat(), &over).exits(2).complains("cap");
}

#[test]
fn stores_that_cannot_be() {
    let get = |store: &str| hallway(&["get", "k", "--store", store]).exits(2);
    get("memcached://host").complains("known schemes: moka, redis");
    get("moka:?capcity=5").complains("unknown option `capcity`");
    get("moka:?max=lots").complains("option `max` needs a size");
    get("sqlite::memory:?deadline=0s").complains("`deadline`");
    get("sqlite::memory:?table=a%22b").complains("`table`");
    get("redis+cluster://host").complains("later");
    get("no URL at all").complains("not a store URL");
    hallway(&["get", "k"]).exits(2).complains("HALLWAY_STORE");
    hallway(&["get", "k", "--store", "moka:", "--store-file", "x"]).exits(2);
    hallway(&["get", "k", "--store-file", "/nonexistent/url"]).exits(2).complains("/nonexistent/url");
    hallway(&["frobnicate"]).exits(2);
    hallway(&["scan", "--limit", "0", "--store", "moka:"]).exits(2);
}

#[test]
fn a_server_that_is_not_there_has_its_own_exit_code() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    for scheme in ["redis", "postgres"] {
        let url = format!("{scheme}://127.0.0.1:{port}/0");
        hallway(&["get", "k", "--store", &url]).exits(3).complains(scheme);
        hallway(&["ping", "--store", &url]).exits(3).complains(scheme);
    }
}

/// Our own examples hold what looks like a login.
#[test]
fn help_goes_to_standard_output_unchanged() {
    let ran = hallway(&["get", "--help"]).exits(0);
    assert!(ran.text().contains("postgres://user@host/db"), "{ran:?}");
    assert!(ran.stderr.is_empty(), "{ran:?}");
}

#[test]
fn help_names_the_exit_codes_and_the_variables() {
    let help = hallway(&["--help"]).exits(0);
    for word in ["Exit codes", "HALLWAY_STORE", "HALLWAY_PASSWORD", "replay", "schema"] {
        assert!(help.text().contains(word), "`{word}` is missing: {}", help.text());
    }
}
