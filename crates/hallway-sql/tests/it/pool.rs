//! Stores over a pool that the caller has already.

use std::time::Duration;

use hallway_core::{ErrorKind, KvStore};
use hallway_sql::{SqlConfig, SqlStore};
use hallway_testkit::model::{self, ModelConfig};
use sqlx::postgres::{PgConnectOptions, PgPoolOptions};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions};

use crate::support::{File, bytes, forever, fresh_table, key, shared};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_postgres_pool_of_the_caller_is_enough() {
    let server = shared().await;
    let options: PgConnectOptions = server.url().parse().unwrap();
    let pool = PgPoolOptions::new().max_connections(2).connect_with(options).await.unwrap();
    let store = SqlConfig::from(pool.clone()).with_table(fresh_table()).open().unwrap();
    let config = ModelConfig::default().with_operations(1_500);
    model::run(config, std::sync::Arc::new(store.clone()), None).await.unwrap();
    // A call that goes away in mid-statement does not leave the pool a connection with half an answer.
    for round in 0..100_u64 {
        let a = key("a");
        let get = store.get(&a);
        let _ = tokio::time::timeout(Duration::from_micros(round * 5), get).await;
        let one: i32 = sqlx::query_scalar("SELECT 1").fetch_one(&pool).await.unwrap();
        assert_eq!(one, 1);
    }
    drop(store);
    assert!(pool.size() <= 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_sqlite_pool_of_the_caller_is_enough() {
    let file = File::new();
    let options =
        SqliteConnectOptions::new().filename(file.path()).create_if_missing(true).journal_mode(SqliteJournalMode::Wal);
    let pool = SqlitePoolOptions::new().max_connections(3).connect_with(options).await.unwrap();
    let store = SqlStore::from_pool(pool).unwrap();
    store.set(&key("a"), bytes("v"), forever()).await.unwrap();
    let config = ModelConfig::default().with_operations(1_500);
    model::run(config, std::sync::Arc::new(store), None).await.unwrap();
}

/// Waiting for the pool is not sending: a write that got no connection was certainly not done.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_write_that_gets_no_connection_was_not_done() {
    let server = shared().await;
    let options: PgConnectOptions = server.url().parse().unwrap();
    let pool = PgPoolOptions::new().max_connections(1).connect_with(options).await.unwrap();
    let config = SqlConfig::from(pool.clone()).with_table(fresh_table()).with_statement_timeout(SHORT);
    gets_no_connection(config, async || pool.acquire().await.unwrap()).await;
    let file = File::new();
    let options = SqliteConnectOptions::new().filename(file.path()).create_if_missing(true);
    let pool = SqlitePoolOptions::new().max_connections(1).connect_with(options).await.unwrap();
    gets_no_connection(SqlConfig::from(pool.clone()), async || pool.acquire().await.unwrap()).await;
}

/// Shorter than a connection is waited for.
const SHORT: Duration = Duration::from_millis(10);

async fn gets_no_connection<T>(config: SqlConfig, acquire: impl AsyncFn() -> T) {
    let store = config.with_sweep(None).open().unwrap();
    store.set(&key("a"), bytes("old"), forever()).await.unwrap();
    let held = acquire().await;
    let hasty = store.with_deadline(Duration::from_millis(200));
    let error = hasty.set(&key("a"), bytes("hasty"), forever()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    // Longer than the pool is waited for.
    let error = store.set(&key("a"), bytes("patient"), forever()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    assert!(error.to_string().contains("pool"), "{error}");
    drop(held);
    assert_eq!(store.get(&key("a")).await.unwrap(), Some(bytes("old")));
    assert!(store.set(&key("a"), bytes("new"), forever()).await.unwrap().is_written());
    assert_eq!(store.get(&key("a")).await.unwrap(), Some(bytes("new")));
}
