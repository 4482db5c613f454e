//! The store as the local tier: copies beside its entries.

use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use hallway_core::{Bytes, DeleteIf, Key, KvStore, LocalTier, Namespace, Object, Prefix, SetOptions, StoreUrl, Ttl};
use hallway_moka::MokaStore;
use hallway_testkit::ManualClock;
use hallway_testkit::model::{self, ModelConfig};

const MILLI: u64 = 1_000;
const NEVER: u64 = u64::MAX;

/// What the bound counts beyond key and bytes.
const OVERHEAD: u64 = 128;

fn key(id: &str) -> Key {
    Namespace::new("user:profile").unwrap().key(id).unwrap()
}

fn copy(number: u64) -> Object {
    Arc::new(number)
}

fn store() -> (MokaStore, ManualClock) {
    let clock = ManualClock::new();
    (MokaStore::builder().with_clock(Arc::new(clock.clone())).build().unwrap(), clock)
}

/// The number that was kept.
fn found(store: &MokaStore, id: &str) -> Option<u64> {
    store.copy(key(id).as_str()).map(|copy| *copy.downcast::<u64>().unwrap())
}

fn set(store: &MokaStore, id: &str, value: &'static str) {
    let opts = SetOptions::new(Ttl::Forever);
    let outcome = store.set(&key(id), Bytes::from_static(value.as_bytes()), opts).now_or_never().unwrap().unwrap();
    assert!(outcome.is_written());
}

#[test]
fn a_copy_is_the_object_that_was_kept() {
    let (store, _) = store();
    let local = store.as_local().expect("a MokaStore can be the local tier");
    let kept: Object = Arc::new(String::from("Ada"));
    assert!(local.copy(key("42").as_str()).is_none());
    local.keep(&key("42"), kept.clone(), NEVER, 100);
    assert!(Arc::ptr_eq(&local.copy(key("42").as_str()).unwrap(), &kept));
    assert!(local.copy(key("43").as_str()).is_none());
    local.keep(&key("42"), copy(7), NEVER, 100);
    assert_eq!(found(&store, "42"), Some(7));
    local.forget(&key("42"));
    assert!(local.copy(key("42").as_str()).is_none());
    local.forget(&key("42"));
}

/// A clone, a deadline view and a `dyn` handle are the same tier.
#[test]
fn handles_share_their_copies() {
    let (store, _) = store();
    store.clone().keep(&key("42"), copy(1), NEVER, 8);
    let view = store.with_deadline(Duration::from_secs(1));
    assert!(view.as_local().unwrap().copy(key("42").as_str()).is_some());
}

#[test]
fn no_verb_sees_a_copy() {
    let (store, _) = store();
    let key = key("42");
    store.keep(&key, copy(7), NEVER, 8);
    assert!(store.try_get(&key).is_none());
    assert!(store.get(&key).now_or_never().unwrap().unwrap().is_none());
    assert!(store.get_entry(&key).now_or_never().unwrap().unwrap().is_none());
    assert!(!store.touch(&key, Ttl::Forever).now_or_never().unwrap().unwrap());
    assert!(!store.delete(&key).now_or_never().unwrap().unwrap());
    assert!(!store.delete_if(&key, DeleteIf::Equals(Bytes::new())).now_or_never().unwrap().unwrap());
    assert!(store.take(&key).now_or_never().unwrap().unwrap().is_none());
    let present = SetOptions::new(Ttl::Forever).if_present();
    assert!(!store.set(&key, Bytes::new(), present.clone()).now_or_never().unwrap().unwrap().is_written());
    assert!(store.scan(&Prefix::root(), None, 10).now_or_never().unwrap().unwrap().keys.is_empty());
    assert!(store.clear(&Prefix::new("user").unwrap()).now_or_never().unwrap().unwrap() == 0);
    assert_eq!(found(&store, "42"), Some(7), "and none of them touched it");
    assert_eq!(store.increment(&key, 5, Ttl::Forever).now_or_never().unwrap().unwrap(), 5);
    assert_eq!(found(&store, "42"), Some(7));
}

#[test]
fn an_entry_and_a_copy_of_one_key_go_their_own_ways() {
    let (store, _) = store();
    set(&store, "42", "entry");
    store.keep(&key("42"), copy(7), NEVER, 8);
    assert_eq!(store.try_get(&key("42")).as_deref(), Some(&b"entry"[..]));
    assert_eq!(found(&store, "42"), Some(7));
    store.run_pending_tasks();
    assert_eq!(store.entry_count(), 1);
    store.forget(&key("42"));
    assert_eq!(store.try_get(&key("42")).as_deref(), Some(&b"entry"[..]));
    store.keep(&key("42"), copy(8), NEVER, 8);
    assert!(store.delete(&key("42")).now_or_never().unwrap().unwrap());
    assert_eq!(found(&store, "42"), Some(8));
    store.run_pending_tasks();
    assert_eq!(store.entry_count(), 0);
}

/// The model of the contract, while another thread keeps and forgets copies of whatever keys it uses.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_contract_holds_amid_copies() {
    let (store, clock) = store();
    let ended = Arc::new(AtomicBool::new(false));
    let meddling = {
        let (store, ended) = (store.clone(), ended.clone());
        thread::spawn(move || {
            let mut kept = 0;
            while !ended.load(Ordering::Relaxed) {
                let page = store.scan(&Prefix::root(), None, 1_000).now_or_never().unwrap().unwrap();
                for key in page.keys {
                    kept += 1;
                    store.keep(&key, copy(kept), NEVER, 8);
                    let _ = store.copy(key.as_str());
                    if kept % 3 == 0 {
                        store.forget(&key);
                    }
                }
            }
            kept
        })
    };
    let summary = model::run(ModelConfig::default(), Arc::new(store), Some(clock)).await;
    ended.store(true, Ordering::Relaxed);
    assert!(meddling.join().unwrap() > 0);
    assert!(summary.unwrap().operations >= 10_000);
}

#[test]
fn a_copy_lives_to_its_deadline_and_no_longer() {
    let (store, clock) = store();
    let deadline = store.clock().now() + 10 * MILLI;
    store.keep(&key("42"), copy(7), deadline, 8);
    clock.advance(Duration::from_micros(10 * MILLI - 1));
    assert_eq!(found(&store, "42"), Some(7));
    clock.advance(Duration::from_micros(1));
    assert_eq!(found(&store, "42"), None);
    store.run_pending_tasks();
    assert_eq!(store.weighted_bytes(), 0, "whoever met it has removed it");
    store.keep(&key("42"), copy(7), deadline, 8);
    assert_eq!(found(&store, "42"), None, "kept too late");
}

#[test]
fn dead_copies_that_nobody_reads_are_swept() {
    let (store, clock) = store();
    let now = store.clock().now();
    for id in 0..5_000 {
        store.keep(&key(&format!("short {id}")), copy(id), now + 5 * MILLI, 8);
        store.keep(&key(&format!("long {id}")), copy(id), now + 50 * MILLI, 8);
    }
    set(&store, "entry", "x");
    assert_eq!(store.sweep(), 0);
    clock.advance(Duration::from_millis(5));
    assert_eq!(store.sweep(), 5_000);
    assert_eq!(found(&store, "long 7"), Some(7));
    clock.advance(Duration::from_millis(45));
    // By the thread of the process this time.
    let patience = Instant::now() + Duration::from_secs(30);
    let entry = key("entry").as_bytes().len() as u64 + 1 + OVERHEAD;
    while {
        store.run_pending_tasks();
        store.weighted_bytes() > entry
    } {
        assert!(Instant::now() < patience, "{} bytes left", store.weighted_bytes());
        thread::sleep(Duration::from_millis(20));
    }
}

/// A reader that met a dead copy must not remove the one that took its place.
#[test]
fn fresh_copies_survive_readers_and_sweeps_of_dead_ones() {
    let (store, clock) = store();
    let until = Instant::now() + Duration::from_secs(1);
    thread::scope(|threads| {
        threads.spawn(|| {
            while Instant::now() < until {
                let _ = found(&store, "1");
            }
        });
        threads.spawn(|| {
            while Instant::now() < until {
                store.sweep();
            }
        });
        let (mut rounds, mut lost) = (0_u64, 0_u64);
        while Instant::now() < until {
            store.keep(&key("1"), copy(rounds), store.clock().now() + MILLI, 8);
            clock.advance(Duration::from_millis(1));
            store.keep(&key("1"), copy(rounds), NEVER, 8);
            lost += u64::from(found(&store, "1") != Some(rounds));
            rounds += 1;
        }
        assert_eq!(lost, 0, "of {rounds}");
    });
}

#[test]
fn copies_count_for_the_bound_like_entries() {
    let (store, _) = store();
    let length = key("42").as_bytes().len() as u64;
    store.keep(&key("42"), copy(7), NEVER, 1_000);
    store.run_pending_tasks();
    assert_eq!(store.weighted_bytes(), length + 1_000 + OVERHEAD);
    set(&store, "42", "x");
    store.keep(&key("42"), copy(7), NEVER, 10);
    store.run_pending_tasks();
    assert_eq!(store.weighted_bytes(), 2 * (length + OVERHEAD) + 10 + 1);
    let bounded = MokaStore::open_url(StoreUrl::parse("moka:?max_entries=100").unwrap()).unwrap();
    for id in 0..10_000 {
        bounded.keep(&key(&id.to_string()), copy(id), NEVER, 10);
    }
    bounded.run_pending_tasks();
    let held = (0..10_000).filter(|id| found(&bounded, &id.to_string()).is_some()).count();
    assert!((90..=110).contains(&held), "{held}");
}

/// What of copies is alive, counted by itself.
struct Counted {
    alive: Arc<AtomicU64>,
    payload: Vec<u8>,
}

impl Counted {
    fn object(alive: &Arc<AtomicU64>, bytes: u64) -> Arc<dyn Any + Send + Sync> {
        alive.fetch_add(bytes, Ordering::SeqCst);
        Arc::new(Self { alive: alive.clone(), payload: vec![7; bytes as usize] })
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.alive.fetch_sub(self.payload.len() as u64, Ordering::SeqCst);
    }
}

/// Two threads as fast as they can, one with copies, one with entries and copies: neither the weights nor the objects
/// alive run away from the bound.
#[test]
fn storms_of_copies_and_entries_stay_within_the_bound() {
    for (max, bytes) in [(4 << 20, 200), (64 << 20, 1 << 20)] {
        let store = MokaStore::builder().with_max_bytes(max).build().unwrap();
        let alive = Arc::new(AtomicU64::new(0));
        let mut most = 0;
        thread::scope(|threads| {
            let writing: Vec<_> = (0..2)
                .map(|writer| {
                    let (store, alive) = (&store, &alive);
                    threads.spawn(move || {
                        let until = Instant::now() + Duration::from_millis(700);
                        let mut id = 0;
                        while Instant::now() < until {
                            let key = key(&format!("{writer} {id}"));
                            store.keep(&key, Counted::object(alive, bytes), NEVER, bytes as usize);
                            if writer == 1 && id % 2 == 0 {
                                let value = Bytes::from(vec![0; bytes as usize]);
                                let opts = SetOptions::new(Ttl::Forever);
                                assert!(store.set(&key, value, opts).now_or_never().unwrap().is_ok());
                            }
                            id += 1;
                        }
                    })
                })
                .collect();
            while writing.iter().any(|writer| !writer.is_finished()) {
                most = most.max(alive.load(Ordering::SeqCst));
                thread::sleep(Duration::from_millis(1));
            }
        });
        // What has left the map is freed a little later, when no reader can look at it any more.
        assert!(most <= 4 * max, "{most} of {max} bytes of copies alive during the storm");
        store.run_pending_tasks();
        let held = store.weighted_bytes();
        assert!(held >= max / 2 && held <= max + max / 10, "{held} of {max} bytes after it");
        drop(store);
        let patience = Instant::now() + Duration::from_secs(30);
        while alive.load(Ordering::SeqCst) > 0 {
            assert!(Instant::now() < patience, "{alive:?} bytes of copies outlived the store");
            // Freeing goes on while any store is in use.
            MokaStore::builder().build().unwrap().run_pending_tasks();
        }
    }
}

/// moka itself lets 64 and more writes wait before it looks at the bound.
#[test]
fn heavy_copies_do_not_wait_for_the_bound() {
    let store = MokaStore::builder().with_max_bytes(8 << 20).build().unwrap();
    for id in 0..40 {
        store.keep(&key(&id.to_string()), copy(id), NEVER, 1 << 20);
    }
    let held = (0..40).filter(|id| found(&store, &id.to_string()).is_some()).count();
    assert!((4..=10).contains(&held), "{held} MiB held of 8");
}

/// Keeping and forgetting, and letting die, leaves nothing behind: neither objects nor memory of the map.
#[test]
fn nothing_grows_with_use() {
    let (store, clock) = store();
    let alive = Arc::new(AtomicU64::new(0));
    let round = || {
        for id in 0..1_000 {
            let key = key(&id.to_string());
            let deadline = store.clock().now() + MILLI;
            store.keep(&key, Counted::object(&alive, 1), deadline, 100);
            if id % 2 == 0 {
                store.forget(&key);
            }
        }
        clock.advance(Duration::from_millis(1));
        store.sweep();
        store.run_pending_tasks();
    };
    for _ in 0..20 {
        round();
    }
    // moka frees in batches, and not while a thread of another test is held up in the middle of a look: what leaks leaks
    // each time.
    let grown = || {
        let counted = allocation_counter::measure(|| (0..100).for_each(|_| round()));
        counted.bytes_current
    };
    assert!((0..5).any(|_| grown() < 1 << 20), "each time 100 rounds leave more than 1 MiB");
    assert_eq!(store.weighted_bytes(), 0);
    assert!(alive.load(Ordering::SeqCst) <= 2_000, "{alive:?} objects wait to be freed");
}

#[test]
fn a_hit_on_a_copy_allocates_nothing() {
    let store = MokaStore::builder().build().unwrap();
    let keys: Vec<Key> = (0..64).map(|id| key(&id.to_string())).collect();
    for (number, key) in keys.iter().enumerate() {
        let deadline = store.clock().now() + 3_600_000 * MILLI;
        store.keep(key, copy(number as u64), deadline, 8);
    }
    // The read log of moka and the epochs of this thread are set up by the first reads of anything.
    for _ in 0..1_000 {
        assert!(store.copy(keys[0].as_str()).is_some());
    }
    store.run_pending_tasks();
    let counted = allocation_counter::measure(|| {
        for key in &keys[1..60] {
            assert!(store.copy(key.as_str()).is_some());
        }
        for key in &keys[..4] {
            store.record_hit(key.as_str());
        }
    });
    assert_eq!(counted.count_total, 0, "{counted:?}");
}

/// A copy that is read is a copy that stays, also when the reads come by `record_hit`.
#[test]
fn recorded_hits_keep_a_copy_popular() {
    let store = MokaStore::builder().with_max_bytes(1 << 20).build().unwrap();
    let popular: Vec<Key> = (0..100).map(|id| key(&format!("popular {id}"))).collect();
    for key in &popular {
        store.keep(key, copy(1), NEVER, 1_000);
    }
    for _ in 0..20 {
        for key in &popular {
            store.record_hit(key.as_str());
        }
        store.run_pending_tasks();
    }
    for id in 0..20_000 {
        store.keep(&key(&id.to_string()), copy(id), NEVER, 1_000);
    }
    store.run_pending_tasks();
    let stayed = popular.iter().filter(|key| store.copy(key.as_str()).is_some()).count();
    assert!(stayed >= 95, "{stayed} of 100");
}
