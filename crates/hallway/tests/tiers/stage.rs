//! Tiers on private servers, each set on data of its own.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use hallway::{AnyTier, KvStore, NamespaceOptions, TierSet, TieredBuilder, TieredStore};
use hallway_testkit::servers::{PostgresServer, RedisOptions, RedisServer};
use tempfile::TempDir;

/// More databases than there are tests, so that each has one of its own.
const DATABASES: u32 = 16_384;

/// Which database is the consistent tier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Truth {
    Postgres,
    Sqlite,
}

/// Where the tiers of one test are.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(crate) local: Option<String>,
    pub(crate) shared: Option<String>,
    pub(crate) consistent: Option<String>,
    folder: Option<Arc<TempDir>>,
}

pub(crate) fn redis() -> &'static RedisServer {
    static SERVER: OnceLock<RedisServer> = OnceLock::new();
    SERVER.get_or_init(|| {
        RedisServer::start(RedisOptions::default().with_config("databases", DATABASES.to_string())).unwrap()
    })
}

/// A number that no other test of this process has.
pub(crate) fn fresh() -> u32 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let next = NEXT.fetch_add(1, Ordering::Relaxed);
    assert!(next < DATABASES);
    next
}

/// The URL of a Redis database that nobody else uses.
pub(crate) fn redis_url() -> String {
    format!("{}/{}?deadline=30s&connect_timeout=10s", redis().url(), fresh())
}

pub(crate) async fn postgres_url() -> String {
    let server = tokio::task::spawn_blocking(PostgresServer::shared).await.unwrap();
    format!("{}?table=tiers_{}_{}&readers=2", server.url(), std::process::id(), fresh())
}

impl Place {
    pub(crate) async fn new(tiers: TierSet, truth: Truth) -> Self {
        let folder = (tiers.consistent && truth == Truth::Sqlite).then(|| Arc::new(tempfile::tempdir().unwrap()));
        let consistent = match (&folder, tiers.consistent) {
            (_, false) => None,
            (Some(folder), true) => Some(format!("sqlite:{}", folder.path().join("app.db").display())),
            (None, true) => Some(postgres_url().await),
        };
        Self {
            local: tiers.local.then(|| "moka:?max=64MiB".to_owned()),
            shared: tiers.shared.then(redis_url),
            consistent,
            folder,
        }
    }

    /// The same tiers where nobody answers.
    pub(crate) fn nowhere(&self) -> Self {
        let folder = self.folder.as_ref().map(|folder| folder.path().display().to_string());
        Self {
            local: self.local.clone(),
            // Nobody listens on this port: only root may, and the tests start no such server.
            shared: self.shared.as_ref().map(|_| "redis://127.0.0.1:1".to_owned()),
            consistent: self.consistent.as_ref().map(|_| match folder {
                Some(folder) => format!("sqlite:{folder}"),
                None => "postgres://postgres@127.0.0.1:1/postgres".to_owned(),
            }),
            folder: self.folder.clone(),
        }
    }

    pub(crate) async fn builder(&self) -> TieredBuilder<AnyTier, AnyTier, AnyTier> {
        TieredBuilder::from_parts(open(&self.local).await, open(&self.shared).await, open(&self.consistent).await)
    }

    pub(crate) async fn open(&self, options: NamespaceOptions, single_instance: bool) -> TieredStore {
        // A busy machine is not an outage.
        let builder = self.builder().await.defaults(options).shared_deadline(Duration::from_secs(5));
        let builder = if single_instance { builder.single_instance() } else { builder };
        builder.build().unwrap()
    }
}

async fn open(url: &Option<String>) -> Option<Arc<dyn KvStore>> {
    match url {
        Some(url) => Some(hallway::open(url).await.unwrap()),
        None => None,
    }
}
