//! Servers that are absent, die, stall, fill up, or turn us away.

use std::io::{Read as _, Write as _};
use std::sync::Arc;
use std::time::{Duration, Instant};

use hallway_core::{Bytes, ErrorKind, KvStore, SetOptions};
use hallway_testkit::servers::{RedisOptions, RedisServer};
use hallway_testkit::{Direction, FaultProxy, LinkFault};

use crate::{MINUTE, key, namespace, open, within};

/// Above a deadline, for the scheduler of a busy machine.
const SLACK: Duration = Duration::from_millis(250);

fn opts() -> SetOptions {
    SetOptions::new(MINUTE)
}

fn v() -> Bytes {
    Bytes::from("v")
}

#[tokio::test]
async fn a_server_absent_at_open_is_found_when_it_starts() {
    let server = RedisServer::start(RedisOptions::default()).unwrap();
    server.kill9();
    let store = open(&server.url()).await;
    let key = key(&namespace(), "k");
    let error = store.get(&key).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.is_retryable());
    let text = error.to_string();
    assert!(text.contains("connection refused") && text.contains(&server.port().to_string()), "{text}");
    assert!(text.contains("start it or fix the URL"), "{text}");
    // Nothing was sent, so nothing is in doubt.
    assert_eq!(store.set(&key, v(), opts()).await.unwrap_err().kind(), ErrorKind::Unavailable);

    server.restart().unwrap();
    within(Duration::from_secs(3), "found", async || store.set(&key, v(), opts()).await.is_ok()).await;
    assert_eq!(store.get(&key).await.unwrap(), Some(v()));
}

#[tokio::test]
async fn ping_tries_at_once_where_others_wait_for_the_next_attempt() {
    let server = RedisServer::start(RedisOptions::default()).unwrap();
    server.kill9();
    let store = open(&server.url()).await;
    // Let the backoff grow to its cap.
    for _ in 0..8 {
        assert_eq!(store.ping().await.unwrap_err().kind(), ErrorKind::Unavailable);
    }
    server.restart().unwrap();
    store.ping().await.unwrap();
}

#[tokio::test]
async fn known_to_be_down_every_call_fails_at_once() {
    let server = RedisServer::start(RedisOptions::default()).unwrap();
    let store = open(&server.url()).await;
    let key = key(&namespace(), "k");
    store.ping().await.unwrap();
    server.kill9();
    for _ in 0..5 {
        let start = Instant::now();
        store.get(&key).await.unwrap_err();
        assert!(start.elapsed() < Duration::from_secs(1) + SLACK);
    }
    let start = Instant::now();
    for _ in 0..200 {
        assert_eq!(store.get(&key).await.unwrap_err().kind(), ErrorKind::Unavailable);
        assert_eq!(store.set(&key, v(), opts()).await.unwrap_err().kind(), ErrorKind::Unavailable);
    }
    // About a millisecond each; attempts in between are refused as fast.
    assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());

    server.restart().unwrap();
    let took = within(Duration::from_secs(10), "recovered", async || store.get(&key).await.is_ok()).await;
    assert!(took <= Duration::from_secs(2) + SLACK, "{took:?}");
}

#[tokio::test]
async fn a_stopped_server_costs_each_call_its_deadline_and_late_replies_reach_nobody() {
    let server = RedisServer::start(RedisOptions::default()).unwrap();
    let store = Arc::new(open(&format!("{}?deadline=250ms", server.url())).await);
    let ns = namespace();
    for at in 0..20 {
        let _ = store.set(&key(&ns, &at.to_string()), Bytes::from(at.to_string()), opts()).await.unwrap();
    }
    server.pause();
    let calls = (0..20).map(|at| {
        let (store, key) = (Arc::clone(&store), key(&ns, &at.to_string()));
        tokio::spawn(async move {
            let start = Instant::now();
            let error = match at % 2 {
                0 => store.get(&key).await.unwrap_err(),
                _ => store.set(&key, Bytes::from("late"), opts()).await.unwrap_err(),
            };
            (at, error.kind(), start.elapsed())
        })
    });
    for call in futures_util::future::join_all(calls).await {
        let (at, kind, took) = call.unwrap();
        assert!(took < Duration::from_millis(250) + SLACK, "{took:?}");
        let expected = if at % 2 == 0 { ErrorKind::Unavailable } else { ErrorKind::Indeterminate };
        assert_eq!(kind, expected, "{at}");
    }
    // From here on it is known to be silent: a write is not even sent.
    within(Duration::from_secs(3), "given up", async || {
        store.set(&key(&ns, "x"), v(), opts()).await.is_err_and(|error| error.kind() == ErrorKind::Unavailable)
    })
    .await;
    server.resume();
    within(Duration::from_secs(3), "recovered", async || store.ping().await.is_ok()).await;
    for at in (0..20).step_by(2) {
        assert_eq!(store.get(&key(&ns, &at.to_string())).await.unwrap().unwrap(), at.to_string());
    }
}

#[tokio::test]
async fn late_replies_on_a_connection_that_stays_are_not_mixed_up() {
    let proxy = FaultProxy::start(RedisServer::shared().addr()).unwrap();
    let store = open(&format!("redis://{}?deadline=100ms", proxy.addr())).await;
    let patient = store.with_deadline(Duration::from_secs(5));
    let ns = namespace();
    for id in ["a", "b", "c"] {
        let _ = patient.set(&key(&ns, id), Bytes::from(id), opts()).await.unwrap();
    }
    proxy.set(Direction::ToClient, LinkFault::Stall);
    for id in ["a", "b"] {
        assert_eq!(store.get(&key(&ns, id)).await.unwrap_err().kind(), ErrorKind::Unavailable);
    }
    proxy.heal();
    for id in ["c", "b", "a", "c"] {
        assert_eq!(patient.get(&key(&ns, id)).await.unwrap().unwrap(), id);
    }
    assert_eq!(store.stats().connections, 1);
}

#[tokio::test]
async fn a_black_hole_is_given_up_after_a_few_deadlines() {
    let proxy = FaultProxy::start(RedisServer::shared().addr()).unwrap();
    let store = open(&format!("redis://{}?deadline=100ms", proxy.addr())).await;
    let key = key(&namespace(), "k");
    within(Duration::from_secs(5), "up", async || store.ping().await.is_ok()).await;
    proxy.set_both(LinkFault::BlackHole);
    let start = Instant::now();
    let mut slow = 0;
    for _ in 0..10 {
        let call = Instant::now();
        assert_eq!(store.get(&key).await.unwrap_err().kind(), ErrorKind::Unavailable);
        assert!(call.elapsed() < Duration::from_millis(100) + SLACK);
        slow += u32::from(call.elapsed() >= Duration::from_millis(100));
    }
    assert!(slow >= 6 && start.elapsed() < Duration::from_secs(3));
    // A write that was sent would be in doubt: this one was not, because the connection is gone already.
    let write = store.set(&key, v(), opts()).await.unwrap_err();
    assert_eq!(write.kind(), ErrorKind::Unavailable, "{write}");
    proxy.heal();
    within(Duration::from_secs(3), "recovered", async || store.get(&key).await.is_ok()).await;
    assert!(store.stats().connections >= 2, "the silent connection was replaced");
}

#[tokio::test]
async fn an_impatient_view_does_not_cost_a_patient_one_its_connection() {
    let proxy = FaultProxy::start(RedisServer::shared().addr()).unwrap();
    let store = Arc::new(open(&format!("redis://{}?deadline=5s", proxy.addr())).await);
    let impatient = store.with_deadline(Duration::from_millis(20));
    let (ns, start) = (namespace(), Instant::now());
    let (old, new) = (key(&ns, "old"), key(&ns, "new"));
    let _ = store.set(&old, v(), opts()).await.unwrap();
    proxy.set(Direction::ToClient, LinkFault::Stall);
    let patient = tokio::spawn({
        let (store, old, new) = (Arc::clone(&store), old.clone(), new.clone());
        async move { futures_util::future::join(store.get(&old), store.set(&new, v(), opts())).await }
    });
    while start.elapsed() < Duration::from_millis(400) {
        impatient.get(&old).await.unwrap_err();
    }
    proxy.heal();
    let (read, written) = patient.await.unwrap();
    assert_eq!(read.unwrap(), Some(v()));
    let _ = written.unwrap();
    assert_eq!(store.stats().connections, 1);
}

#[tokio::test]
async fn garbage_and_cut_replies_neither_panic_nor_mix() {
    let proxy = FaultProxy::start(RedisServer::shared().addr()).unwrap();
    let store = open(&format!("redis://{}?deadline=1s", proxy.addr())).await;
    let ns = namespace();
    let (one, two) = (key(&ns, "one"), key(&ns, "two"));
    within(Duration::from_secs(5), "up", async || store.ping().await.is_ok()).await;
    let _ = store.set(&one, Bytes::from("1"), opts()).await.unwrap();
    let _ = store.set(&two, Bytes::from("2"), opts()).await.unwrap();
    for fault in [
        LinkFault::Corrupt(0),
        LinkFault::Corrupt(1),
        LinkFault::Corrupt(3),
        LinkFault::CutAfter(2),
        LinkFault::ResetAfter(5),
        LinkFault::Drip(1, Duration::from_millis(5)),
        // Two answers of seven bytes: the second one comes after the deadline.
        LinkFault::Drip(1, Duration::from_millis(100)),
    ] {
        proxy.set(Direction::ToClient, fault);
        let start = Instant::now();
        let (a, b) = futures_util::future::join(store.get(&one), store.get(&two)).await;
        assert!(start.elapsed() < Duration::from_secs(1) + SLACK, "{fault:?}");
        if let LinkFault::Drip(_, pause) = fault {
            assert_eq!(b.is_err(), pause >= Duration::from_millis(100), "{fault:?}: {b:?}");
        }
        for answer in [a, b] {
            // A flipped byte inside a value is nothing a client could see.
            if let Err(error) = &answer {
                assert_eq!(error.kind(), ErrorKind::Unavailable, "{fault:?}: {error}");
            }
        }
        proxy.heal();
        within(Duration::from_secs(3), "recovered", async || store.get(&one).await.is_ok()).await;
        assert_eq!(store.get(&one).await.unwrap().unwrap(), "1");
        assert_eq!(store.get(&two).await.unwrap().unwrap(), "2");
    }
}

#[tokio::test]
async fn a_write_whose_answer_is_lost_is_indeterminate_and_is_not_repeated() {
    let proxy = FaultProxy::start(RedisServer::shared().addr()).unwrap();
    let store = open(&format!("redis://{}?deadline=2s", proxy.addr())).await;
    let counter = key(&namespace(), "n");
    assert_eq!(store.increment(&counter, 1, MINUTE.into()).await.unwrap(), 1);
    proxy.set(Direction::ToClient, LinkFault::ResetAfter(0));
    let error = store.increment(&counter, 1, MINUTE.into()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Indeterminate);
    assert!(!error.is_retryable());
    proxy.heal();
    within(Duration::from_secs(3), "recovered", async || store.ping().await.is_ok()).await;
    assert_eq!(RedisServer::shared().cli(&["GET", counter.as_str()]), "2");
    assert_eq!(store.increment(&counter, 1, MINUTE.into()).await.unwrap(), 3);
}

#[tokio::test]
async fn a_read_is_sent_again_when_its_connection_was_dead() {
    let server = RedisServer::start(RedisOptions::default()).unwrap();
    let store = open(&format!("{}?deadline=5s", server.url())).await;
    let key = key(&namespace(), "k");
    let _ = store.set(&key, v(), opts()).await.unwrap();
    for _ in 0..10 {
        // A server that ends connections as fast as they are made is left alone for a while instead.
        tokio::time::sleep(Duration::from_millis(60)).await;
        server.cli(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]);
        assert_eq!(store.get(&key).await.unwrap(), Some(v()));
    }
}

#[tokio::test]
async fn a_connection_that_died_while_idle_costs_a_write_nothing() {
    let server = RedisServer::start(RedisOptions::default()).unwrap();
    let store = open(&format!("{}?deadline=5s", server.url())).await;
    let counter = key(&namespace(), "n");
    for expected in 1..=10 {
        assert_eq!(store.increment(&counter, 1, MINUTE.into()).await.unwrap(), expected);
        tokio::time::sleep(Duration::from_millis(60)).await;
        server.cli(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]);
        let before = store.stats().connections;
        within(Duration::from_secs(2), "replaced unasked", async || store.stats().connections > before).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storm_of_killed_connections_is_ridden_out() {
    let server = Arc::new(RedisServer::start(RedisOptions::default()).unwrap());
    let store = Arc::new(open(&server.url()).await);
    let ns = namespace();
    for at in 0..8 {
        let _ = store.set(&key(&ns, &at.to_string()), Bytes::from(at.to_string()), opts()).await.unwrap();
    }
    let end = Instant::now() + Duration::from_secs(3);
    let readers = (0..8).map(|at| {
        let (store, key) = (Arc::clone(&store), key(&ns, &at.to_string()));
        tokio::spawn(async move {
            let (mut good, mut bad, mut slowest) = (0u32, 0u32, Duration::ZERO);
            while Instant::now() < end {
                let start = Instant::now();
                match store.get(&key).await {
                    Ok(value) => {
                        assert_eq!(value.unwrap(), at.to_string());
                        good += 1;
                    }
                    Err(error) => {
                        assert_eq!(error.kind(), ErrorKind::Unavailable);
                        bad += 1;
                    }
                }
                slowest = slowest.max(start.elapsed());
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
            (good, bad, slowest)
        })
    });
    let readers: Vec<_> = readers.collect();
    let killer = Arc::clone(&server);
    let storm = tokio::task::spawn_blocking(move || {
        while Instant::now() < end {
            killer.cli(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]);
            std::thread::sleep(Duration::from_millis(100));
        }
    });
    let (mut good, mut bad) = (0, 0);
    for reader in readers {
        let (more_good, more_bad, slowest) = reader.await.unwrap();
        good += more_good;
        bad += more_bad;
        assert!(slowest < Duration::from_secs(1) + SLACK, "{slowest:?}");
    }
    storm.await.unwrap();
    assert!(store.stats().connections > 5);
    assert!(good > 19 * bad, "{good} good, {bad} bad");
}

#[tokio::test]
async fn a_full_server_says_so_and_reads_go_on() {
    let server = RedisServer::start(RedisOptions::default().with_config("maxmemory-policy", "noeviction")).unwrap();
    let store = open(&format!("{}?deadline=5s", server.url())).await;
    let ns = namespace();
    let (k, n) = (key(&ns, "k"), key(&ns, "n"));
    let _ = store.set(&k, v(), opts()).await.unwrap();
    server.cli(&["CONFIG", "SET", "maxmemory", "1"]);
    let full = |error: hallway_core::Error| {
        assert_eq!(error.kind(), ErrorKind::OutOfMemory, "{error}");
        assert!(error.to_string().contains("maxmemory"));
    };
    full(store.set(&k, v(), opts()).await.unwrap_err());
    full(store.set(&n, v(), opts().if_absent()).await.unwrap_err());
    full(store.set(&k, v(), opts().if_present()).await.unwrap_err());
    full(store.increment(&n, 1, MINUTE.into()).await.unwrap_err());
    full(store.set_many(&[(k.clone(), v(), MINUTE.into()), (n.clone(), v(), MINUTE.into())]).await.unwrap_err());
    let entry = store.get_entry(&k).await.unwrap().unwrap();
    assert!(entry.value == v() && entry.remaining.duration().is_some_and(|left| left <= MINUTE));
    assert_eq!(store.get_entry(&n).await.unwrap(), None);
    assert_eq!(store.get(&k).await.unwrap(), Some(v()));
    assert!(store.delete(&k).await.unwrap(), "deleting makes room");
    server.cli(&["CONFIG", "SET", "maxmemory", "0"]);
    let _ = store.set(&k, v(), opts()).await.unwrap();
}

#[tokio::test]
async fn a_replica_is_left_and_a_primary_found_again() {
    let server = RedisServer::start(RedisOptions::default()).unwrap();
    let store = open(&server.url()).await;
    let key = key(&namespace(), "k");
    let _ = store.set(&key, v(), opts()).await.unwrap();
    server.cli(&["REPLICAOF", "127.0.0.1", "1"]);
    let error = store.set(&key, v(), opts()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.to_string().contains("primary"), "{error}");
    server.cli(&["REPLICAOF", "NO", "ONE"]);
    within(Duration::from_secs(3), "primary", async || store.set(&key, v(), opts()).await.is_ok()).await;
    assert!(store.stats().connections >= 2);
}

#[tokio::test]
async fn too_few_replicas_refuse_writes_and_a_long_script_refuses_all() {
    let server = RedisServer::start(
        RedisOptions::default().with_config("min-replicas-to-write", "1").with_config("lua-time-limit", "20"),
    )
    .unwrap();
    let store = open(&format!("{}?deadline=5s", server.url())).await;
    let ns = namespace();
    let key = key(&ns, "k");
    assert_eq!(store.get(&key).await.unwrap(), None);
    server.cli(&["CONFIG", "SET", "min-replicas-to-write", "0"]);
    let _ = store.set(&key, v(), opts()).await.unwrap();
    server.cli(&["CONFIG", "SET", "min-replicas-to-write", "1"]);
    let refused = |error: hallway_core::Error| {
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
        assert!(error.is_retryable() && error.to_string().contains("min-replicas-to-write"), "{error}");
    };
    refused(store.set(&key, v(), opts()).await.unwrap_err());
    refused(store.set(&key, v(), opts().if_present()).await.unwrap_err());
    refused(store.increment(&crate::key(&ns, "n"), 1, MINUTE.into()).await.unwrap_err());
    refused(store.touch(&key, MINUTE.into()).await.unwrap_err());
    refused(store.take(&key).await.unwrap_err());
    refused(store.delete(&key).await.unwrap_err());
    refused(store.delete_many(std::slice::from_ref(&key)).await.unwrap_err());
    assert_eq!(store.get(&key).await.unwrap(), Some(v()));

    let endless = std::net::TcpStream::connect(server.addr()).unwrap();
    (&endless).write_all(b"EVAL \"while true do end\" 0\r\n").unwrap();
    let mut seen = None;
    within(Duration::from_secs(5), "busy", async || {
        seen = store.get(&key).await.err();
        seen.is_some()
    })
    .await;
    let error = seen.unwrap();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.to_string().contains("SCRIPT KILL"), "{error}");
    server.cli(&["SCRIPT", "KILL"]);
    within(Duration::from_secs(2), "free", async || store.get(&key).await.is_ok()).await;
}

#[tokio::test]
async fn a_loading_server_is_unavailable_until_it_is_done() {
    let server = RedisServer::start(
        RedisOptions::default()
            .with_config("enable-debug-command", "yes")
            .with_config("key-load-delay", "50")
            .with_config("loading-process-events-interval-bytes", "1024"),
    )
    .unwrap();
    server.cli(&["DEBUG", "POPULATE", "20000"]);
    server.cli(&["SAVE"]);
    server.stop();
    let store = open(&format!("{}?deadline=5s", server.url())).await;
    server.launch().unwrap();
    let key = key(&namespace(), "k");
    let mut loading = false;
    within(Duration::from_secs(20), "loaded", async || match store.set(&key, v(), opts()).await {
        Ok(_) => true,
        Err(error) => {
            assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
            loading |= error.to_string().contains("loading");
            false
        }
    })
    .await;
    assert!(loading, "the server was never seen loading");
}

#[tokio::test]
async fn too_many_clients_is_unavailable_and_passes() {
    let server = RedisServer::start(RedisOptions::default().with_config("maxclients", "2")).unwrap();
    let mut crowd: Vec<_> = (0..2).map(|_| std::net::TcpStream::connect(server.addr()).unwrap()).collect();
    let mut attempts = || {
        crowd[0].write_all(b"INFO stats\r\n").unwrap();
        let mut reply = [0; 16_384];
        let length = crowd[0].read(&mut reply).unwrap();
        let reply = String::from_utf8_lossy(&reply[..length]).into_owned();
        let line = reply.lines().find_map(|line| line.strip_prefix("rejected_connections:"));
        line.unwrap().trim().parse::<u32>().unwrap()
    };
    let store = open(&server.url()).await;
    let key = key(&namespace(), "k");
    // A reset may overtake the reason.
    within(Duration::from_secs(10), "turned away", async || {
        let error = store.ping().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
        assert!(error.is_retryable());
        error.to_string().contains("maxclients")
    })
    .await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    let before = attempts();
    let end = Instant::now() + Duration::from_secs(1);
    while Instant::now() < end {
        store.get(&key).await.unwrap_err();
    }
    let tried = attempts() - before;
    assert!(tried <= 15, "{tried} attempts in a second");
    drop(crowd);
    within(Duration::from_secs(3), "let in", async || store.ping().await.is_ok()).await;
}

#[tokio::test]
async fn a_write_dropped_half_sent_is_absent_or_whole_and_the_connection_healthy() {
    let _memory = crate::MEMORY.lock().await;
    let server = RedisServer::shared();
    let proxy = FaultProxy::start(server.addr()).unwrap();
    let store = open(&format!("redis://{}?deadline=20s&max_value=8MiB", proxy.addr())).await;
    let ns = namespace();
    let (half, other, small) = (key(&ns, "half"), key(&ns, "other"), key(&ns, "small"));
    let other_value = Bytes::from(vec![b'o'; 100_000]);
    let _ = store.set(&other, other_value.clone(), opts()).await.unwrap();
    let _ = store.set(&small, v(), opts()).await.unwrap();
    assert_eq!(store.stats().connections, 2);

    proxy.set(Direction::ToServer, LinkFault::Drip(1 << 14, Duration::from_millis(10)));
    let length = 8 << 20;
    let write = store.set(&half, Bytes::from(vec![b'x'; length]), opts());
    let arrived = || server.cli(&["STRLEN", half.as_str()]);
    assert!(tokio::time::timeout(Duration::from_millis(300), write).await.is_err(), "still on its way");
    assert_eq!(arrived(), "0");
    let sent = server.cli(&["CLIENT", "LIST", "TYPE", "normal"]);
    let partly =
        |line: &str| line.split(' ').any(|word| word.strip_prefix("argv-mem=").is_some_and(|n| n != "0" && n != "10"));
    assert!(sent.lines().any(partly), "the server holds the beginning: {sent}");

    proxy.heal();
    // On the same connection, so whatever is to come has come when this is answered.
    let _ = store.set(&other, other_value.clone(), opts()).await.unwrap();
    let arrived = arrived();
    assert!(arrived == "0" || arrived == length.to_string(), "{arrived}");
    assert!(store.get(&other).await.unwrap().unwrap() == other_value);
    assert_eq!(store.get(&small).await.unwrap(), Some(v()));
    assert_eq!(store.stats().connections, 2);
}

#[test]
fn a_store_outlives_the_runtime_it_was_opened_in() {
    let url = RedisServer::shared().url();
    let key = key(&namespace(), "k");
    let runtime = || tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let first = runtime();
    let store = first.block_on(open(&url));
    let _ = first.block_on(store.set(&key, v(), opts())).unwrap();
    drop(first);
    for _ in 0..3 {
        assert_eq!(runtime().block_on(store.get(&key)).unwrap(), Some(v()));
    }
}

#[tokio::test]
async fn the_last_handle_takes_the_connection_with_it() {
    let server = RedisServer::start(RedisOptions::default()).unwrap();
    let store = open(&server.url()).await;
    let view = store.with_deadline(Duration::from_secs(2));
    store.ping().await.unwrap();
    let ours = || server.cli(&["CLIENT", "LIST", "TYPE", "normal"]).lines().count() - 1;
    assert_eq!(ours(), 1);
    drop(store);
    view.ping().await.unwrap();
    drop(view);
    within(Duration::from_secs(2), "closed", async || ours() == 0).await;
}
