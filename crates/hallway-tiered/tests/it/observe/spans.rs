//! What has a span, what is in it, and that no hit has one.

use std::collections::BTreeSet;
use std::io;

use hallway_core::{Bytes, Key, KvStore, SetOptions, Ttl};
use hallway_tiered::{Cache, Load};
use tracing::{Instrument, Level};

use super::CANARY;
use crate::cache_double::world;
use crate::cache_support::{MS, SEC, Source, cache, pass};
use crate::store_peers::World;
use hallway_testkit::{SeenSpan as Seen, Watching};

/// Name, operation, parent.
fn shape(spans: &[Seen]) -> Vec<(&'static str, &str, &'static str)> {
    spans.iter().map(|seen| (seen.name, seen.field("db.operation.name"), seen.parent.unwrap_or("-"))).collect()
}

fn loader() -> impl FnOnce() -> std::future::Ready<Result<String, io::Error>> + Send + 'static {
    || std::future::ready(Ok(CANARY.to_owned()))
}

/// One that says what it must not.
fn failing() -> impl FnOnce() -> std::future::Ready<Result<String, io::Error>> + Send + 'static {
    || std::future::ready(Err(io::Error::other(CANARY)))
}

#[tokio::test(start_paused = true)]
async fn a_load_has_a_span_under_that_of_its_caller_and_a_hit_has_none() {
    let watching = Watching::from(Level::TRACE);
    let _guard = tracing::subscriber::set_default(watching.clone());
    let (shared, _) = world();
    let here = cache(&shared.process(1), |told| told);
    let request = tracing::info_span!("request");
    here.get_or_load(CANARY, loader()).instrument(request).await.unwrap();
    let spans = watching.take();
    let load = [
        ("hallway.load", "load", "request"),
        ("hallway.loader", "loader", "hallway.load"),
        ("hallway.fill", "fill", "hallway.load"),
    ];
    assert_eq!(shape(&spans), load);
    for seen in &spans {
        assert_eq!(seen.field("db.system.name"), "hallway");
        assert_eq!(seen.field("db.namespace"), "text");
        assert_eq!(seen.field("otel.kind"), "internal");
        assert_eq!(seen.field("otel.name"), format!("{} text", seen.field("db.operation.name")));
        for absent in ["error.type", "otel.status_code", "db.operation.batch.size"] {
            assert_eq!(seen.field(absent), "", "{absent}");
        }
    }
    // The first is answered by the shared tier, the others by this process.
    for _ in 0..200 {
        here.get_or_load(CANARY, loader()).await.unwrap();
        here.get(CANARY).await.unwrap().unwrap();
    }
    assert!(here.try_get(CANARY).is_some() && here.stats().local_hits >= 399);
    assert_eq!(shape(&watching.take()), []);
    assert!(!watching.text().contains(CANARY), "{}", watching.text());
}

#[tokio::test(start_paused = true)]
async fn a_span_says_by_kind_how_its_operation_failed() {
    let watching = Watching::from(Level::TRACE);
    let _guard = tracing::subscriber::set_default(watching.clone());
    let (shared, _) = world();
    let here = cache(&shared.process(1), |told| told);
    here.get_or_load(CANARY, failing()).await.unwrap_err();
    here.write(CANARY, || async { Err::<(), _>(io::Error::other(CANARY)) }).await.unwrap_err();
    let spans = watching.take();
    let kinds: Vec<_> =
        spans.iter().map(|seen| (seen.name, seen.field("error.type"), seen.field("otel.status_code"))).collect();
    assert_eq!(
        kinds,
        [
            ("hallway.load", "unavailable", "ERROR"),
            ("hallway.loader", "unavailable", "ERROR"),
            ("hallway.write", "indeterminate", "ERROR")
        ]
    );
    assert!(!watching.text().contains(CANARY), "{}", watching.text());
}

#[tokio::test(start_paused = true)]
async fn what_a_cache_does_has_spans() {
    let watching = Watching::from(Level::TRACE);
    let _guard = tracing::subscriber::set_default(watching.clone());
    let (shared, clock) = world();
    let told = |told: hallway_tiered::CacheBuilder| told.ttl(SEC * 10).jitter(0.0).stale_while_revalidate(SEC * 100);
    let here = cache(&shared.process(1), told);
    let load = |operation, parent| {
        [
            ("hallway.load", operation, parent),
            ("hallway.loader", "loader", "hallway.load"),
            ("hallway.fill", "fill", "hallway.load"),
        ]
    };
    let tagged = || async { Ok::<_, io::Error>(Load::store(CANARY.to_owned()).with_tags([CANARY])) };
    here.get_or_load(CANARY, tagged).await.unwrap();
    assert_eq!(shape(&watching.take()), load("load", "-"));
    here.refresh(CANARY, loader()).await.unwrap();
    assert_eq!(shape(&watching.take()), load("refresh", "-"));
    pass(&clock, SEC * 11).await;
    // Past its TTL: it answers, and somebody refreshes it in the background. The loader fails once.
    assert!(here.load(CANARY, failing()).await.unwrap().stale);
    tokio::time::sleep(MS).await;
    assert_eq!(shape(&watching.take()), load("refresh", "-")[..2]);
    pass(&clock, SEC * 2).await;
    assert!(here.load(CANARY, loader()).await.unwrap().stale);
    tokio::time::sleep(MS).await;
    assert_eq!(shape(&watching.take()), load("refresh", "-"));
    let many = |ids: Vec<String>| async {
        Ok::<_, io::Error>(ids.into_iter().map(|id| (id, CANARY.to_owned())).collect::<Vec<_>>())
    };
    here.get_or_load_many(["a", "b", "c"], many).await.unwrap();
    let spans = watching.take();
    assert_eq!(shape(&spans), load("load", "-"));
    assert_eq!((spans[0].field("db.operation.batch.size"), spans[2].field("db.operation.batch.size")), ("3", "3"));
    here.write(CANARY, || async { Ok::<_, io::Error>(()) }).await.unwrap();
    here.invalidate_many(["a", "b"]).await.unwrap();
    here.invalidate_tag(CANARY).await.unwrap();
    here.clear().await.unwrap();
    let spans = watching.take();
    assert_eq!(
        shape(&spans),
        [
            ("hallway.write", "write", "-"),
            ("hallway.invalidate", "invalidate", "-"),
            ("hallway.invalidate", "clear", "-"),
            ("hallway.invalidate", "clear", "-")
        ]
    );
    assert_eq!(spans[1].field("db.operation.batch.size"), "2");
    assert!(!watching.events().is_empty(), "a failed refresh is an event");
    assert!(!watching.text().contains(CANARY), "{}", watching.text());
}

#[tokio::test(start_paused = true)]
async fn what_a_store_does_has_spans_and_so_have_repairs() {
    let watching = Watching::from(Level::TRACE);
    let _guard = tracing::subscriber::set_default(watching.clone());
    let world = World::new();
    let tiers = world.process(1);
    let key = Key::from_physical(&format!("a:{CANARY}")).unwrap();
    let set = async || tiers.set(&key, Bytes::from(CANARY), SetOptions::new(Ttl::Forever)).await.unwrap();
    set().await;
    tiers.get(&key).await.unwrap().unwrap();
    tiers.get(&key).await.unwrap().unwrap();
    assert!(tiers.try_get(&key).is_some());
    let spans = watching.take();
    assert_eq!(
        shape(&spans),
        [("hallway.write", "set", "-"), ("hallway.load", "load", "-"), ("hallway.fill", "fill", "hallway.load")]
    );
    assert!(spans.iter().all(|seen| seen.field("db.namespace") == "a"));
    // Nothing to do is nothing to tell.
    tokio::time::sleep(SEC * 10).await;
    assert_eq!(shape(&watching.take()), []);
    let here: Cache<String> = tiers.cache("text").build().unwrap();
    world.shared.cut();
    set().await;
    here.invalidate(CANARY).await.unwrap();
    assert_eq!(shape(&watching.take()), [("hallway.write", "set", "-"), ("hallway.invalidate", "invalidate", "-")]);
    world.shared.mend();
    tokio::time::sleep(SEC * 2).await;
    let spans = watching.take();
    let names: BTreeSet<_> = spans.iter().map(|seen| (seen.name, seen.field("otel.name"))).collect();
    assert_eq!(names, BTreeSet::from([("hallway.drain", "drain"), ("hallway.repair", "repair")]), "{spans:?}");
    assert!(spans.iter().all(|seen| seen.field("error.type").is_empty() && seen.field("db.namespace").is_empty()));
    assert!(!watching.text().contains(CANARY), "{}", watching.text());
}

#[tokio::test(start_paused = true)]
async fn who_does_not_ask_for_spans_gets_none() {
    let watching = Watching::from(Level::INFO);
    let _guard = tracing::subscriber::set_default(watching.clone());
    let (shared, _) = world();
    let here = cache(&shared.process(1), |told| told);
    here.get_or_load("1", Source::default().number()).await.unwrap();
    here.write("1", || async { Ok::<_, io::Error>(()) }).await.unwrap();
    assert_eq!(shape(&watching.take()), []);
}
