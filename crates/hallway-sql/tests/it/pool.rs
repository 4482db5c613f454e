//! Stores over a pool that the caller has already.

use std::time::Duration;

use hallway_core::KvStore;
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
