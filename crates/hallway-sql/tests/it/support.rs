//! Stores on fresh tables and files.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use hallway_core::{Bytes, Key, KvStore, Namespace, SetOptions, StoreUrl, Ttl};
use hallway_sql::{SqlConfig, SqlStore};
use hallway_testkit::servers::PostgresServer;
use tempfile::TempDir;

/// A table that no other test of this process uses.
pub(crate) fn fresh_table() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("kv_{}_{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

pub(crate) fn config(url: &str) -> SqlConfig {
    SqlConfig::from_url(StoreUrl::parse(url).unwrap()).unwrap()
}

pub(crate) async fn open(url: &str) -> SqlStore {
    SqlStore::open_url(StoreUrl::parse(url).unwrap()).await.unwrap()
}

/// The view of a store whose writes also write to the outbox.
pub(crate) async fn enlisting(url: &str) -> Arc<dyn KvStore> {
    open(url).await.as_authority().unwrap().enlisting()
}

/// The keys that are owed an invalidation.
pub(crate) async fn owed(store: &impl KvStore) -> Vec<Key> {
    store.as_authority().unwrap().pending(1_000).await.unwrap().into_iter().map(|row| row.key).collect()
}

/// A SQLite database in a folder of its own.
pub(crate) struct File {
    pub(crate) folder: TempDir,
}

impl File {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("app.db")
    }

    pub(crate) fn url(&self) -> String {
        format!("sqlite:{}", self.path().display())
    }

    pub(crate) async fn open(&self) -> SqlStore {
        open(&self.url()).await
    }

    /// What the `sqlite3` shell prints.
    pub(crate) fn sqlite3(&self, sql: &str) -> String {
        self.try_sqlite3(sql).unwrap()
    }

    pub(crate) fn try_sqlite3(&self, sql: &str) -> Result<String, String> {
        let output = std::process::Command::new("sqlite3")
            .args(["-cmd", ".timeout 5000"])
            .arg(self.path())
            .arg(sql)
            .output()
            .expect("sqlite3 is needed: apt-get install sqlite3");
        match output.status.success() {
            true => Ok(String::from_utf8(output.stdout).unwrap().trim_end().to_owned()),
            false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
        }
    }
}

/// The PostgreSQL server of this process.
pub(crate) async fn shared() -> &'static PostgresServer {
    tokio::task::spawn_blocking(PostgresServer::shared).await.unwrap()
}

pub(crate) fn key(id: &str) -> Key {
    Namespace::new("test").unwrap().key(id).unwrap()
}

pub(crate) fn bytes(text: &str) -> Bytes {
    Bytes::copy_from_slice(text.as_bytes())
}

pub(crate) fn forever() -> SetOptions {
    SetOptions::new(Ttl::Forever)
}

/// Tries until it works, for what recovers by itself within a time.
pub(crate) async fn within<T, E: std::fmt::Debug>(
    limit: Duration,
    mut attempt: impl AsyncFnMut() -> Result<T, E>,
) -> T {
    let start = Instant::now();
    loop {
        match attempt().await {
            Ok(done) => return done,
            Err(error) if start.elapsed() > limit => panic!("not within {limit:?}: {error:?}"),
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
}

/// Waits until something is so.
pub(crate) async fn until(what: &str, mut condition: impl AsyncFnMut() -> bool) {
    let start = Instant::now();
    while !condition().await {
        assert!(start.elapsed() < Duration::from_secs(20), "never happened: {what}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// A store that has answered once, so that connecting is behind it.
pub(crate) async fn warm(url: &str) -> SqlStore {
    let store = open(url).await;
    store.ping().await.unwrap();
    store.set(&key("warm"), bytes("up"), forever()).await.unwrap();
    store
}
