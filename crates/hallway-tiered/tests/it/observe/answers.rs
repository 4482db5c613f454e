//! Who answered: each key that the authority answered is one, and each time that it was asked is measured and has a span.

use std::io;

use hallway_core::{Bytes, ErrorKind, Key, KvStore, SetOptions, Ttl};
use hallway_testkit::{Fault, Watching};
use hallway_tiered::metrics::Exporter;
use hallway_tiered::{Mode, TieredStore};
use tracing::Level;

use super::CANARY;
use super::recorder::Recorded;
use crate::cache_double::world;
use crate::cache_support::{MS, SEC, Source, cache, pass};
use crate::store_peers::World;

fn key(id: &str) -> Key {
    Key::from_physical(&format!("a:{id}")).unwrap()
}

fn keys(ids: &[&str]) -> Vec<Key> {
    ids.iter().map(|id| key(id)).collect()
}

async fn set(tiers: &TieredStore, id: &str) {
    let _ = tiers.set(&key(id), Bytes::from(CANARY), SetOptions::new(Ttl::Forever)).await.unwrap();
}

/// What was told since it was last asked: keys that the authority answered, its answers that were measured, spans of loads.
struct Told {
    recorded: Recorded,
    watching: Watching,
    before: (u64, usize),
}

impl Told {
    fn new(recorded: &Recorded, watching: &Watching) -> Self {
        Self { recorded: recorded.clone(), watching: watching.clone(), before: (0, 0) }
    }

    fn since(&mut self, tiers: &TieredStore) -> (u64, usize, usize) {
        Exporter::new(tiers).report();
        let reads = self.recorded.counter("hallway_reads_total{tier=authority}").unwrap();
        let measured = self.recorded.histogram("hallway_load_duration_seconds{namespace=other,outcome=ok}").len();
        let spans = self.watching.take();
        let spans = spans.iter().filter(|seen| seen.name == "hallway.load" && seen.field("db.namespace") == "a");
        let told = (reads - self.before.0, measured - self.before.1, spans.count());
        self.before = (reads, measured);
        told
    }
}

#[tokio::test(start_paused = true)]
async fn reads_of_the_consistent_tier_are_counted_by_key_and_measured_by_call_whatever_the_link_does() {
    let recorded = Recorded::default();
    let _guard = metrics::set_default_local_recorder(&recorded);
    let watching = Watching::from(Level::DEBUG);
    let _subscriber = tracing::subscriber::set_default(watching.clone());
    let world = World::new();
    let tiers = world.process(1);
    for id in ["1", "2", "3"] {
        set(&tiers, id).await;
    }
    let mut told = Told::new(&recorded, &watching);
    assert_eq!(told.since(&tiers), (0, 0, 0));

    tiers.get(&key("1")).await.unwrap().unwrap();
    assert_eq!(told.since(&tiers), (1, 1, 1), "a miss");
    tiers.get(&key("none")).await.unwrap();
    assert_eq!(told.since(&tiers), (1, 1, 1), "nothing is an answer");
    tiers.get_many(&keys(&["1", "2", "none"])).await.unwrap();
    assert_eq!(told.since(&tiers), (2, 1, 1), "a batch, one of which has a copy");
    let long = "x".repeat(507);
    tiers.get(&key(&long)).await.unwrap();
    assert_eq!(told.since(&tiers), (1, 1, 1), "too long for a copy");
    tiers.get_many(&keys(&[&long, "4"])).await.unwrap();
    assert_eq!(told.since(&tiers), (2, 1, 1), "one of a batch too long for a copy");
    tiers.get_entry(&key("1")).await.unwrap().unwrap();
    tiers.get_entries(&keys(&["1", "2"])).await.unwrap();
    assert_eq!(told.since(&tiers), (3, 2, 2), "what must be exact");
    let exact = tiers.at(Mode::Consistent).unwrap();
    exact.get(&key("1")).await.unwrap().unwrap();
    exact.get_many(&keys(&["1", "2"])).await.unwrap();
    assert_eq!(told.since(&tiers), (3, 2, 2), "views that no copy answers");

    world.shared.cut();
    tiers.get(&key("3")).await.unwrap().unwrap();
    assert_eq!(told.since(&tiers), (1, 1, 1), "past a cut link");
    tiers.get_many(&keys(&["none", "5", "6"])).await.unwrap();
    assert_eq!(told.since(&tiers), (3, 1, 1), "a batch past a cut link");
    assert_eq!(tiers.stats().bypassed, 4);

    world.faults.inject(Fault::error(ErrorKind::Corrupt));
    tiers.get(&key("7")).await.unwrap_err();
    tiers.get_many(&keys(&["7", "8"])).await.unwrap_err();
    assert_eq!(told.since(&tiers), (0, 0, 2), "a failure is no answer");
    let failed = recorded.histogram("hallway_load_duration_seconds{namespace=other,outcome=corrupt}");
    assert_eq!(failed.len(), 2, "and is measured");
    assert!(!recorded.text().contains(CANARY) && !watching.text().contains(CANARY));
}

/// Whoever waits in vain for another's lease asks for himself.
#[tokio::test(start_paused = true)]
async fn a_read_past_anothers_lease_is_counted_and_measured_too() {
    let recorded = Recorded::default();
    let _guard = metrics::set_default_local_recorder(&recorded);
    let watching = Watching::from(Level::DEBUG);
    let _subscriber = tracing::subscriber::set_default(watching.clone());
    let world = World::new();
    let (here, there) = (world.process(1), world.process(2));
    set(&there, "1").await;
    let _ = watching.take();
    world.faults.inject(Fault::latency(MS * 100));
    let (first, second) = (key("1"), key("1"));
    let (one, other) = tokio::join!(here.get(&first), async {
        tokio::time::sleep(MS).await;
        there.get(&second).await
    });
    assert!(one.unwrap().is_some() && other.unwrap().is_some());
    assert_eq!((here.stats().authority_reads, there.stats().authority_reads), (1, 1));
    let took = recorded.histogram("hallway_load_duration_seconds{namespace=other,outcome=ok}");
    assert!(took.len() == 2 && took.iter().all(|took| *took >= 0.1), "{took:?}");
    assert_eq!(watching.take().iter().filter(|seen| seen.name == "hallway.load").count(), 2);
}

/// Where the shared tier is the authority, and only its link is cut.
#[tokio::test(start_paused = true)]
async fn reads_past_the_link_of_the_authority_are_its_reads() {
    let (shared, _) = world();
    let tiers = shared.process(1);
    set(&tiers, "1").await;
    let counted = || (tiers.stats().shared_hits, tiers.stats().authority_reads, tiers.stats().bypassed);
    tiers.get(&key("1")).await.unwrap().unwrap();
    tiers.get(&key("none")).await.unwrap();
    tiers.get_many(&keys(&["2", "none"])).await.unwrap();
    assert_eq!(counted(), (4, 0, 0));
    shared.cut_links();
    tiers.get(&key("2")).await.unwrap();
    tiers.get_many(&keys(&["3", "4"])).await.unwrap();
    assert_eq!(counted(), (4, 3, 3));
}

#[tokio::test(start_paused = true)]
async fn each_id_of_a_batch_is_a_read_and_no_refresh_is() {
    let (shared, clock) = world();
    let tiers = shared.process(1);
    let here = cache(&tiers, |told| told.ttl(SEC * 10).jitter(0.0).stale_while_revalidate(SEC * 100));
    let half = |ids: Vec<String>| async {
        Ok::<_, io::Error>(ids.into_iter().step_by(2).map(|id| (id, CANARY.to_owned())).collect::<Vec<_>>())
    };
    let ids: Vec<String> = (0..1_000).map(|id| id.to_string()).collect();
    let found = here.get_or_load_many(ids, half).await.unwrap();
    assert_eq!(found.iter().flatten().count(), 500);
    let counted = || (tiers.stats().authority_reads, tiers.stats().loads);
    assert_eq!(counted(), (1_000, 1));

    let source = Source::default();
    here.get_or_load("one", source.number()).await.unwrap();
    assert_eq!(counted(), (1_001, 2));
    here.refresh("one", source.number()).await.unwrap();
    assert_eq!(counted(), (1_001, 3), "a refresh");
    pass(&clock, SEC * 11).await;
    assert!(here.load("one", source.number()).await.unwrap().stale);
    tokio::time::sleep(MS).await;
    assert_eq!((source.calls(), counted()), (3, (1_001, 4)), "a refresh in the background");
    here.get_or_load("two", source.failing()).await.unwrap_err();
    assert_eq!(counted(), (1_001, 5), "a failure is no answer");
}
