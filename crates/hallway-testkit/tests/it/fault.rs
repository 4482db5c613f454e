//! FaultStore: what each fault looks like to a caller.

use std::time::Duration;

use hallway_core::{ErrorKind, Key, KvStore, Prefix, SetOptions, Ttl};
use hallway_testkit::{Fault, FaultStore, Faults, Fixture, PlainStore};
use tokio::time::Instant;

use crate::twisted::{Twist, Twisted};

const MS: fn(u64) -> Duration = Duration::from_millis;

/// A wrapper is a store like any other.
async fn healthy() -> Fixture {
    Fixture::new(FaultStore::new(PlainStore::new(), Faults::new()))
}

mod conformance {
    hallway_testkit::conformance! { fixture = super::healthy, lacks = [Durable, LocalRead, Shared] }
}

fn store() -> (FaultStore<PlainStore>, Faults) {
    let faults = Faults::new();
    (FaultStore::new(PlainStore::new(), faults.clone()), faults)
}

fn key() -> Key {
    Key::from_physical("app:k").unwrap()
}

async fn put(store: &dyn KvStore, value: &'static str) -> Result<(), ErrorKind> {
    store.set(&key(), value.into(), SetOptions::new(Ttl::Forever)).await.map(drop).map_err(|error| error.kind())
}

async fn look(store: &dyn KvStore) -> Result<Option<String>, ErrorKind> {
    let value = store.get(&key()).await.map_err(|error| error.kind())?;
    Ok(value.map(|value| String::from_utf8(value.to_vec()).unwrap()))
}

#[tokio::test]
async fn an_error_is_answered_before_the_call() {
    let (store, faults) = store();
    faults.inject(Fault::error(ErrorKind::OutOfMemory).on_writes());
    assert_eq!(put(&store, "a").await, Err(ErrorKind::OutOfMemory));
    assert_eq!(look(&store).await, Ok(None));
    faults.heal();
    assert_eq!(put(&store, "b").await, Ok(()));
    assert_eq!(look(&store).await, Ok(Some("b".to_owned())));
}

#[tokio::test]
async fn a_lost_reply_leaves_the_write_done() {
    let (store, faults) = store();
    faults.inject(Fault::lost_reply().times(2));
    assert_eq!(put(&store, "a").await, Err(ErrorKind::Indeterminate));
    assert_eq!(look(&store).await, Err(ErrorKind::Unavailable));
    assert_eq!(look(&store).await, Ok(Some("a".to_owned())));
}

#[tokio::test(start_paused = true)]
async fn a_black_hole_lasts_until_the_deadline_and_writes_nothing() {
    let (store, faults) = store();
    faults.inject(Fault::black_hole());
    let began = Instant::now();
    assert_eq!(put(&store, "a").await, Err(ErrorKind::Indeterminate));
    assert_eq!(began.elapsed(), MS(250));
    assert_eq!(look(&*store.with_deadline(MS(40))).await, Err(ErrorKind::Unavailable));
    assert_eq!(began.elapsed(), MS(290));
    assert_eq!(look(&store.clone().with_patience(MS(10))).await, Err(ErrorKind::Unavailable));
    assert_eq!(began.elapsed(), MS(300));
    faults.heal();
    assert_eq!(look(&store).await, Ok(None));
}

#[tokio::test(start_paused = true)]
async fn latencies_add_up_and_end_at_the_deadline() {
    let (store, faults) = store();
    faults.inject(Fault::latency(MS(100)));
    faults.inject(Fault::latency(MS(50)).on_reads());
    faults.inject(Fault::error(ErrorKind::Unavailable).on_reads().times(1));
    let began = Instant::now();
    assert_eq!(look(&store).await, Err(ErrorKind::Unavailable));
    assert_eq!(began.elapsed(), MS(150));
    assert_eq!(put(&store, "a").await, Ok(()));
    assert_eq!(began.elapsed(), MS(250));
    faults.inject(Fault::latency(MS(500)));
    assert_eq!(put(&store, "b").await, Err(ErrorKind::Indeterminate));
    assert_eq!(began.elapsed(), MS(500));
    faults.heal();
    assert_eq!(look(&store).await, Ok(Some("a".to_owned())));
}

#[tokio::test]
async fn chances_repeat_with_their_seed() {
    async fn pattern(seed: u64) -> Vec<bool> {
        let faults = Faults::with_seed(seed);
        let store = FaultStore::new(PlainStore::new(), faults.clone());
        faults.inject(Fault::error(ErrorKind::Unavailable).with_probability(0.3));
        let mut failed = Vec::new();
        for _ in 0..200 {
            failed.push(store.get(&key()).await.is_err());
        }
        assert_eq!(faults.calls().faulted, failed.iter().filter(|failed| **failed).count() as u64);
        failed
    }
    let first = pattern(1).await;
    assert_eq!(first, pattern(1).await);
    assert_ne!(first, pattern(2).await);
    assert!((30..90).contains(&first.iter().filter(|failed| **failed).count()));
}

#[tokio::test]
async fn every_verb_is_hit_and_counted_as_what_it_is() {
    let (store, faults) = store();
    faults.inject(Fault::error(ErrorKind::Unauthorized));
    let (k, one) = (key(), [key()]);
    let prefix = Prefix::new("app").unwrap();
    let reads = [
        store.get(&k).await.err(),
        store.get_entry(&k).await.err(),
        store.get_many(&one).await.err(),
        store.scan(&prefix, None, 1).await.err(),
        store.time().await.err(),
        store.ping().await.err(),
    ];
    let writes = [
        store.set(&k, "v".into(), SetOptions::new(Ttl::Forever)).await.err(),
        store.delete(&k).await.err(),
        store.delete_if(&k, Default::default()).await.err(),
        store.touch(&k, Ttl::Forever).await.err(),
        store.take(&k).await.err(),
        store.increment(&k, 1, Ttl::Forever).await.err(),
        store.set_many(&[(key(), "v".into(), Ttl::Forever)]).await.err(),
        store.delete_many(&one).await.err(),
        store.clear(&prefix).await.err(),
    ];
    for error in reads.iter().chain(&writes) {
        assert_eq!(error.as_ref().unwrap().kind(), ErrorKind::Unauthorized);
    }
    let calls = faults.calls();
    assert_eq!((calls.reads, calls.writes, calls.faulted), (6, 9, 15));
}

#[tokio::test]
async fn a_hit_without_waiting_is_none_while_reads_may_fail() {
    let local = FaultStore::new(Twisted::new(PlainStore::new(), Twist::LocalReads), Faults::new());
    put(&local, "a").await.unwrap();
    assert_eq!(local.try_get(&key()).unwrap(), "a");
    local.faults().inject(Fault::latency(MS(1)).on_writes());
    assert_eq!(local.try_get(&key()).unwrap(), "a");
    local.faults().inject(Fault::latency(MS(1)).on_reads());
    assert_eq!(local.try_get(&key()), None);
    assert_eq!(local.with_deadline(MS(5)).try_get(&key()), None);
}

#[tokio::test]
async fn a_fault_in_the_middle_lets_the_calls_before_it_pass() {
    let (store, faults) = store();
    faults.inject(Fault::error(ErrorKind::Unavailable).on_writes().after(2).times(1));
    assert_eq!(put(&store, "a").await, Ok(()));
    assert_eq!(look(&store).await, Ok(Some("a".into())));
    assert_eq!(put(&store, "b").await, Ok(()));
    assert_eq!(put(&store, "c").await, Err(ErrorKind::Unavailable));
    assert_eq!(put(&store, "d").await, Ok(()));
}
