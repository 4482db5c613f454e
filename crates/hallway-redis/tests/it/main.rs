//! Integration tests of the Redis store, against private servers.
#![expect(clippy::unwrap_used, reason = "tests may unwrap, their helpers too")]

mod coalescing;
mod conformance;
mod hostile;
mod login;
mod outage;
mod over;
mod runtimes;
mod shared;
#[cfg(feature = "tls")]
mod tls;
mod verbs;

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hallway_core::{Key, Namespace, StoreUrl};
use hallway_redis::RedisStore;
use hallway_testkit::servers::RedisServer;

/// A store on the shared server.
async fn shared() -> RedisStore {
    open(&format!("{}?deadline=5s", RedisServer::shared().url())).await
}

async fn open(url: &str) -> RedisStore {
    RedisStore::open_url(StoreUrl::parse(url).unwrap()).await.unwrap()
}

/// A namespace that no other test uses.
fn namespace() -> Namespace {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    Namespace::new(&format!("test{}", NEXT.fetch_add(1, Ordering::Relaxed))).unwrap()
}

fn key(namespace: &Namespace, id: &str) -> Key {
    namespace.key(id).unwrap()
}

/// Long enough for every test to end first.
const MINUTE: Duration = Duration::from_secs(60);

/// Polls until `done` says so, at most `patience` long.
async fn within(patience: Duration, what: &str, mut done: impl AsyncFnMut() -> bool) -> Duration {
    let start = tokio::time::Instant::now();
    while !done().await {
        assert!(start.elapsed() < patience, "{what}: not within {patience:?}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    start.elapsed()
}

/// Held by tests that measure or need much memory of this process.
static MEMORY: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());
