//! What the tiers of a configuration tell a recorder: stores and sessions too, and no password, key or id.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hallway::metrics::Exporter;
use hallway::session::{NewSession, Sessions, SessionsExt};
use hallway::{Bytes, Cache, Config, Key, KvStore, SetOptions};
use hallway_testkit::servers::{RedisOptions, RedisServer};
use metrics::{Counter, Gauge, Histogram, KeyName, Metadata, Recorder, SharedString, Unit};

const CANARY: &str = "canary-7f3a";

/// Remembers names, labels and descriptions.
#[derive(Clone, Default)]
struct Names(Arc<Mutex<BTreeSet<String>>>);

impl Names {
    fn add(&self, text: String) {
        self.0.lock().expect("nobody panics while holding it").insert(text);
    }
}

impl Recorder for Names {
    fn describe_counter(&self, name: KeyName, _: Option<Unit>, help: SharedString) {
        self.add(format!("# {name:?} {help}"));
    }
    fn describe_gauge(&self, name: KeyName, _: Option<Unit>, help: SharedString) {
        self.add(format!("# {name:?} {help}"));
    }
    fn describe_histogram(&self, name: KeyName, _: Option<Unit>, help: SharedString) {
        self.add(format!("# {name:?} {help}"));
    }
    fn register_counter(&self, key: &metrics::Key, _: &Metadata<'_>) -> Counter {
        self.add(key.to_string());
        Counter::noop()
    }
    fn register_gauge(&self, key: &metrics::Key, _: &Metadata<'_>) -> Gauge {
        self.add(key.to_string());
        Gauge::noop()
    }
    fn register_histogram(&self, key: &metrics::Key, _: &Metadata<'_>) -> Histogram {
        self.add(key.to_string());
        Histogram::noop()
    }
}

// One thread, because the recorder is this thread's alone.
#[tokio::test(flavor = "current_thread")]
async fn tiers_stores_and_sessions_are_told_of_and_secrets_are_not() {
    let names = Names::default();
    let _guard = metrics::set_default_local_recorder(&names);
    let server = RedisServer::start(RedisOptions::default().with_password(CANARY)).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let config = Config::default()
        .with_local("moka:?max=1MiB")
        .with_shared(server.url())
        .with_consistent(format!("sqlite:{}", folder.path().join("app.db").display()));
    let tiers = config.open().await.unwrap();
    let cache: Cache<String> = tiers.cache("user:profile").build().unwrap();
    let sessions: Sessions<String> = tiers.sessions("session").build().unwrap();
    let exporter = Exporter::new(&tiers).with_cache(&cache).with_counted(sessions.clone());

    let key = Key::from_physical(&format!("user:{CANARY}")).unwrap();
    let _ = tiers.set(&key, Bytes::from(CANARY), SetOptions::new(Duration::from_secs(60))).await.unwrap();
    tiers.get(&key).await.unwrap().unwrap();
    for _ in 0..2 {
        cache.get_or_load(CANARY, || async { Ok::<_, std::io::Error>(CANARY.to_owned()) }).await.unwrap();
    }
    let id = sessions.create(NewSession::new(CANARY.to_owned()).subject(CANARY)).await.unwrap();
    assert!(sessions.load(&id).await.unwrap().live().is_some());
    assert!(exporter.report());

    let told = names.0.lock().unwrap().clone();
    for name in [
        "hallway_reads_total",
        "hallway_load_duration_seconds",
        "hallway_cache_loads_total",
        "hallway_redis_connections_total",
        "hallway_sql_statements_total",
        "hallway_session_created_total",
    ] {
        assert!(told.iter().any(|text| text.contains(name) && !text.starts_with('#')), "{name}: {told:?}");
    }
    assert!(
        told.iter().any(|text| text.contains("hallway_session_created_total") && text.contains("namespace = session"))
    );
    let all = Vec::from_iter(told).join("\n");
    assert!(!all.contains(CANARY), "{all}");
    let shown = id.reveal();
    assert!(!shown.as_bytes().windows(8).any(|part| all.contains(std::str::from_utf8(part).unwrap())), "{all}");
}
