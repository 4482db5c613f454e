//! What onlookers are told: spans of connecting, counts, and never a password or a key.

use hallway_core::{Counted, ErrorKind, KvStore};
use hallway_testkit::Watching;
use hallway_testkit::servers::{PostgresOptions, PostgresServer};
use tracing::Level;

use crate::support::{File, bytes, forever, key, open};

const CANARY: &str = "canary-7f3a";

fn told(store: &impl Counted) -> Vec<(&'static str, u64)> {
    let mut told = Vec::new();
    store.tell(&mut |count| {
        assert!(!format!("{count:?}").contains(CANARY));
        told.push((count.name, count.value));
    });
    told
}

#[tokio::test]
async fn connecting_has_a_span_and_what_is_sent_is_counted() {
    let watching = Watching::from(Level::TRACE);
    let _guard = tracing::subscriber::set_default(watching.clone());
    let file = File::new();
    let store = file.open().await;
    for _ in 0..3 {
        let _ = store.set(&key(CANARY), bytes(CANARY), forever()).await.unwrap();
    }
    store.get(&key(CANARY)).await.unwrap().unwrap();
    let spans = watching.take();
    assert!(!spans.is_empty());
    for span in &spans {
        let said = ["otel.kind", "db.system.name", "db.operation.name", "error.type"].map(|name| span.field(name));
        assert_eq!((span.name, said), ("hallway.connect", ["client", "sqlite", "connect", ""]));
    }
    let told = told(&store);
    let count = |name: &str| told.iter().find(|(told, _)| *told == format!("hallway_sql_{name}_total")).unwrap().1;
    assert_eq!((count("calls"), count("statements"), count("failed_connections")), (4, 4, 0));
    assert_eq!(count("connections"), spans.len() as u64);
    assert!(!watching.text().contains(CANARY), "{}", watching.text());
}

#[tokio::test]
async fn a_refused_login_is_told_by_kind_and_code_alone() {
    let options = PostgresOptions::fast().with_password("right");
    let server = tokio::task::spawn_blocking(|| PostgresServer::start(options)).await.unwrap().unwrap();
    let watching = Watching::from(Level::TRACE);
    let _guard = tracing::subscriber::set_default(watching.clone());
    let store = open(&format!("postgres://{CANARY}:{CANARY}@127.0.0.1:{}/postgres", server.port())).await;
    assert_eq!(store.get(&key(CANARY)).await.unwrap_err().kind(), ErrorKind::Unauthorized);
    let spans = watching.take();
    let said = |name: &str| spans.iter().map(|span| span.field(name).to_owned()).collect::<Vec<_>>();
    for (name, value) in [
        ("db.system.name", "postgresql"),
        ("error.type", "unauthorized"),
        ("db.response.status_code", "28P01"),
        ("otel.status_code", "ERROR"),
    ] {
        let said = said(name);
        assert!(!said.is_empty() && said.iter().all(|said| said == value), "{name}: {said:?}");
    }
    assert!(!watching.text().contains(CANARY), "{}", watching.text());
    assert!(told(&store).iter().any(|(name, count)| *name == "hallway_sql_failed_connections_total" && *count > 0));
}
