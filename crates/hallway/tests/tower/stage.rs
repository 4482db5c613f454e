//! Stores that no other test uses.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use hallway::KvStore;
use hallway::session::tower::{TowerStore, TowerStoreBuilder};
use hallway_testkit::servers::{PostgresServer, RedisServer};
use tempfile::TempDir;

/// A busy machine is not an outage.
const PATIENCE: Duration = Duration::from_secs(30);

/// One backend, for one test.
#[derive(Debug)]
pub(crate) struct Stage {
    pub(crate) store: Arc<dyn KvStore>,
    /// Where the sessions lie.
    pub(crate) namespace: String,
    folder: Option<TempDir>,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Backend {
    Moka,
    Postgres,
    Redis,
    Sqlite,
}

impl Stage {
    pub(crate) async fn new(backend: Backend) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let mut folder = None;
        let url = match backend {
            Backend::Moka => "moka:?max=16MiB".to_owned(),
            Backend::Postgres => {
                let server = tokio::task::spawn_blocking(PostgresServer::shared).await.unwrap();
                let table = format!("tower_{}_{number}", std::process::id());
                format!("{}?table={table}&readers=1&connect=now&deadline=30s", server.url())
            }
            Backend::Redis => {
                let server = tokio::task::spawn_blocking(RedisServer::shared).await.unwrap();
                format!("{}?connect=now&deadline=30s&connect_timeout=10s", server.url())
            }
            Backend::Sqlite => {
                let path = folder.insert(tempfile::tempdir().unwrap()).path().join("app.db");
                format!("sqlite:{}?connect=now&deadline=30s", path.display())
            }
        };
        Self { store: hallway::open(&url).await.unwrap(), namespace: format!("session{number}"), folder }
    }

    /// On a server of the test's own.
    pub(crate) async fn at(url: &str) -> Self {
        Self { store: hallway::open(url).await.unwrap(), namespace: "session".to_owned(), folder: None }
    }

    pub(crate) fn builder(&self) -> TowerStoreBuilder {
        TowerStore::builder(self.store.clone(), &self.namespace).deadline(PATIENCE)
    }

    pub(crate) fn sessions(&self) -> TowerStore {
        self.builder().build().unwrap()
    }

    /// What is stored: keys as they are there, and values.
    pub(crate) async fn entries(&self) -> Vec<(String, hallway::Bytes)> {
        let prefix = hallway::Prefix::new(&self.namespace).unwrap();
        let mut entries = Vec::new();
        let mut after = None;
        loop {
            let page = self.store.scan(&prefix, after, 1_000).await.unwrap();
            for key in page.keys {
                if let Some(value) = self.store.get(&key).await.unwrap() {
                    entries.push((String::from_utf8(key.as_bytes().to_vec()).unwrap(), value));
                }
            }
            match page.next {
                Some(cursor) => after = Some(cursor),
                None => return entries,
            }
        }
    }

    pub(crate) fn folder(&self) -> &std::path::Path {
        self.folder.as_ref().unwrap().path()
    }
}
