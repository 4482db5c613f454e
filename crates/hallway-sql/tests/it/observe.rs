//! What onlookers are told: spans of connecting, counts, and never a password or a key.

use std::fmt::{self, Write as _};
use std::sync::{Arc, Mutex};

use hallway_core::{Counted, ErrorKind, KvStore};
use hallway_testkit::servers::{PostgresOptions, PostgresServer};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use crate::support::{File, bytes, forever, key, open};

const CANARY: &str = "canary-7f3a";

/// Keeps what hallway tells, a line for each span, in which what it was told later follows.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<String>>>);

impl Lines {
    fn all(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }

    fn add(&self, at: usize, record: impl FnOnce(&mut Line<'_>)) {
        record(&mut Line(&mut self.0.lock().unwrap()[at]));
    }
}

struct Line<'a>(&'a mut String);

impl Visit for Line<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        write!(self.0, " {field}={value:?}").unwrap();
    }
}

impl Subscriber for Lines {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("hallway")
    }

    fn new_span(&self, attributes: &Attributes<'_>) -> Id {
        let at = {
            let mut lines = self.0.lock().unwrap();
            lines.push(attributes.metadata().name().to_owned());
            lines.len() - 1
        };
        self.add(at, |line| attributes.record(line));
        Id::from_u64(at as u64 + 1)
    }

    fn record(&self, span: &Id, values: &Record<'_>) {
        self.add(usize::try_from(span.into_u64()).unwrap() - 1, |line| values.record(line));
    }

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let mut text = "event".to_owned();
        event.record(&mut Line(&mut text));
        self.0.lock().unwrap().push(text);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

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
    let lines = Lines::default();
    let _guard = tracing::subscriber::set_default(lines.clone());
    let file = File::new();
    let store = file.open().await;
    for _ in 0..3 {
        let _ = store.set(&key(CANARY), bytes(CANARY), forever()).await.unwrap();
    }
    store.get(&key(CANARY)).await.unwrap().unwrap();
    let spans: Vec<String> = lines.all().into_iter().filter(|line| line.starts_with("hallway.connect")).collect();
    assert!(!spans.is_empty());
    for span in &spans {
        assert!(
            span.contains("otel.kind=\"client\" db.system.name=\"sqlite\" db.operation.name=\"connect\""),
            "{span}"
        );
        assert!(!span.contains("error.type"), "{span}");
    }
    let told = told(&store);
    let count = |name: &str| told.iter().find(|(told, _)| *told == format!("hallway_sql_{name}_total")).unwrap().1;
    assert_eq!((count("calls"), count("statements"), count("failed_connections")), (4, 4, 0));
    assert_eq!(count("connections"), spans.len() as u64);
    assert!(!lines.all().concat().contains(CANARY), "{:?}", lines.all());
}

#[tokio::test]
async fn a_refused_login_is_told_by_kind_and_code_alone() {
    let options = PostgresOptions::fast().with_password("right");
    let server = tokio::task::spawn_blocking(|| PostgresServer::start(options)).await.unwrap().unwrap();
    let lines = Lines::default();
    let _guard = tracing::subscriber::set_default(lines.clone());
    let store = open(&format!("postgres://{CANARY}:{CANARY}@127.0.0.1:{}/postgres", server.port())).await;
    assert_eq!(store.get(&key(CANARY)).await.unwrap_err().kind(), ErrorKind::Unauthorized);
    let lines = lines.all();
    let refused = "error.type=\"unauthorized\" db.response.status_code=\"28P01\" otel.status_code=\"ERROR\"";
    assert!(lines.iter().any(|line| line.contains("\"postgresql\"") && line.contains(refused)), "{lines:?}");
    assert!(!lines.concat().contains(CANARY), "{lines:?}");
    assert!(told(&store).iter().any(|(name, count)| *name == "hallway_sql_failed_connections_total" && *count > 0));
}
