//! Exact results against models that are too plain to be wrong, on many small streams.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use hallway_study::trace::mix::Stream;
use hallway_study::trace::{Distances, Log, OnWrite, Op, Request, clairvoyant_hits};
use proptest::prelude::*;

/// A cache as a list of its keys, the latest first.
fn lru(requests: &[Request], entries: usize, on_write: OnWrite) -> u64 {
    let mut held = VecDeque::new();
    let mut hits = 0;
    for request in requests {
        let found = held.iter().position(|key| *key == request.key).and_then(|at| held.remove(at)).is_some();
        hits += u64::from(found && request.op == Op::Read);
        if stays(request.op, on_write) {
            held.push_front(request.key);
            held.truncate(entries);
        }
    }
    hits
}

/// The most hits that any choice of what to hold can have, by trying all of them.
fn best(requests: &[Request], entries: usize, on_write: OnWrite) -> u64 {
    // By what is held: the most hits with which that can be.
    let mut states = BTreeMap::from([(BTreeSet::new(), 0)]);
    for request in requests {
        let mut after = BTreeMap::new();
        for (mut held, hits) in states {
            let hits = hits + u64::from(held.remove(&request.key) && request.op == Op::Read);
            let mut choices = vec![held.clone()];
            if stays(request.op, on_write) {
                held.insert(request.key);
                choices.extend(held.iter().map(|given_up| {
                    let mut rest = held.clone();
                    rest.remove(given_up);
                    rest
                }));
                choices.push(held);
            }
            for held in choices.into_iter().filter(|held: &BTreeSet<u32>| held.len() <= entries) {
                let most = after.entry(held).or_insert(0);
                *most = hits.max(*most);
            }
        }
        states = after;
    }
    states.into_values().max().unwrap_or(0)
}

fn stays(op: Op, on_write: OnWrite) -> bool {
    match op {
        Op::Read => true,
        Op::Write => on_write == OnWrite::Keep,
        Op::Delete => false,
    }
}

/// Mostly reads.
fn requests(keys: u32, most: usize) -> impl Strategy<Value = Vec<Request>> {
    let op = prop_oneof![6 => Just(Op::Read), 2 => Just(Op::Write), 1 => Just(Op::Delete)];
    prop::collection::vec((0..keys, op).prop_map(|(key, op)| Request { key, op, bytes: None }), 0..most)
}

fn on_write() -> impl Strategy<Value = OnWrite> {
    prop_oneof![Just(OnWrite::Keep), Just(OnWrite::Invalidate)]
}

proptest! {
    #[test]
    fn reuse_distances_are_an_lru_cache_of_every_size(requests in requests(12, 200), on_write in on_write()) {
        let mut distances = Distances::new();
        for request in &requests {
            distances.request(*request, on_write);
        }
        let curve = distances.curve();
        for entries in 0..14 {
            prop_assert_eq!(curve.hits_at(entries as u64), lru(&requests, entries, on_write), "{} entries", entries);
        }
    }

    #[test]
    fn the_clairvoyant_is_the_best_of_all_choices(
        requests in requests(6, 24), entries in 0_usize..4, on_write in on_write()
    ) {
        let found = clairvoyant_hits(&requests.iter().copied().collect::<Log>(), entries, on_write, &mut |_| {});
        prop_assert_eq!(found, best(&requests, entries, on_write));
    }
}

#[test]
fn slots_that_run_out_change_nothing() {
    for seed in 0..4 {
        // More requests than the first slots, and more keys than half of them.
        let mut random = Stream::new(seed);
        let request = |draw: u64| {
            let op = match draw % 16 {
                0 => Op::Delete,
                1 => Op::Write,
                _ => Op::Read,
            };
            Request { key: (draw >> 8) as u32 % 900, op, bytes: None }
        };
        let requests: Vec<_> = (0..6_000).map(|_| request(random.next())).collect();
        let mut distances = Distances::new();
        for request in &requests {
            distances.request(*request, OnWrite::Keep);
        }
        let curve = distances.curve();
        for entries in [1, 100, 600, 899] {
            assert_eq!(curve.hits_at(entries as u64), lru(&requests, entries, OnWrite::Keep), "{entries}, {seed}");
        }
    }
}
