//! `hallway watch`: what it shows, and how it ends.

use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::run::{Ran, command, hallway};
use crate::tiers::Place;

fn looks(ran: &Ran) -> Vec<Value> {
    ran.text().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn it_shows_hits_link_bound_and_what_is_owed() {
    let place = Place::new();
    for number in 0..4 {
        place.copy(&format!("user:{number}"), "Ada");
    }
    let ran = place.run(&["watch", "--count", "20", "--interval", "50ms", "--json"]).exits(0);
    let looks = looks(&ran);
    assert_eq!(looks.len(), 20);
    let last = &looks[19];
    let hits = |tier: usize| last["tiers"][tier]["hits"].as_u64().unwrap();
    assert!(hits(0) > 0 && hits(1) >= 4, "read from the shared tier once, from its own copies later: {last}");
    assert_eq!((&last["link"], &last["owed"], &last["outbox"]), (&"up".into(), &0.into(), &0.into()), "{last}");
    assert_eq!(last["copies"]["values"], 4, "{last}");
    assert!(last["bound"].as_str().unwrap().contains("writer cut off"), "{last}");
    assert!(last["proven_ms"].as_f64().unwrap() < 1_000.0, "{last}");
}

#[test]
fn a_line_each_where_there_is_no_terminal() {
    let ran = hallway(&["watch", "--count", "2", "--interval", "50ms", "--local", "moka:"]).exits(0);
    assert_eq!(ran.text().lines().count(), 2, "{ran:?}");
    assert!(ran.text().contains("local ready") && !ran.text().contains('\u{1b}'), "{ran:?}");
}

#[test]
fn it_goes_on_while_a_tier_is_down_and_says_so() {
    let args = ["watch", "--count", "2", "--interval", "50ms", "--json", "--shared", "redis://:hunter2@127.0.0.1:1"];
    let ran = hallway(&[&args[..], &["--local", "moka:", "--consistent", "sqlite::memory:"]].concat()).exits(0);
    let last = &looks(&ran)[1];
    assert_eq!((&last["tiers"][1]["health"], &last["link"]), (&"down".into(), &"down".into()), "{last}");
    assert_eq!(last["tiers"][2]["health"], "ready");
    assert!(!format!("{ran:?}").contains("hunter2"), "{ran:?}");
}

#[test]
fn an_interrupt_ends_it_without_complaint() {
    let mut child = command()
        .args(["watch", "--interval", "100ms", "--local", "moka:"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut reader = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    assert!(line.contains("local ready"), "{line}");
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    // Read on, so that it is not the closed pipe that ends it.
    std::io::copy(&mut reader, &mut std::io::sink()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.code(), &output.stderr[..]), (Some(0), &b""[..]), "{output:?}");
}
