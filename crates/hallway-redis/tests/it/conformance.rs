//! The contract, clause by clause, and random operations against the model.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};

use hallway_testkit::servers::{RedisOptions, RedisServer};
use hallway_testkit::{Fixture, model};

use crate::open;

/// More databases than there are tests, so that each has one of its own.
const DATABASES: u32 = 4_096;

fn server() -> &'static RedisServer {
    static SERVER: OnceLock<RedisServer> = OnceLock::new();
    SERVER.get_or_init(|| {
        RedisServer::start(RedisOptions::default().with_config("databases", DATABASES.to_string())).unwrap()
    })
}

/// The URL of a database that nobody else uses.
fn fresh() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let database = NEXT.fetch_add(1, Ordering::Relaxed);
    assert!(database < DATABASES);
    format!("{}/{database}?deadline=30s&connect_timeout=10s", server().url())
}

async fn fixture() -> Fixture {
    let url = fresh();
    Fixture::new(open(&url).await)
        .with_reopen(move || {
            let url = url.clone();
            async move { open(&url).await }
        })
        // Nobody listens on this port: only root may, and the tests start no such server.
        .with_failed(|| async { open("redis://127.0.0.1:1").await })
}

hallway_testkit::conformance! { fixture = fixture, lacks = [Durable, LocalRead, OrderedScan] }

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_operations_agree_with_the_model() {
    let store = Arc::new(open(&fresh()).await);
    let summary =
        model::run(model::ModelConfig::default(), store, None).await.unwrap_or_else(|error| panic!("{error}"));
    assert!(summary.operations >= 10_000);
}
