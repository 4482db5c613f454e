//! Deadlines at the edge, and what happens to dead entries.

use std::sync::Arc;
use std::time::{Duration, Instant};

use hallway_core::{Bytes, DeleteIf, Key, KvStore, Namespace, Prefix, SetOptions, Ttl};
use hallway_moka::MokaStore;
use hallway_testkit::ManualClock;

const MILLI: Duration = Duration::from_millis(1);
const MICRO: Duration = Duration::from_micros(1);

fn key(id: &str) -> Key {
    Namespace::new("session").unwrap().key(id).unwrap()
}

fn store() -> (MokaStore, ManualClock) {
    let clock = ManualClock::new();
    (MokaStore::builder().with_clock(Arc::new(clock.clone())).build().unwrap(), clock)
}

async fn set(store: &MokaStore, id: &str, value: &'static str, ttl: impl Into<Ttl>) {
    store.set(&key(id), Bytes::from_static(value.as_bytes()), SetOptions::new(ttl)).await.unwrap();
}

#[tokio::test]
async fn an_entry_lives_to_the_last_microsecond_and_not_a_microsecond_longer() {
    let (store, clock) = store();
    set(&store, "1", "x", MILLI * 10).await;
    clock.advance(MILLI * 10 - MICRO);
    assert!(store.try_get(&key("1")).is_some());
    assert_eq!(store.get_entry(&key("1")).await.unwrap().unwrap().remaining, Ttl::After(Duration::ZERO));
    clock.advance(MICRO);
    assert!(store.try_get(&key("1")).is_none());
    assert!(store.get(&key("1")).await.unwrap().is_none());
    assert!(store.get_entry(&key("1")).await.unwrap().is_none());
}

#[tokio::test]
async fn dead_entries_do_not_exist_for_any_verb() {
    let (store, clock) = store();
    for id in ["get", "delete", "take", "touch", "increment", "present", "equals", "absent", "scan", "clear"] {
        set(&store, id, "7", MILLI).await;
    }
    clock.advance(MILLI);
    assert_eq!(store.clear(&Prefix::new("session").unwrap()).await.unwrap(), 0);
    for id in ["delete", "take", "touch", "increment", "present", "equals", "absent", "scan"] {
        set(&store, id, "7", MILLI).await;
    }
    clock.advance(MILLI);
    assert!(!store.delete(&key("delete")).await.unwrap());
    assert!(!store.delete_if(&key("delete"), DeleteIf::Equals(Bytes::from_static(b"7"))).await.unwrap());
    assert!(store.take(&key("take")).await.unwrap().is_none());
    assert!(!store.touch(&key("touch"), Ttl::Forever).await.unwrap());
    assert_eq!(store.increment(&key("increment"), 1, Ttl::Forever).await.unwrap(), 1);
    let opts = SetOptions::new(Ttl::Forever);
    let value = Bytes::from_static(b"8");
    assert!(!store.set(&key("present"), value.clone(), opts.clone().if_present()).await.unwrap().is_written());
    let equals = opts.clone().if_equals(Bytes::from_static(b"7"));
    assert!(!store.set(&key("equals"), value.clone(), equals).await.unwrap().is_written());
    assert!(store.set(&key("absent"), value, opts.if_absent()).await.unwrap().is_written());
    let page = store.scan(&Prefix::root(), None, 100).await.unwrap();
    assert_eq!(page.keys, [key("absent"), key("increment")]);
}

#[tokio::test]
async fn a_reader_removes_the_dead_entry_it_meets() {
    let (store, clock) = store();
    set(&store, "1", "x", MILLI).await;
    store.run_pending_tasks();
    assert_eq!(store.entry_count(), 1);
    clock.advance(MILLI);
    assert!(store.try_get(&key("1")).is_none());
    store.run_pending_tasks();
    assert_eq!((store.entry_count(), store.weighted_bytes()), (0, 0));
}

#[tokio::test]
async fn a_sweep_removes_the_dead_and_leaves_the_living() {
    let (store, clock) = store();
    for id in 0..5_000 {
        set(&store, &format!("short {id}"), "x", MILLI * 5).await;
        set(&store, &format!("long {id}"), "x", MILLI * 50).await;
    }
    set(&store, "forever", "x", Ttl::Forever).await;
    assert_eq!(store.sweep(), 0);
    clock.advance(MILLI * 5);
    assert_eq!(store.sweep(), 5_000);
    store.run_pending_tasks();
    assert_eq!(store.entry_count(), 5_001);
    clock.advance(MILLI * 45);
    assert_eq!(store.sweep(), 5_000);
    assert!(store.try_get(&key("forever")).is_some());
}

#[tokio::test]
async fn the_sweeper_frees_dead_entries_that_nobody_reads() {
    let (store, clock) = store();
    for id in 0..5_000 {
        set(&store, &id.to_string(), "x", MILLI * 5).await;
    }
    set(&store, "forever", "x", Ttl::Forever).await;
    clock.advance(MILLI * 5);
    let patience = Instant::now() + Duration::from_secs(30);
    while {
        store.run_pending_tasks();
        store.entry_count() > 1
    } {
        assert!(Instant::now() < patience, "{} entries left", store.entry_count());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A reader that met a dead entry must not remove what was written since: peers look, then remove whatever is there.
#[test]
fn fresh_entries_survive_readers_and_sweeps_of_dead_ones() {
    let (store, clock) = store();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let until = Instant::now() + Duration::from_secs(1);
    std::thread::scope(|threads| {
        threads.spawn(|| {
            while Instant::now() < until {
                let _ = store.try_get(&key("1"));
            }
        });
        threads.spawn(|| {
            while Instant::now() < until {
                store.sweep();
            }
        });
        let (mut rounds, mut lost) = (0_u32, 0_u32);
        while Instant::now() < until {
            runtime.block_on(set(&store, "1", "short", MILLI));
            clock.advance(MILLI);
            runtime.block_on(set(&store, "1", "long", Ttl::Forever));
            rounds += 1;
            lost += u32::from(store.try_get(&key("1")).is_none());
        }
        assert_eq!(lost, 0, "of {rounds}");
    });
}

#[tokio::test]
async fn increment_and_touch_keep_what_they_must() {
    let (store, clock) = store();
    assert_eq!(store.increment(&key("n"), 5, Ttl::After(MILLI * 10)).await.unwrap(), 5);
    clock.advance(MILLI * 4);
    assert_eq!(store.increment(&key("n"), 5, Ttl::Forever).await.unwrap(), 10);
    assert_eq!(store.get_entry(&key("n")).await.unwrap().unwrap().remaining, Ttl::After(MILLI * 6));
    assert!(store.touch(&key("n"), Ttl::After(MILLI * 20)).await.unwrap());
    clock.advance(MILLI * 19);
    assert_eq!(store.get(&key("n")).await.unwrap().as_deref(), Some(&b"10"[..]));
}
