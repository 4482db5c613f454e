//! Races between writers of one key.

use std::sync::Barrier;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;

use futures_util::FutureExt;
use hallway_core::{Bytes, Key, KvStore, KvStoreExt, Namespace, SetOptions, Ttl};
use hallway_moka::MokaStore;

const THREADS: u64 = 8;

fn key(id: &str) -> Key {
    Namespace::new("race").unwrap().key(id).unwrap()
}

/// Calls never wait, so their futures are done at the first poll.
fn done<T>(future: impl Future<Output = hallway_core::Result<T>>) -> T {
    future.now_or_never().expect("calls never wait").unwrap()
}

#[test]
fn no_increment_is_lost() {
    let store = MokaStore::builder().build().unwrap();
    thread::scope(|threads| {
        for _ in 0..THREADS {
            threads.spawn(|| {
                for _ in 0..5_000 {
                    done(store.increment(&key("n"), 1, Ttl::Forever));
                }
            });
        }
    });
    assert_eq!(done(store.get(&key("n"))).unwrap(), (THREADS * 5_000).to_string());
}

#[test]
fn of_many_takers_one_wins() {
    let store = MokaStore::builder().build().unwrap();
    let rounds = 2_000;
    let (start, end) = (Barrier::new(THREADS as usize), Barrier::new(THREADS as usize));
    let wins = AtomicU64::new(0);
    thread::scope(|threads| {
        for thread in 0..THREADS {
            let (store, start, end, wins) = (&store, &start, &end, &wins);
            threads.spawn(move || {
                for _ in 0..rounds {
                    if thread == 0 {
                        let token = Bytes::from_static(b"token");
                        let _ = done(store.set(&key("once"), token, SetOptions::new(Ttl::Forever)));
                    }
                    start.wait();
                    wins.fetch_add(u64::from(done(store.take(&key("once"))).is_some()), Ordering::Relaxed);
                    end.wait();
                }
            });
        }
    });
    assert_eq!(wins.into_inner(), rounds);
}

/// An unconditional set between the look and the write of a compare-and-set must make it fail. Each value names its
/// predecessor, so that an overwritten set shows as a gap in the chain.
#[test]
fn a_compare_and_set_never_overwrites_a_plain_set() {
    let store = MokaStore::builder().build().unwrap();
    let key = key("cell");
    let opts = SetOptions::new(Ttl::Forever);
    for _ in 0..200 {
        let _ = done(store.set(&key, Bytes::from_static(b"0"), opts.clone()));
        let barrier = Barrier::new(2);
        let (swapped, last) = thread::scope(|threads| {
            let swapping = threads.spawn(|| {
                barrier.wait();
                let mut swapped = 0;
                for _ in 0..200 {
                    let seen = done(store.get(&key)).unwrap();
                    if seen.starts_with(b"p") {
                        continue;
                    }
                    let next = Bytes::from(format!("{}", 1 + swapped));
                    swapped += u64::from(done(store.compare_and_set(&key, Some(seen), next, Ttl::Forever)));
                }
                swapped
            });
            barrier.wait();
            // From here on the swapper must fail: it only swaps values that are no plain ones.
            let _ = done(store.set(&key, Bytes::from_static(b"plain"), opts.clone()));
            (swapping.join().unwrap(), done(store.get(&key)).unwrap())
        });
        assert_eq!(last, "plain", "after {swapped} swaps");
    }
}

#[test]
fn one_of_many_inserts_if_absent_wins() {
    let store = MokaStore::builder().build().unwrap();
    let wins = AtomicU64::new(0);
    thread::scope(|threads| {
        for _ in 0..THREADS {
            threads.spawn(|| {
                for round in 0..2_000 {
                    let won =
                        done(store.insert_if_absent(&key(&round.to_string()), Bytes::from_static(b"x"), Ttl::Forever));
                    wins.fetch_add(u64::from(won), Ordering::Relaxed);
                }
            });
        }
    });
    assert_eq!(wins.into_inner(), 2_000);
}

#[test]
fn the_update_loop_loses_nothing() {
    let store = MokaStore::builder().build().unwrap();
    let conflicts = AtomicU64::new(0);
    thread::scope(|threads| {
        for _ in 0..4 {
            threads.spawn(|| {
                for _ in 0..1_000 {
                    let add = |seen: Option<Bytes>| {
                        let count = seen.map_or(0, |seen| std::str::from_utf8(&seen).unwrap().parse::<u64>().unwrap());
                        Ok(Some(Bytes::from((count + 1).to_string())))
                    };
                    if store.update(&key("n"), Ttl::Forever, add).now_or_never().unwrap().is_err() {
                        conflicts.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    let sum: u64 = std::str::from_utf8(&done(store.get(&key("n"))).unwrap()).unwrap().parse().unwrap();
    assert_eq!(sum + conflicts.into_inner(), 4_000);
}
