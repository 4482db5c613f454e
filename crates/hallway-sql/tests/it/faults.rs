//! PostgreSQL paused, killed, locked, cut off, full, read-only.

use std::time::{Duration, Instant};

use hallway_core::{ErrorKind, KvStore, SetOptions, Ttl};
use hallway_testkit::servers::{PostgresOptions, PostgresServer};
use hallway_testkit::{FaultProxy, LinkFault};

use crate::support::{bytes, forever, fresh_table, key, open, shared, until, warm, within};

async fn own(options: PostgresOptions) -> PostgresServer {
    tokio::task::spawn_blocking(|| PostgresServer::start(options)).await.unwrap().unwrap()
}

fn ended_by(start: Instant, deadline: Duration) {
    let took = start.elapsed();
    assert!(took < deadline + Duration::from_millis(250), "{took:?} for a deadline of {deadline:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_paused_server_costs_no_more_than_the_deadline() {
    let server = own(PostgresOptions::fast()).await;
    let deadline = Duration::from_millis(400);
    let store = warm(&format!("{}?deadline=400ms", server.url())).await;
    server.pause();
    let calls = (0..8).map(|at| {
        let store = store.clone();
        tokio::spawn(async move {
            let start = Instant::now();
            let error = match at % 2 {
                0 => store.get(&key("warm")).await.unwrap_err(),
                _ => store.set(&key(&format!("p{at}")), bytes("v"), forever()).await.unwrap_err(),
            };
            ended_by(start, deadline);
            (at, error)
        })
    });
    let calls: Vec<_> = calls.collect();
    let mut indeterminate = 0;
    for call in calls {
        let (at, error) = call.await.unwrap();
        match at % 2 {
            0 => assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}"),
            // Those that were still waiting in the queue were certainly not written.
            _ => assert!(matches!(error.kind(), ErrorKind::Indeterminate | ErrorKind::Unavailable), "{error}"),
        }
        indeterminate += u32::from(error.kind() == ErrorKind::Indeterminate);
    }
    assert!(indeterminate >= 1, "at least one write was on the wire");
    // Longer than the connections are waited for, so that they have been given up.
    tokio::time::sleep(Duration::from_secs(3)).await;
    server.resume();
    within(Duration::from_secs(2), async || match store.get(&key("warm")).await {
        Ok(Some(value)) if value == "up" => Ok(()),
        other => Err(other),
    })
    .await;
    // No late answer is taken for another one.
    for at in 0..20 {
        let id = format!("after{at}");
        store.set(&key(&id), bytes(&id), forever()).await.unwrap();
        assert_eq!(store.get(&key(&id)).await.unwrap(), Some(bytes(&id)));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_server_is_found_again_within_two_seconds() {
    let server = own(PostgresOptions::default()).await;
    let store = warm(&server.url()).await;
    let server = tokio::task::spawn_blocking(move || {
        server.kill9();
        server
    })
    .await
    .unwrap();
    let start = Instant::now();
    let error = store.get(&key("warm")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
    ended_by(start, Duration::from_secs(1));
    let server = tokio::task::spawn_blocking(move || {
        server.restart().unwrap();
        server
    })
    .await
    .unwrap();
    within(Duration::from_secs(2), async || store.get(&key("warm")).await).await;
    // Acknowledged is durable.
    assert_eq!(store.get(&key("warm")).await.unwrap(), Some(bytes("up")));
    within(Duration::from_secs(2), async || store.set(&key("a"), bytes("v"), forever()).await).await;
    drop(server);
}

/// A session of `psql` that holds a row lock until it is dropped.
struct Locked {
    child: std::process::Child,
}

impl Locked {
    fn row(server: &PostgresServer, table: &str, id: &str) -> Self {
        use std::io::{BufRead as _, Write as _};
        let mut child = std::process::Command::new("psql")
            .args(["--no-psqlrc", "--no-align", "--tuples-only", "--quiet"])
            .arg(server.url())
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .expect("psql is needed: apt-get install postgresql-client");
        let sql = format!("BEGIN;\nSELECT 'locked' FROM {table} WHERE key = 'test:{id}' FOR UPDATE;\n");
        child.stdin.as_mut().unwrap().write_all(sql.as_bytes()).unwrap();
        let mut said = String::new();
        std::io::BufReader::new(child.stdout.as_mut().unwrap()).read_line(&mut said).unwrap();
        assert_eq!(said, "locked\n");
        Self { child }
    }
}

impl Drop for Locked {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        self.child.wait().unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_row_locked_elsewhere_fails_alone_and_by_the_deadline() {
    let server = shared().await;
    let table = fresh_table();
    let store = warm(&format!("{}?table={table}&deadline=10s", server.url())).await;
    store.set(&key("locked"), bytes("old"), forever()).await.unwrap();
    let lock = Locked::row(server, &table, "locked");
    let start = Instant::now();
    let blocked = (0..3).map(|_| {
        let store = store.clone();
        tokio::spawn(async move { store.set(&key("locked"), bytes("new"), forever()).await })
    });
    let blocked: Vec<_> = blocked.collect();
    let others = (0..30).map(|at| {
        let store = store.clone();
        tokio::spawn(async move { store.set(&key(&format!("free{at}")), bytes("v"), forever()).await })
    });
    let others: Vec<_> = others.collect();
    for other in others {
        let _ = other.await.unwrap().unwrap();
    }
    for blocked in blocked {
        // The server gave up waiting, so it was certainly not written.
        let error = blocked.await.unwrap().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
        // Who queues for the lock as well waits twice, and may meet the other limit first.
        let said = error.to_string();
        assert!(said.contains("lock") || said.contains("statement_timeout"), "{said}");
    }
    ended_by(start, Duration::from_secs(10));
    assert_eq!(store.get(&key("locked")).await.unwrap(), Some(bytes("old")));
    drop(lock);
    store.set(&key("locked"), bytes("new"), forever()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_short_deadline_on_a_locked_row_leaves_the_write_in_doubt() {
    let server = shared().await;
    let table = fresh_table();
    let store = warm(&format!("{}?table={table}", server.url())).await;
    store.set(&key("locked"), bytes("old"), forever()).await.unwrap();
    let lock = Locked::row(server, &table, "locked");
    let hasty = store.with_deadline(Duration::from_millis(100));
    let start = Instant::now();
    let error = hasty.set(&key("locked"), bytes("new"), forever()).await.unwrap_err();
    ended_by(start, Duration::from_millis(100));
    assert_eq!(error.kind(), ErrorKind::Indeterminate);
    assert!(!error.is_retryable());
    drop(lock);
    // It goes on alone and the connection is used again.
    until("the write that nobody waits for is done", async || {
        store.get(&key("locked")).await.unwrap() == Some(bytes("new"))
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn terminated_sessions_are_replaced() {
    let server = own(PostgresOptions::fast()).await;
    let store = warm(&server.url()).await;
    let done = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let load = (0..8).map(|task| {
        let (store, done) = (store.clone(), done.clone());
        tokio::spawn(async move {
            let (mut answered, mut refused, mut at) = (0_u32, 0_u32, 0_u32);
            while !done.load(std::sync::atomic::Ordering::Relaxed) {
                at += 1;
                let id = format!("{task}-{at}");
                match store.set(&key(&id), bytes(&id), forever()).await {
                    Ok(_) => {
                        answered += 1;
                        match store.get(&key(&id)).await {
                            Ok(found) => assert_eq!(found, Some(bytes(&id)), "an acknowledged write is there"),
                            Err(error) => assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}"),
                        }
                    }
                    Err(error) => {
                        refused += 1;
                        assert!(matches!(error.kind(), ErrorKind::Indeterminate | ErrorKind::Unavailable), "{error:?}");
                        tokio::time::sleep(Duration::from_millis(1)).await;
                    }
                }
            }
            (answered, refused)
        })
    });
    let load: Vec<_> = load.collect();
    let server = tokio::task::spawn_blocking(move || {
        for _ in 0..10 {
            server.psql(
                "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity \
                 WHERE pid <> pg_backend_pid() AND application_name = 'hallway'",
            );
            std::thread::sleep(Duration::from_millis(50));
        }
        server
    })
    .await
    .unwrap();
    done.store(true, std::sync::atomic::Ordering::Relaxed);
    for task in load {
        let (answered, refused) = task.await.unwrap();
        assert!(answered > refused, "{answered} answered, {refused} refused");
    }
    within(Duration::from_secs(2), async || store.set(&key("end"), bytes("v"), forever()).await).await;
    drop(server);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_black_hole_ends_with_the_deadline_and_is_left_behind() {
    let server = shared().await;
    let proxy = FaultProxy::start(server.addr()).unwrap();
    let table = fresh_table();
    let url = format!("postgres://postgres@127.0.0.1:{}/postgres?table={table}&deadline=500ms", proxy.port());
    let store = warm(&url).await;
    proxy.set_both(LinkFault::BlackHole);
    for _ in 0..3 {
        let start = Instant::now();
        let error = store.get(&key("warm")).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unavailable);
        ended_by(start, Duration::from_millis(500));
    }
    proxy.heal();
    within(Duration::from_secs(2), async || store.get(&key("warm")).await).await;
    // Nothing in what the server sends may make us panic or hang.
    for fault in [LinkFault::Corrupt(3), LinkFault::CutAfter(10), LinkFault::ResetAfter(20)] {
        proxy.set(hallway_testkit::Direction::ToClient, fault);
        let start = Instant::now();
        if let Err(error) = store.get(&key("warm")).await {
            assert!(matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Corrupt), "{fault:?}: {error:?}");
        }
        ended_by(start, Duration::from_millis(500));
        proxy.heal();
        within(Duration::from_secs(2), async || store.get(&key("warm")).await).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_without_free_connections_is_unavailable() {
    let server = own(PostgresOptions::fast().with_max_connections(5)).await;
    server.psql("CREATE ROLE app LOGIN; GRANT CREATE, USAGE ON SCHEMA public TO app");
    let url = format!("postgres://app@127.0.0.1:{}/postgres", server.port());
    // Three of the five are kept for superusers.
    let first = open(&format!("{url}?readers=1")).await;
    within(Duration::from_secs(2), async || first.set(&key("a"), bytes("v"), forever()).await).await;
    within(Duration::from_secs(2), async || first.get(&key("a")).await).await;
    let second = open(&url).await;
    let error = second.get(&key("a")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
    assert!(error.to_string().contains("max_connections"), "{error}");
    // The one that has its connections goes on under load, although it cannot get more.
    let calls = (0..50).map(|at| {
        let store = first.clone();
        tokio::spawn(async move { store.set(&key(&at.to_string()), bytes("v"), forever()).await })
    });
    let calls: Vec<_> = calls.collect();
    for call in calls {
        let _ = call.await.unwrap().unwrap();
    }
    drop(first);
    within(Duration::from_secs(3), async || second.get(&key("a")).await).await;
}

/// A miss asks whether a value was too large to take; no answer to that is not "absent".
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_take_that_cannot_tell_fails() {
    let server = own(PostgresOptions::fast()).await;
    server.psql("CREATE ROLE app LOGIN; GRANT CREATE, USAGE ON SCHEMA public TO app");
    let store = warm(&format!("postgres://app@127.0.0.1:{}/postgres?sweep=off", server.port())).await;
    // The connection that writes, known by what it did last: on a slow machine it may have done something else by now.
    let mut writer = String::new();
    for _ in 0..50 {
        assert_eq!(store.take(&key("none")).await.unwrap(), None);
        writer = server.psql("SELECT pid FROM pg_stat_activity WHERE usename = 'app' AND query LIKE 'DELETE%'");
        if writer.parse::<u32>().is_ok() {
            break;
        }
    }
    let writer: u32 = writer.parse().expect("one connection has deleted");
    // Writing goes on, reading does not.
    server.psql("ALTER ROLE app CONNECTION LIMIT 1");
    let sql = "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE usename = 'app'";
    assert_ne!(server.psql(&format!("{sql} AND pid <> {writer}")), "0");
    let mut error = store.take(&key("none")).await.unwrap_err();
    for _ in 0..20 {
        // Sent over one of the connections that have just been ended, if it had deleted as well.
        if error.kind() != ErrorKind::Indeterminate {
            break;
        }
        error = store.take(&key("none")).await.unwrap_err();
    }
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
    assert_eq!(error.operation(), Some("take"));
    assert!(store.set(&key("a"), bytes("v"), forever()).await.unwrap().is_written());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_read_only_server_refuses_writes_and_reads_go_on() {
    let server = own(PostgresOptions::fast()).await;
    let store = warm(&server.url()).await;
    server.psql("ALTER SYSTEM SET default_transaction_read_only = on");
    server.psql("SELECT pg_reload_conf()");
    until("the server is read-only", async || store.set(&key("a"), bytes("v"), forever()).await.is_err()).await;
    let error = store.set(&key("a"), bytes("v"), forever()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error:?}");
    assert_eq!(store.get(&key("warm")).await.unwrap(), Some(bytes("up")));
    server.psql("ALTER SYSTEM RESET default_transaction_read_only");
    server.psql("SELECT pg_reload_conf()");
    within(Duration::from_secs(3), async || store.set(&key("a"), bytes("v"), forever()).await).await;
}

/// What a dropped write did is unknown; what it must not do is harm anybody else.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dropped_futures_harm_nobody() {
    let server = shared().await;
    let table = fresh_table();
    let store = warm(&format!("{}?table={table}", server.url())).await;
    let before = pids(server, &table);
    assert!(!before.is_empty());
    for round in 0..200_u32 {
        let id = format!("d{round}");
        let own = key(&id);
        let write = store.set(&own, bytes(&id), SetOptions::new(Ttl::Forever));
        // Dropped somewhere between the first poll and the answer.
        let _ = tokio::time::timeout(Duration::from_micros(u64::from(round) * 5), write).await;
        let found = store.get(&own).await.unwrap();
        assert!(found.is_none() || found == Some(bytes(&id)));
        assert_eq!(store.get(&key("warm")).await.unwrap(), Some(bytes("up")));
    }
    // A dropped call does not cost a connection: those there were before are still the ones.
    assert!(pids(server, &table).is_superset(&before), "connections were torn");
}

/// The sessions that have worked on a table.
fn pids(server: &PostgresServer, table: &str) -> std::collections::BTreeSet<String> {
    let sql = format!("SELECT pid FROM pg_stat_activity WHERE application_name = 'hallway' AND query LIKE '%{table}%'");
    server.psql(&sql).lines().map(str::to_owned).collect()
}
