//! PgBouncer in transaction mode: two clients, one server connection.

use std::sync::Arc;
use std::time::Duration;

use hallway_core::{AuthorityTier as _, ErrorKind, KvStore, SetOptions, Ttl};
use hallway_testkit::servers::{PgBouncer, PgBouncerOptions, PostgresOptions, PostgresServer};

use crate::support::{bytes, forever, fresh_table, key, open, owed};

async fn behind(limits: bool) -> (PostgresServer, PgBouncer) {
    tokio::task::spawn_blocking(move || {
        let mut options = PostgresOptions::fast();
        if limits {
            options = options.with_setting("statement_timeout", "2s");
        }
        let server = PostgresServer::start(options).unwrap();
        let pooler = PgBouncer::start(&server, PgBouncerOptions::default()).unwrap();
        (server, pooler)
    })
    .await
    .unwrap()
}

async fn two_clients(url: &str) {
    let (one, other) = (Arc::new(open(url).await), Arc::new(open(url).await));
    let tasks = (0..24_usize).map(|task| {
        let store = Arc::clone(if task % 2 == 0 { &one } else { &other });
        tokio::spawn(async move {
            for round in 0..15 {
                let id = format!("{task}-{round}");
                store.set(&key(&id), bytes(&id), forever()).await.unwrap();
                assert_eq!(store.get(&key(&id)).await.unwrap(), Some(bytes(&id)));
                assert_eq!(store.take(&key(&id)).await.unwrap(), Some(bytes(&id)));
                store.increment(&key("sum"), 1, Ttl::Forever).await.unwrap();
                let absent = SetOptions::new(Duration::from_secs(60)).if_absent();
                assert!(store.set(&key(&id), bytes("again"), absent).await.unwrap().is_written());
            }
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.unwrap();
    }
    assert_eq!(one.get(&key("sum")).await.unwrap(), Some(bytes("360")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_clients_share_one_server_connection() {
    let (_server, pooler) = behind(true).await;
    // Found out by itself, and said.
    two_clients(&format!("{}?table={}&deadline=20s", pooler.url(), fresh_table())).await;
    two_clients(&format!("{}?table={}&deadline=20s&pgbouncer=true", pooler.url(), fresh_table())).await;
}

/// A pooler that swallows our settings instead of refusing them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pooler_that_ignores_settings_is_found_out() {
    let (server, _) = behind(true).await;
    let pooler = tokio::task::spawn_blocking(move || {
        let options = PgBouncerOptions::default().with_setting("ignore_startup_parameters", "options");
        (PgBouncer::start(&server, options).unwrap(), server)
    })
    .await
    .unwrap();
    two_clients(&format!("{}?table={}&deadline=20s", pooler.0.url(), fresh_table())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_behind_a_pooler_must_limit_statements_itself() {
    let (server, pooler) = behind(false).await;
    for option in ["", "&pgbouncer=true"] {
        let store = open(&format!("{}?table={}{option}", pooler.url(), fresh_table())).await;
        let error = store.get(&key("a")).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidConfig, "{error}");
        assert!(error.to_string().contains("ALTER ROLE"), "{error}");
    }
    // The remedy is one.
    server.psql("ALTER ROLE postgres SET statement_timeout = '2s'");
    let pooler = tokio::task::spawn_blocking(move || {
        pooler.restart().unwrap();
        pooler
    })
    .await
    .unwrap();
    open(&format!("{}?table={}", pooler.url(), fresh_table())).await.ping().await.unwrap();
}

/// A statement that fails inside our transaction must not leave it open on the shared connection.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_failed_statement_leaves_the_connection_usable() {
    let (server, pooler) = behind(true).await;
    let table = fresh_table();
    let store = open(&format!("{}?table={table}", pooler.url())).await;
    store.set(&key("a"), bytes("v"), forever()).await.unwrap();
    server.psql(&format!("ALTER TABLE {table} RENAME TO elsewhere"));
    assert_eq!(store.get(&key("a")).await.unwrap_err().kind(), ErrorKind::InvalidConfig);
    server.psql(&format!("ALTER TABLE elsewhere RENAME TO {table}"));
    assert_eq!(store.get(&key("a")).await.unwrap(), Some(bytes("v")));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn enlisted_writes_of_two_clients_share_one_server_connection() {
    let (server, pooler) = behind(true).await;
    let url = format!("{}?table=kv&deadline=20s", pooler.url());
    let (one, other) = (open(&url).await, open(&url).await);
    let tasks = (0..16_usize).map(|task| {
        let store = if task % 2 == 0 { one.clone() } else { other.clone() };
        let view = store.as_authority().unwrap().enlisting();
        tokio::spawn(async move {
            for round in 0..10 {
                let own = key(&format!("{task}-{round}"));
                view.set(&own, bytes("v"), forever()).await.unwrap();
                store.set(&own, bytes("plain"), forever()).await.unwrap();
                assert_eq!(view.take(&own).await.unwrap(), Some(bytes("plain")));
            }
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.unwrap();
    }
    assert_eq!(owed(&one).await.len(), 320);
    // Both or neither, as without a pooler, and the shared connection goes on.
    server.psql("ALTER TABLE kv_outbox RENAME TO elsewhere");
    let view = other.enlisting();
    assert_eq!(view.set(&key("a"), bytes("v"), forever()).await.unwrap_err().kind(), ErrorKind::InvalidConfig);
    assert_eq!(one.get(&key("a")).await.unwrap(), None);
    server.psql("ALTER TABLE elsewhere RENAME TO kv_outbox");
    view.set(&key("a"), bytes("v"), forever()).await.unwrap();
    assert_eq!(one.pending(1_000).await.unwrap().len(), 321);
    // The commit is a step of its own.
    assert_eq!(one.write_limit(), Some(Duration::from_secs(20 + 2 * 2)));
}
