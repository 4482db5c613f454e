//! What is measured where it happens.

use std::io;

use hallway_core::{Bytes, ErrorKind, Key, KvStore, SetOptions, Ttl};
use hallway_tiered::Cache;
use hallway_tiered::metrics::{BUCKETS, describe};
use tracing::Level;

use super::CANARY;
use super::recorder::Recorded;
use crate::cache_double::world;
use crate::cache_support::{SEC, Source, cache, pass};
use crate::store_peers::World;
use hallway_testkit::Watching;

#[tokio::test(start_paused = true)]
async fn loads_and_writes_are_measured_by_outcome() {
    let recorded = Recorded::default();
    let _guard = metrics::set_default_local_recorder(&recorded);
    let (shared, _) = world();
    let here = cache(&shared.process(1), |told| told.hard_timeout(SEC * 3));
    let source = Source::default();
    here.get_or_load("1", source.slow(SEC)).await.unwrap();
    here.get_or_load("1", source.slow(SEC)).await.unwrap();
    here.get_or_load("2", source.failing()).await.unwrap_err();
    here.get_or_load("3", source.slow(SEC * 10)).await.unwrap_err();
    let load = |outcome: &str| {
        recorded.histogram(&format!("hallway_load_duration_seconds{{namespace=text,outcome={outcome}}}"))
    };
    assert_eq!((load("ok"), load("unavailable")), (vec![1.0], vec![0.0, 3.0]));

    let slow = |time| {
        move || async move {
            tokio::time::sleep(time).await;
            Ok::<_, io::Error>(())
        }
    };
    here.write("1", slow(SEC * 2)).await.unwrap();
    here.write("1", || async { Err::<(), _>(io::Error::other(CANARY)) }).await.unwrap_err();
    here.invalidate("1").await.unwrap();
    here.clear().await.unwrap();
    let took = |what: &str| recorded.histogram(&format!("hallway_write_duration_seconds{{{what}}}"));
    assert_eq!(took("operation=write,outcome=ok"), [2.0]);
    assert_eq!(took("operation=write,outcome=indeterminate"), [0.0]);
    assert_eq!(took("operation=invalidate,outcome=ok"), [0.0]);
    assert_eq!(took("operation=clear,outcome=ok"), [0.0]);
}

#[tokio::test(start_paused = true)]
async fn the_age_of_a_copy_is_measured_when_the_shared_tier_answers_and_not_when_this_process_does() {
    let recorded = Recorded::default();
    let _guard = metrics::set_default_local_recorder(&recorded);
    let (shared, clock) = world();
    let (here, there) = (cache(&shared.process(1), |told| told), cache(&shared.process(2), |told| told));
    here.get_or_load("1", Source::default().number()).await.unwrap();
    let ages = || recorded.histogram("hallway_shared_hit_age_seconds{namespace=text}");
    pass(&clock, SEC * 10).await;
    there.get("1").await.unwrap().unwrap();
    assert_eq!(ages(), [10.0]);
    for _ in 0..100 {
        there.get("1").await.unwrap().unwrap();
    }
    assert_eq!(ages(), [10.0]);
    pass(&clock, SEC * 5).await;
    here.get("1").await.unwrap().unwrap();
    assert_eq!(ages(), [10.0, 15.0]);
}

#[tokio::test(start_paused = true)]
async fn what_was_owed_is_measured_when_it_is_made_good() {
    let recorded = Recorded::default();
    let _guard = metrics::set_default_local_recorder(&recorded);
    let (shared, clock) = world();
    let here = cache(&shared.process(1), |told| told);
    here.get_or_load("1", Source::default().number()).await.unwrap();
    shared.cut();
    here.invalidate("1").await.unwrap();
    here.clear().await.unwrap();
    let delays = || recorded.histogram("hallway_repair_delay_seconds");
    pass(&clock, SEC * 20).await;
    assert!(delays().is_empty());
    shared.mend();
    tokio::time::sleep(SEC * 2).await;
    let delays = delays();
    assert!(delays.len() == 2 && delays.iter().all(|delay| (20.0..22.1).contains(delay)), "{delays:?}");
}

#[tokio::test(start_paused = true)]
async fn reads_of_the_truth_and_rows_of_the_outbox_are_measured_too() {
    let recorded = Recorded::default();
    let _guard = metrics::set_default_local_recorder(&recorded);
    let world = World::new();
    let tiers = world.process(1);
    let key = Key::from_physical(&format!("a:{CANARY}")).unwrap();
    let set = async || tiers.set(&key, Bytes::from(CANARY), SetOptions::new(Ttl::Forever)).await.unwrap();
    set().await;
    tiers.get(&key).await.unwrap().unwrap();
    assert_eq!(recorded.histogram("hallway_load_duration_seconds{namespace=other,outcome=ok}"), [0.0]);
    assert_eq!(recorded.histogram("hallway_write_duration_seconds{operation=set,outcome=ok}"), [0.0]);
    world.shared.cut();
    set().await;
    world.shared.mend();
    tokio::time::sleep(SEC * 2).await;
    assert!(!recorded.histogram("hallway_repair_delay_seconds").is_empty());
    assert!(tiers.stats().repairs > 0);
    world.faults.inject(hallway_testkit::Fault::error(ErrorKind::Corrupt));
    tiers.get(&key).await.unwrap_err();
    assert_eq!(recorded.histogram("hallway_load_duration_seconds{namespace=other,outcome=corrupt}"), [0.0]);
    assert!(!recorded.text().contains(CANARY), "{}", recorded.text());
}

/// p99 of loads that end at their deadline is just above it, and not somewhere up to twice as long.
#[tokio::test(start_paused = true)]
async fn what_ends_at_the_hard_timeout_is_in_a_narrow_bucket() {
    let recorded = Recorded::default();
    let _guard = metrics::set_default_local_recorder(&recorded);
    let (shared, _) = world();
    let here = cache(&shared.process(1), |told| told);
    here.get_or_load("1", Source::default().slow(SEC * 60)).await.unwrap_err();
    let took = recorded.histogram("hallway_load_duration_seconds{namespace=text,outcome=unavailable}");
    assert!(BUCKETS.is_sorted_by(|one, next| one < next));
    // A timer is late by what a busy machine takes.
    let within = BUCKETS.iter().position(|bound| *bound >= took[0] + 0.05).unwrap();
    assert!(BUCKETS[within - 1] <= took[0] && BUCKETS[within] <= took[0] * 1.1, "{took:?}: {:?}", BUCKETS[within]);
}

/// What is measured and what is described are the same: the exporter's own are compared where it is tested.
#[test]
fn every_measurement_is_described() {
    let recorded = Recorded::default();
    metrics::with_local_recorder(&recorded, describe);
    let (_, described) = recorded.names();
    for name in ["load_duration", "repair_delay", "shared_hit_age", "write_duration"] {
        assert!(described.contains(&format!("hallway_{name}_seconds")), "{name}");
    }
}

/// With feature `metrics` on and a recorder installed, and with a subscriber that does not want spans.
#[test]
fn a_hit_that_could_be_told_of_allocates_nothing() {
    let recorded = Recorded::default();
    let _recorder = metrics::set_default_local_recorder(&recorded);
    let watching = Watching::from(Level::INFO);
    let _subscriber = tracing::subscriber::set_default(watching.clone());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let (shared, _) = world();
    let key = Key::from_physical("raw:1").unwrap();
    let (tiers, here): (_, Cache<String>) = runtime.block_on(async {
        let tiers = shared.process(1);
        let _ = tiers.set(&key, Bytes::from("x"), SetOptions::new(Ttl::Forever)).await.unwrap();
        tiers.get(&key).await.unwrap().unwrap();
        let here = cache(&tiers, |told| told.early_refresh(1.0));
        for _ in 0..2 {
            here.get_or_load("1", Source::default().number()).await.unwrap();
        }
        (tiers, here)
    });
    for _ in 0..200 {
        assert!(here.try_get("1").is_some() && tiers.try_get(&key).is_some());
    }
    let before = (recorded.text(), watching.text());
    // The local tier does some housekeeping of its own by the clock.
    let rounds = (0..5).map(|_| {
        let counted = allocation_counter::measure(|| {
            for _ in 0..100 {
                assert!(here.try_get("1").is_some() && tiers.try_get(&key).is_some());
                assert!(futures_util::FutureExt::now_or_never(here.get("1")).unwrap().unwrap().is_some());
            }
        });
        counted.count_total
    });
    assert_eq!(rounds.min(), Some(0), "allocations in 300 hits");
    assert_eq!((recorded.text(), watching.text()), before, "and nobody is told");
    assert!(tiers.stats().local_hits >= 1_900);
}
