//! Concurrent reads share commands, and nothing else.

use std::sync::Arc;
use std::time::{Duration, Instant};

use hallway_core::{Bytes, ErrorKind, KvStore, SetOptions};
use hallway_redis::RedisStore;
use hallway_testkit::servers::{RedisOptions, RedisServer};
use hallway_testkit::{Direction, FaultProxy, LinkFault};
use tokio::task::JoinSet;

use crate::{MINUTE, key, namespace, open, within};

/// How often the server ran a command since `CONFIG RESETSTAT`.
fn calls(server: &RedisServer, command: &str) -> u64 {
    let stats = server.cli(&["INFO", "commandstats"]);
    let line = stats.lines().find_map(|line| line.strip_prefix(&format!("cmdstat_{command}:calls=")));
    line.map_or(0, |line| line.split(',').next().unwrap().parse().unwrap())
}

async fn filled(server: &RedisServer, options: &str, count: usize) -> (Arc<RedisStore>, Vec<hallway_core::Key>) {
    let store = open(&format!("{}?deadline=10s{options}", server.url())).await;
    let ns = namespace();
    let keys: Vec<_> = (0..count).map(|at| key(&ns, &at.to_string())).collect();
    let items: Vec<_> = keys.iter().enumerate().map(|(at, key)| (key.clone(), at_value(at), MINUTE.into())).collect();
    store.set_many(&items).await.unwrap();
    server.cli(&["CONFIG", "RESETSTAT"]);
    (Arc::new(store), keys)
}

fn at_value(at: usize) -> Bytes {
    Bytes::from(format!("value {at}"))
}

async fn read_all(store: &Arc<RedisStore>, keys: &[hallway_core::Key]) {
    let mut reads = JoinSet::new();
    for (at, key) in keys.iter().enumerate() {
        let (store, key) = (Arc::clone(store), key.clone());
        reads.spawn(async move { assert_eq!(store.get(&key).await.unwrap().unwrap(), at_value(at)) });
    }
    while let Some(read) = reads.join_next().await {
        read.unwrap();
    }
}

#[tokio::test]
async fn a_thousand_concurrent_reads_take_few_commands_and_each_gets_its_own_value() {
    let server = RedisServer::start(RedisOptions::default()).unwrap();
    let (store, keys) = filled(&server, "", 1_000).await;
    read_all(&store, &keys).await;
    let commands = calls(&server, "get") + calls(&server, "mget");
    assert!(commands <= 32, "{commands} commands for 1,000 reads");
    assert_eq!(store.stats().coalesced_reads + calls(&server, "get"), 1_000);
    assert_eq!(store.stats().connections, 1);
}

#[tokio::test]
async fn reads_one_after_the_other_stay_plain() {
    let server = RedisServer::start(RedisOptions::default()).unwrap();
    let (store, keys) = filled(&server, "", 50).await;
    for (at, key) in keys.iter().enumerate() {
        assert_eq!(store.get(key).await.unwrap().unwrap(), at_value(at));
    }
    assert_eq!((calls(&server, "get"), calls(&server, "mget")), (50, 0));
}

#[tokio::test]
async fn switched_off_every_read_is_a_get() {
    let server = RedisServer::start(RedisOptions::default()).unwrap();
    let (store, keys) = filled(&server, "&coalesce=false", 100).await;
    read_all(&store, &keys).await;
    assert_eq!((calls(&server, "get"), calls(&server, "mget")), (100, 0));
}

#[tokio::test]
async fn batches_shrink_where_values_are_large() {
    let server = RedisServer::start(RedisOptions::default()).unwrap();
    let store = Arc::new(open(&format!("{}?deadline=10s", server.url())).await);
    let ns = namespace();
    let value = Bytes::from(vec![7; 60_000]);
    let keys: Vec<_> = (0..200).map(|at| key(&ns, &at.to_string())).collect();
    let items: Vec<_> = keys.iter().map(|key| (key.clone(), value.clone(), MINUTE.into())).collect();
    store.set_many(&items).await.unwrap();
    // The first round teaches the size, the second keeps to it.
    for _ in 0..2 {
        server.cli(&["CONFIG", "RESETSTAT"]);
        let reads = keys.iter().map(|key| store.get(key));
        for answer in futures_util::future::join_all(reads).await {
            assert_eq!(answer.unwrap().unwrap().len(), 60_000);
        }
    }
    assert!(calls(&server, "mget") >= 20, "{}", calls(&server, "mget"));
}

#[tokio::test]
async fn a_caller_who_leaves_takes_nobody_with_him() {
    let proxy = FaultProxy::start(RedisServer::shared().addr()).unwrap();
    let store = Arc::new(open(&format!("redis://{}?deadline=10s", proxy.addr())).await);
    let ns = namespace();
    let keys: Vec<_> = (0..40).map(|at| key(&ns, &at.to_string())).collect();
    for (at, key) in keys.iter().enumerate() {
        let _ = store.set(key, at_value(at), SetOptions::new(MINUTE)).await.unwrap();
    }
    for round in 0..20 {
        proxy.set(Direction::ToClient, LinkFault::Stall);
        let reads: Vec<_> = keys
            .iter()
            .map(|key| {
                let (store, key) = (Arc::clone(&store), key.clone());
                tokio::spawn(async move { store.get(&key).await })
            })
            .collect();
        tokio::task::yield_now().await;
        // Among them those who hold a slot, and members of a batch on the wire.
        for (at, read) in reads.iter().enumerate() {
            if (at + round) % 3 == 0 || (round % 2 == 0 && at < 4) {
                read.abort();
            }
        }
        proxy.heal();
        for (at, read) in reads.into_iter().enumerate() {
            match read.await {
                Ok(answer) => assert_eq!(answer.unwrap().unwrap(), at_value(at)),
                Err(error) => assert!(error.is_cancelled()),
            }
        }
    }
    // No slot is lost: a read alone is still served at once.
    assert_eq!(store.get(&keys[0]).await.unwrap().unwrap(), at_value(0));
}

#[tokio::test]
async fn each_caller_keeps_his_own_deadline() {
    let proxy = FaultProxy::start(RedisServer::shared().addr()).unwrap();
    let store = open(&format!("redis://{}?deadline=10s", proxy.addr())).await;
    let ns = namespace();
    let keys: Vec<_> = (0..20).map(|at| key(&ns, &at.to_string())).collect();
    for (at, key) in keys.iter().enumerate() {
        let _ = store.set(key, at_value(at), SetOptions::new(MINUTE)).await.unwrap();
    }
    proxy.set(Direction::ToClient, LinkFault::Stall);
    let reads: Vec<_> = keys
        .iter()
        .enumerate()
        .map(|(at, key)| {
            let patience = Duration::from_millis(if at % 2 == 0 { 150 } else { 10_000 });
            let (view, key) = (store.with_deadline(patience), key.clone());
            tokio::spawn(async move { (view.get(&key).await, Instant::now()) })
        })
        .collect();
    let start = Instant::now();
    tokio::time::sleep(Duration::from_millis(400)).await;
    let healed = Instant::now();
    proxy.heal();
    for (at, read) in reads.into_iter().enumerate() {
        let (answer, ended) = read.await.unwrap();
        if at % 2 == 0 {
            assert_eq!(answer.unwrap_err().kind(), ErrorKind::Unavailable);
            assert!(ended < healed && ended - start >= Duration::from_millis(140));
        } else if let Ok(value) = answer {
            assert_eq!(value.unwrap(), at_value(at));
            assert!(ended >= healed);
        } else {
            panic!("{answer:?}");
        }
    }
}

#[tokio::test]
async fn the_queue_is_bounded_and_drains() {
    let proxy = FaultProxy::start(RedisServer::shared().addr()).unwrap();
    let store = Arc::new(open(&format!("redis://{}?deadline=30s", proxy.addr())).await);
    let impatient = store.with_deadline(Duration::from_millis(20));
    let key = key(&namespace(), "k");
    let _ = store.set(&key, at_value(1), SetOptions::new(MINUTE)).await.unwrap();
    proxy.set(Direction::ToClient, LinkFault::Stall);
    let mut reads = JoinSet::new();
    // Patient ones first: an impatient one on the wire or in the queue makes room when he leaves. Two waves: what sets out
    // in batches makes room for more.
    for wave in [12_000, 4_000] {
        for _ in 0..wave {
            let (store, key) = (Arc::clone(&store), key.clone());
            reads.spawn(async move { store.get(&key).await });
        }
        for _ in 0..1_000 {
            tokio::task::yield_now().await;
        }
    }
    within(Duration::from_secs(10), "queue full", async || {
        impatient.get(&key).await.is_err_and(|error| error.kind() == ErrorKind::Overloaded)
    })
    .await;
    proxy.heal();
    let (mut answered, mut overloaded) = (0, 0);
    while let Some(read) = reads.join_next().await {
        match read.unwrap() {
            Ok(value) => answered += usize::from(value == Some(at_value(1))),
            Err(error) => {
                assert_eq!(error.kind(), ErrorKind::Overloaded, "{error}");
                assert!(error.is_retryable());
                overloaded += 1;
            }
        }
    }
    assert!(answered >= 10_000 && overloaded >= 1_000, "{answered} answered, {overloaded} overloaded");
    assert_eq!(store.get(&key).await.unwrap(), Some(at_value(1)));
}

#[tokio::test]
async fn a_key_the_user_may_not_read_fails_for_him_who_asked_for_it() {
    let server = RedisServer::start(RedisOptions::default()).unwrap();
    let (_, keys) = filled(&server, "", 50).await;
    let namespace = keys[0].namespace_str();
    server.cli(&["ACL", "SETUSER", "some", "on", ">pw", &format!("%R~{namespace}:1*"), "+@all"]);
    let store = open(&format!("redis://some:pw@127.0.0.1:{}?deadline=10s", server.port())).await;
    store.ping().await.unwrap();
    let reads = keys.iter().map(|key| store.get(key));
    for (at, answer) in futures_util::future::join_all(reads).await.into_iter().enumerate() {
        if at.to_string().starts_with('1') {
            assert_eq!(answer.unwrap().unwrap(), at_value(at));
        } else {
            assert_eq!(answer.unwrap_err().kind(), ErrorKind::Unauthorized);
        }
    }
}

#[test]
fn a_runtime_that_ends_in_mid_batch_strands_nobody_elsewhere() {
    let proxy = FaultProxy::start(RedisServer::shared().addr()).unwrap();
    let runtime = || tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let (first, second) = (runtime(), runtime());
    let store = Arc::new(first.block_on(open(&format!("redis://{}?deadline=10s", proxy.addr()))));
    let key = key(&namespace(), "k");
    let _ = first.block_on(store.set(&key, at_value(1), SetOptions::new(MINUTE))).unwrap();
    proxy.set(Direction::ToClient, LinkFault::Stall);
    let ask = |runtime: &tokio::runtime::Runtime| {
        let (store, key) = (Arc::clone(&store), key.clone());
        runtime.spawn(async move { store.get(&key).await })
    };
    let theirs: Vec<_> = (0..10).map(|_| ask(&first)).collect();
    let ours: Vec<_> = (0..10).map(|_| ask(&second)).collect();
    std::thread::sleep(Duration::from_millis(100));
    first.shutdown_background();
    proxy.heal();
    for read in ours {
        assert_eq!(second.block_on(read).unwrap().unwrap(), Some(at_value(1)));
    }
    drop(theirs);
    assert_eq!(second.block_on(store.get(&key)).unwrap(), Some(at_value(1)));
}
