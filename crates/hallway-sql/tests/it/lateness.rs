//! How late a write can still be done: never much after its caller gave up.

use std::time::{Duration, Instant};

use hallway_core::{AuthorityTier as _, ErrorKind, KvStore};
use hallway_sql::SqlStore;
use hallway_testkit::servers::{PgBouncer, PgBouncerOptions, PostgresOptions, PostgresServer};
use hallway_testkit::{DelayProxy, Direction, FaultProxy, LinkFault};
use sqlx::sqlite::SqlitePoolOptions;

use crate::support::{File, bytes, forever, fresh_table, key, open, shared, warm, within};

/// More than a store errs about the server's clock: as long as the answer took that told it.
const ERROR: Duration = Duration::from_millis(200);

/// Watches for a while that something does not happen.
async fn never(store: &SqlStore, id: &str) {
    let start = Instant::now();
    while start.elapsed() < Duration::from_millis(1_200) {
        if let Ok(found) = store.get(&key(id)).await {
            assert_eq!(found, None, "a write was done {:?} after the server was back", start.elapsed());
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// A server that was stopped finds statements in its sockets that nobody waits for any more.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_that_a_stopped_server_finds_later_is_refused() {
    let start = || PostgresServer::start(PostgresOptions::fast().with_setting("statement_timeout", "2s")).unwrap();
    let server = tokio::task::spawn_blocking(start).await.unwrap();
    let store = warm(&format!("{}?deadline=300ms&sweep=off", server.url())).await;
    let view = store.enlisting();
    view.set(&key("warm"), bytes("up"), forever()).await.unwrap();
    store.settle(&[store.pending(1).await.unwrap().remove(0).id]).await.unwrap();
    for enlisted in [false, true] {
        let id = format!("late-{enlisted}");
        server.pause();
        let error = match enlisted {
            true => view.set(&key(&id), bytes("v"), forever()).await.unwrap_err(),
            false => store.set(&key(&id), bytes("v"), forever()).await.unwrap_err(),
        };
        assert_eq!(error.kind(), ErrorKind::Indeterminate, "{error}");
        tokio::time::sleep(ERROR).await;
        server.resume();
        never(&store, &id).await;
        assert_eq!(store.pending(1).await.unwrap(), []);
        // What was refused costs nobody a connection or a second attempt.
        within(Duration::from_secs(2), async || store.set(&key("after"), bytes("v"), forever()).await).await;
    }
}

/// A network that held a statement back delivers it in the end.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_that_comes_late_through_a_pooler_is_refused() {
    let (server, pooler) = tokio::task::spawn_blocking(|| {
        let server = PostgresServer::start(PostgresOptions::fast().with_setting("statement_timeout", "2s")).unwrap();
        let pooler = PgBouncer::start(&server, PgBouncerOptions::default()).unwrap();
        (server, pooler)
    })
    .await
    .unwrap();
    let store = warm(&format!("{}?deadline=300ms&sweep=off", pooler.url())).await;
    pooler.pause();
    store.set(&key("late"), bytes("v"), forever()).await.unwrap_err();
    tokio::time::sleep(ERROR).await;
    pooler.resume();
    never(&store, "late").await;
    within(Duration::from_secs(2), async || store.set(&key("after"), bytes("v"), forever()).await).await;
    drop(server);
}

/// Whoever shares a statement with somebody hasty is not refused with him.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_patient_are_not_refused_with_the_hasty() {
    let server = shared().await;
    let proxy = DelayProxy::start(server.addr(), Duration::from_millis(60)).unwrap();
    let url = format!("postgres://postgres@127.0.0.1:{}/postgres?table={}&sweep=off", proxy.port(), fresh_table());
    let store = warm(&url).await;
    for round in 0..5 {
        // Those that queue behind these two go together.
        let hasty = store.with_deadline(Duration::from_millis(90));
        let calls = (0..12).map(|at| {
            let (store, hasty) = (store.clone(), hasty.clone());
            tokio::spawn(async move {
                let own = key(&format!("{round}-{at}"));
                match at {
                    0..8 => drop(store.set(&own, bytes("v"), forever()).await.unwrap()),
                    _ => {
                        let _ = hasty.set(&own, bytes("v"), forever()).await;
                    }
                }
            })
        });
        for call in calls.collect::<Vec<_>>() {
            call.await.unwrap();
        }
        for at in 0..8 {
            assert_eq!(store.get(&key(&format!("{round}-{at}"))).await.unwrap(), Some(bytes("v")));
        }
    }
}

/// A statement of SQLite would go on for ever, and keep the only writer busy.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sqlite_gives_up_a_write_that_nobody_waits_for() {
    let file = File::new();
    let store = warm(&format!("{}?deadline=300ms&statement_timeout=400ms", file.url())).await;
    file.sqlite3(
        "CREATE TABLE counted (n); \
         CREATE TRIGGER endless AFTER INSERT ON hallway_kv WHEN NEW.key LIKE 'test:slow%' BEGIN \
             INSERT INTO counted WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT count(*) FROM c; \
         END;",
    );
    let view = store.enlisting();
    for (id, enlisted) in [("slow-plain", false), ("slow-enlisted", true)] {
        let start = Instant::now();
        let error = match enlisted {
            true => view.set(&key(id), bytes("v"), forever()).await.unwrap_err(),
            false => store.set(&key(id), bytes("v"), forever()).await.unwrap_err(),
        };
        assert_eq!(error.kind(), ErrorKind::Indeterminate, "{error}");
        within(Duration::from_secs(3), async || store.set(&key("other"), bytes("v"), forever()).await).await;
        assert!(start.elapsed() < Duration::from_secs(4));
        assert_eq!(store.get(&key(id)).await.unwrap(), None);
        assert_eq!(store.pending(1).await.unwrap(), []);
    }
}

#[tokio::test]
async fn the_limit_of_a_write_is_known() {
    let seconds = |seconds| Some(Duration::from_secs(seconds));
    let server = shared().await;
    let file = File::new();
    for url in [server.url(), file.url(), "sqlite::memory:".to_owned()] {
        let store = open(&url).await;
        assert_eq!(store.write_limit(), seconds(5 + 2), "{url}");
        assert_eq!(open(&format!("{url}?deadline=1s&statement_timeout=3s")).await.write_limit(), seconds(4), "{url}");
    }
    // What we do not set we do not know.
    let pool = SqlitePoolOptions::new().connect_lazy("sqlite::memory:").unwrap();
    assert_eq!(SqlStore::from_pool(pool).unwrap().write_limit(), None);
}

/// A network that held a statement back delivers it in the end, to a server that takes it for a fresh one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_that_a_network_delivers_late_is_refused() {
    let server = shared().await;
    let proxy = FaultProxy::start(server.addr()).unwrap();
    let table = fresh_table();
    let url = format!("postgres://postgres@127.0.0.1:{}/postgres?table={table}&deadline=300ms", proxy.port());
    let store = warm(&url).await;
    let direct = open(&format!("{}?table={table}", server.url())).await;
    proxy.set(Direction::ToServer, LinkFault::Stall);
    let error = store.set(&key("late"), bytes("v"), forever()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Indeterminate, "{error}");
    tokio::time::sleep(ERROR).await;
    proxy.heal();
    never(&direct, "late").await;
    within(Duration::from_secs(2), async || store.set(&key("after"), bytes("v"), forever()).await).await;
}
