//! Many callers at once: whose answer is whose, and how many statements it took.

use std::sync::Arc;
use std::time::Duration;

use hallway_core::{Bytes, DeleteIf, KvStore, SetOptions, SetOutcome, Ttl};
use hallway_testkit::{DelayProxy, FaultProxy};

use crate::support::{File, bytes, fresh_table, key, open, shared, warm};

const TASKS: u32 = 64;
const ROUNDS: u32 = 30;

/// Every verb that is coalesced, on keys of one's own and on shared ones.
async fn mixed_load(store: impl KvStore) {
    let store = Arc::new(store);
    let tasks = (0..TASKS).map(|task| {
        let store = Arc::clone(&store);
        tokio::spawn(async move {
            for round in 0..ROUNDS {
                let own = key(&format!("own{task}"));
                let value = Bytes::from(format!("{task}/{round}").repeat(1 + (task as usize % 7) * 20));
                assert!(store.set(&own, value.clone(), SetOptions::new(Ttl::Forever)).await.unwrap().is_written());
                assert_eq!(store.get(&own).await.unwrap(), Some(value.clone()));
                let absent = SetOptions::new(Ttl::Forever).if_absent();
                assert_eq!(store.set(&own, bytes("no"), absent).await.unwrap(), SetOutcome::ConditionNotMet);
                let wrong = SetOptions::new(Ttl::Forever).if_equals(bytes("wrong"));
                assert_eq!(store.set(&own, bytes("no"), wrong).await.unwrap(), SetOutcome::ConditionNotMet);
                let right = SetOptions::new(Duration::from_secs(100)).if_equals(value.clone());
                assert!(store.set(&own, bytes("swapped"), right).await.unwrap().is_written());
                assert!(store.touch(&own, Ttl::Forever).await.unwrap());
                assert!(!store.touch(&key(&format!("none{task}")), Ttl::Forever).await.unwrap());
                assert!(!store.delete_if(&own, DeleteIf::Equals(value)).await.unwrap());
                assert_eq!(store.take(&own).await.unwrap(), Some(bytes("swapped")));
                assert!(!store.delete(&own).await.unwrap());
                store.increment(&key("all"), 1, Ttl::Forever).await.unwrap();
                assert_eq!(store.increment(&own, i64::from(task), Ttl::Forever).await.unwrap(), i64::from(task));
                assert!(store.delete(&own).await.unwrap());
            }
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.unwrap();
    }
    assert_eq!(store.get(&key("all")).await.unwrap(), Some(bytes(&(TASKS * ROUNDS).to_string())));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_never_mixes_answers() {
    let server = shared().await;
    mixed_load(open(&format!("{}?table={}&deadline=30s", server.url(), fresh_table())).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sqlite_never_mixes_answers() {
    let file = File::new();
    mixed_load(open(&format!("{}?deadline=30s&synchronous=normal", file.url())).await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn memory_never_mixes_answers() {
    mixed_load(open("sqlite::memory:?deadline=30s").await).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_of_many_takers_and_inserters_wins() {
    let server = shared().await;
    let file = File::new();
    for url in [server.url(), file.url()] {
        let store = open(&format!("{url}?table={}", fresh_table())).await;
        for round in 0..20 {
            let id = format!("once{round}");
            let inserted = race(&store, &id, async |store, id| {
                let absent = SetOptions::new(Ttl::Forever).if_absent();
                store.set(&key(&id), bytes("token"), absent).await.unwrap().is_written()
            });
            assert_eq!(inserted.await, 1);
            let taken = race(&store, &id, async |store, id| store.take(&key(&id)).await.unwrap().is_some());
            assert_eq!(taken.await, 1);
        }
    }
}

async fn race<F>(store: &hallway_sql::SqlStore, id: &str, attempt: F) -> usize
where
    F: AsyncFn(hallway_sql::SqlStore, String) -> bool,
{
    let attempts = (0..16).map(|_| attempt(store.clone(), id.to_owned()));
    futures_util::future::join_all(attempts).await.into_iter().filter(|won| *won).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_calls_take_few_round_trips() {
    let server = shared().await;
    let proxy = DelayProxy::start(server.addr(), Duration::from_millis(2)).unwrap();
    let url = format!("postgres://postgres@127.0.0.1:{}/postgres?table={}", proxy.port(), fresh_table());
    let store = warm(&url).await;
    for write in [true, false] {
        let before = proxy.stats().round_trips;
        let calls = (0..1_000).map(|at| {
            let store = store.clone();
            tokio::spawn(async move {
                let id = format!("k{at}");
                match write {
                    true => drop(store.set(&key(&id), bytes(&id), SetOptions::new(Ttl::Forever)).await.unwrap()),
                    false => assert_eq!(store.get(&key(&id)).await.unwrap(), Some(bytes(&id))),
                }
            })
        });
        for call in calls.collect::<Vec<_>>() {
            call.await.unwrap();
        }
        // Connecting and preparing take some too.
        let took = proxy.stats().round_trips - before;
        assert!(took < 60, "{took} round trips");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lone_call_and_a_batch_take_one_round_trip() {
    let server = shared().await;
    let proxy = FaultProxy::start(server.addr()).unwrap();
    let url = format!("postgres://postgres@127.0.0.1:{}/postgres?table={}", proxy.port(), fresh_table());
    let store = warm(&url).await;
    let keys: Vec<_> = (0..10_000).map(|at| key(&format!("k{}", at % 5_000))).collect();
    // The first of each kind prepares its statement.
    store.get(&keys[0]).await.unwrap();
    let before = proxy.stats().round_trips;
    store.get(&keys[0]).await.unwrap();
    assert_eq!(proxy.stats().round_trips - before, 1);
    assert_eq!(store.get_many(&keys[..100]).await.unwrap().len(), 100);
    assert_eq!(proxy.stats().round_trips - before, 2);
    assert!(store.set(&keys[0], bytes("v"), SetOptions::new(Ttl::Forever)).await.unwrap().is_written());
    assert_eq!(proxy.stats().round_trips - before, 3);
    assert_eq!(store.get_many(&keys).await.unwrap().len(), 10_000);
    let took = proxy.stats().round_trips - before - 3;
    assert!(took <= 3, "{took} round trips");
}

/// As in a `select!`, or in a stream of calls whose consumer calls the same store.
#[tokio::test]
async fn a_call_that_is_not_polled_holds_nobody_up() {
    let (server, file) = (shared().await, File::new());
    let table = fresh_table();
    for url in [file.url(), "sqlite::memory:".to_owned(), server.url()] {
        let store = warm(&format!("{url}?table={table}&deadline=3s")).await;
        let held = key("held");
        let mut calls = Vec::new();
        for _ in 0..3 {
            let mut call = store.set(&held, bytes("v"), SetOptions::new(Ttl::Forever));
            let polled = std::future::poll_fn(|context| std::task::Poll::Ready(call.as_mut().poll(context))).await;
            if polled.is_pending() {
                calls.push(call);
            }
        }
        assert!(store.set(&key("other"), bytes("v"), SetOptions::new(Ttl::Forever)).await.unwrap().is_written());
        assert_eq!(store.get(&key("other")).await.unwrap(), Some(bytes("v")));
        for call in calls {
            assert!(call.await.unwrap().is_written());
        }
    }
}

/// Large values come in several answers, so that none takes longer than a statement may.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_large_values_come_in_parts() {
    let server = shared().await;
    let proxy = FaultProxy::start(server.addr()).unwrap();
    let url = format!("postgres://postgres@127.0.0.1:{}/postgres?table={}", proxy.port(), fresh_table());
    let store = warm(&url).await;
    let large = Bytes::from(vec![7; 200_000]);
    let entries: Vec<_> = (0..400).map(|at| (key(&format!("k{at}")), large.clone(), Ttl::Forever)).collect();
    for entries in entries.chunks(100) {
        store.set_many(entries).await.unwrap();
    }
    let keys: Vec<_> = entries.into_iter().map(|(key, ..)| key).collect();
    let before = proxy.stats().round_trips;
    assert!(store.get_many(&keys).await.unwrap().iter().all(|value| value.as_ref() == Some(&large)));
    let took = proxy.stats().round_trips - before;
    assert!(took >= 6, "{took} round trips for 80 MB");
}
