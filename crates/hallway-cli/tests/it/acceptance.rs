//! Whole real traces through moka: as many hits as its policy owes, in memory that does not grow with the trace.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use hallway_study::trace::{ORM_BUSY, WEB12};
use serde_json::Value;

use crate::run::{Ran, command};
use crate::traces::{file, keys, not_measured};

const CAPACITY: usize = 1_024;

/// Of a debug build on a busy machine.
const PATIENCE: Duration = Duration::from_secs(600);

/// The window that unpacking these traces takes. It fills as the first 2,097,152 requests pass.
const WINDOW_KIB: u64 = 8 << 10;

/// How far apart peaks may be by chance. A trace of 5,000,000 requests takes 20 MB even as plain numbers.
const SLACK_KIB: u64 = 2 << 10;

#[test]
fn the_whole_of_orm_busy_hits_as_often_as_it_should_in_flat_memory() {
    if std::env::var_os("HALLWAY_TEST_QUICK").is_some() {
        return not_measured("the whole of orm-busy is left out of quick runs");
    }
    let (Some(large), Some(small)) = (file(&ORM_BUSY), file(&WEB12)) else { return };
    let (report, whole) = replay(&large, None);
    check(&report, &keys(&large), 0.789);

    let (_, half) = replay(&large, Some(2_500_000));
    assert!(whole <= half + SLACK_KIB, "peak of {whole} KiB for the whole trace, {half} KiB for the first half");
    // A trace taken into memory before the first request would show only here.
    let (_, small) = replay(&small, None);
    assert!(whole <= small + WINDOW_KIB + SLACK_KIB, "peak of {whole} KiB, {small} KiB for a small trace");
    println!("peaks: {small} KiB for a small trace, {half} KiB for half, {whole} KiB for the whole; {report}");
}

#[test]
fn the_whole_of_web12_hits_as_often_as_it_should() {
    let Some(file) = file(&WEB12) else { return };
    let (report, _) = replay(&file, None);
    check(&report, &keys(&file), 0.650);
}

/// moka hits at most a fifth less often than LRU, and no policy hits more often than the clairvoyant one.
fn check(report: &Value, keys: &[u32], known_lru: f64) {
    assert_eq!(report["requests"], keys.len(), "the whole trace");
    let keys = numbered(keys);
    let ratio = |hits: usize| hits as f64 / keys.len() as f64;
    let (lru, clairvoyant) = (ratio(lru_hits(&keys, CAPACITY)), ratio(clairvoyant_hits(&keys, CAPACITY)));
    assert!((lru - known_lru).abs() < 0.0006, "LRU hits {lru:.4} of this trace, and {known_lru} is known");
    let found = report["stores"][0]["hit_ratio"].as_f64().expect("a number");
    assert!((0.8 * lru..=clairvoyant).contains(&found), "{found} for an LRU of {lru} and a bound of {clairvoyant}");
}

/// Replays the first so many requests or all of them, and tells the most memory that it had at a time, in KiB.
fn replay(file: &Path, requests: Option<usize>) -> (Value, u64) {
    let mut child = command()
        .args(["replay", "--json", "--quiet", "--store", "moka:"])
        .args(["--capacity", &CAPACITY.to_string(), "--trace"])
        .arg(file)
        .args(requests.map(|requests| format!("--requests={requests}")))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the command starts");
    let status = format!("/proc/{}/status", child.id());
    let (start, mut peak) = (Instant::now(), 0);
    while child.try_wait().expect("a child of ours").is_none() {
        // The system keeps the peak, so that looking now and then misses no more than the last moments.
        peak = peak_kib(&fs::read_to_string(&status).unwrap_or_default()).unwrap_or(peak);
        if start.elapsed() > PATIENCE {
            child.kill().expect("a child of ours");
            panic!("no end after {PATIENCE:?}");
        }
        thread::sleep(Duration::from_millis(5));
    }
    assert!(peak > 0, "no VmHWM in {status}");
    (Ran::from(child.wait_with_output().expect("a child of ours")).exits(0).json(), peak)
}

/// `None` once the process has ended.
fn peak_kib(status: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().strip_suffix(" kB").expect("in kB").parse().expect("a number"))
}

/// The same stream with keys from 0 on.
fn numbered(keys: &[u32]) -> Vec<usize> {
    let mut numbers = HashMap::new();
    keys.iter()
        .map(|key| {
            let next = numbers.len();
            *numbers.entry(*key).or_insert(next)
        })
        .collect()
}

/// Hits of a cache that forgets what was not asked for the longest.
fn lru_hits(keys: &[usize], capacity: usize) -> usize {
    // When each key was last asked for, while it is held.
    let mut held: Vec<Option<usize>> = vec![None; keys.len()];
    // Everything asked for, in order; what was asked for again later is passed over.
    let mut order = VecDeque::new();
    let (mut len, mut hits) = (0, 0);
    for (now, key) in keys.iter().enumerate() {
        order.push_back((now, *key));
        if held[*key].replace(now).is_some() {
            hits += 1;
            continue;
        }
        len += 1;
        while len > capacity {
            let (then, oldest) = order.pop_front().expect("what is held is in here");
            if held[oldest] == Some(then) {
                held[oldest] = None;
                len -= 1;
            }
        }
    }
    hits
}

/// Hits of a cache that knows the future (Belady's MIN): it forgets what is asked for again last, and does not take in
/// at all what would be forgotten first. No policy of the same capacity has more.
fn clairvoyant_hits(keys: &[usize], capacity: usize) -> usize {
    const NEVER: usize = usize::MAX;
    let mut next = vec![NEVER; keys.len()];
    let mut seen = vec![NEVER; keys.len()];
    for (now, key) in keys.iter().enumerate().rev() {
        next[now] = std::mem::replace(&mut seen[*key], now);
    }
    // What is held, as the time of its next request.
    let mut held = BTreeSet::new();
    let mut hits = 0;
    for (now, next) in next.into_iter().enumerate() {
        // Nothing earlier than now is in there.
        if held.first() == Some(&now) {
            held.pop_first();
            hits += 1;
        }
        if next != NEVER {
            held.insert(next);
            if held.len() > capacity {
                held.pop_last();
            }
        }
    }
    hits
}

#[test]
fn the_bounds_are_those_counted_by_hand() {
    // With two places LRU forgets each key just before it is asked for; the clairvoyant keeps 1 and 2.
    let keys = numbered(&[1, 2, 3, 1, 2, 3]);
    assert_eq!((lru_hits(&keys, 2), clairvoyant_hits(&keys, 2)), (0, 2));
    let keys = numbered(&[7, 7, 8, 7, 9, 8, 7]);
    assert_eq!((lru_hits(&keys, 2), clairvoyant_hits(&keys, 2)), (2, 4));
    assert_eq!((lru_hits(&keys, 3), clairvoyant_hits(&keys, 3)), (4, 4));
}
