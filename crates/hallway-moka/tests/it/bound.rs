//! The store stays within its bound, and handles to it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use hallway_core::{Bytes, ErrorKind, Key, KvStore, Namespace, Prefix, SetOptions, StoreUrl, Ttl};
use hallway_moka::MokaStore;

fn key(id: u64) -> Key {
    Namespace::new("fill").unwrap().key(&id.to_string()).unwrap()
}

fn set(store: &MokaStore, id: u64, length: usize) {
    let value = Bytes::from(vec![0; length]);
    let written = store.set(&key(id), value, SetOptions::new(Ttl::Forever)).now_or_never().unwrap().unwrap();
    assert!(written.is_written());
}

/// What entries with values of one length weigh. By a scan, because reads would make moka enforce its bound.
fn held(store: &MokaStore, length: usize) -> u64 {
    let mut held = 0;
    let mut after = None;
    loop {
        let page = store.scan(&Prefix::root(), after, 10_000).now_or_never().unwrap().unwrap();
        held += page.keys.iter().map(|key| (key.as_bytes().len() + length + 128) as u64).sum::<u64>();
        match page.next {
            Some(next) => after = Some(next),
            None => return held,
        }
    }
}

/// Two writers as fast as they can while a third thread weighs what is there.
fn check_storm(max: u64, length: usize) {
    let store = MokaStore::builder().with_max_bytes(max).build().unwrap();
    let ended = AtomicBool::new(false);
    let most = thread::scope(|threads| {
        let weighing = threads.spawn(|| {
            let mut most = 0;
            while !ended.load(Ordering::Relaxed) {
                most = most.max(held(&store, length));
            }
            most
        });
        let writing: Vec<_> = (0..2)
            .map(|writer| {
                let store = &store;
                threads.spawn(move || {
                    let until = Instant::now() + Duration::from_millis(700);
                    let mut id = writer;
                    while Instant::now() < until {
                        set(store, id, length);
                        id += 2;
                    }
                })
            })
            .collect();
        for writer in writing {
            writer.join().unwrap();
        }
        ended.store(true, Ordering::Relaxed);
        weighing.join().unwrap()
    });
    assert!(most <= max + max / 2, "{most} of {max} bytes during the storm with values of {length}");
    store.run_pending_tasks();
    let after = held(&store, length);
    assert!(after <= max + max / 10, "{after} of {max} bytes after it with values of {length}");
    assert!(after >= max / 2, "{after} of {max} bytes kept");
}

#[test]
fn storms_of_small_values_stay_within_the_bound() {
    check_storm(4 << 20, 200);
}

#[test]
fn storms_of_large_values_stay_within_the_bound() {
    check_storm(64 << 20, 1 << 20);
}

#[test]
fn the_weight_is_key_and_value_and_128() {
    let store = MokaStore::builder().build().unwrap();
    set(&store, 1, 1_000);
    store.run_pending_tasks();
    assert_eq!(store.weighted_bytes(), "fill:1".len() as u64 + 1_000 + 128);
    set(&store, 1, 10);
    store.run_pending_tasks();
    assert_eq!(store.weighted_bytes(), "fill:1".len() as u64 + 10 + 128);
}

#[test]
fn a_bound_in_entries_counts_entries() {
    let url = StoreUrl::parse("moka:?max_entries=100").unwrap();
    let store = MokaStore::open_url(url).unwrap();
    for id in 0..10_000 {
        set(&store, id, 10);
    }
    store.run_pending_tasks();
    assert!((90..=110).contains(&store.entry_count()), "{}", store.entry_count());
    assert_eq!(store.weighted_bytes(), held(&store, 10));
}

#[test]
fn a_value_that_could_never_be_kept_is_too_large() {
    let store = MokaStore::open_url(StoreUrl::parse("moka:?max=100KiB").unwrap()).unwrap();
    let value = Bytes::from(vec![0; 100 << 10]);
    let error = store.set(&key(1), value, SetOptions::new(Ttl::Forever)).now_or_never().unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    set(&store, 1, (100 << 10) - 640);
    store.run_pending_tasks();
    assert!(store.try_get(&key(1)).is_some());
}

#[test]
fn clones_and_views_are_handles_to_the_same_data() {
    let store = MokaStore::builder().build().unwrap();
    let view: Arc<dyn KvStore> = store.with_deadline(Duration::ZERO);
    set(&store.clone(), 1, 10);
    assert_eq!(view.get(&key(1)).now_or_never().unwrap().unwrap().unwrap().len(), 10);
    drop(store);
    assert!(view.try_get(&key(1)).is_some());
}

#[test]
fn debug_shows_no_key() {
    let store = MokaStore::builder().build().unwrap();
    let secret = Namespace::new("session").unwrap().key("s3cr3t").unwrap();
    let _ = store.set(&secret, Bytes::from_static(b"pa55"), SetOptions::new(Ttl::Forever)).now_or_never().unwrap();
    store.run_pending_tasks();
    let shown = format!("{store:?}");
    assert!(shown.contains("held: 1") && !shown.contains("s3cr3t") && !shown.contains("pa55"), "{shown}");
}

#[test]
fn futures_can_be_sent_to_other_threads() {
    fn assert_send<T: Send>(_: T) {}
    let store = MokaStore::builder().build().unwrap();
    let key = key(1);
    assert_send(store.get(&key));
    assert_send(store.set(&key, Bytes::new(), SetOptions::new(Ttl::Forever)));
    assert_send(store.scan(&Prefix::root(), None, 1));
    assert_send(store.clear(&Prefix::root()));
}
