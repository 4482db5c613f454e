//! What the store says of its tiers.

use hallway_core::{Bytes, ErrorKind, Key, KvStore, SetOptions, Ttl};
use hallway_testkit::{Fault, FaultStore, Faults, PlainStore};
use hallway_tiered::{TierHealth, TieredStore};

use crate::cache_support::{MS, SEC};
use crate::store_peers::World;

fn over(faults: &Faults) -> TieredStore {
    let store = FaultStore::new(PlainStore::new(), faults.clone()).with_patience(SEC * 60);
    TieredStore::builder().consistent(store).build().unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_database_that_goes_away_and_returns_is_noticed_although_nobody_calls_it() {
    let faults = Faults::new();
    let tiers = over(&faults);
    let is = |tiers: &TieredStore| (tiers.health().consistent, tiers.health().is_ready());
    assert_eq!(is(&tiers), (TierHealth::Ready, true));
    for (fault, within) in [
        (Fault::error(ErrorKind::Unavailable), SEC),
        (Fault::error(ErrorKind::Unauthorized), SEC),
        (Fault::black_hole(), SEC * 3),
        (Fault::latency(SEC * 3), SEC * 3),
    ] {
        tokio::time::sleep(SEC * 3).await;
        assert_eq!(is(&tiers), (TierHealth::Ready, true));
        faults.inject(fault.clone());
        tokio::time::sleep(within + MS).await;
        assert_eq!(is(&tiers), (TierHealth::Degraded, false), "{fault:?}");
        faults.heal();
        // The question that is under way, and the next one.
        tokio::time::sleep(SEC * 2 + MS * 301).await;
        assert_eq!(is(&tiers), (TierHealth::Ready, true), "{fault:?}");
    }
    faults.inject(Fault::error(ErrorKind::Corrupt));
    tokio::time::sleep(SEC * 3).await;
    assert_eq!(is(&tiers), (TierHealth::Ready, true), "an answer, if no good one");
}

#[tokio::test(start_paused = true)]
async fn a_database_is_asked_once_a_second_and_not_at_all_for_calls() {
    let faults = Faults::new();
    let tiers = over(&faults);
    let key = Key::from_physical("a:1").unwrap();
    for _ in 0..100 {
        tiers.set(&key, Bytes::from("x"), SetOptions::new(Ttl::Forever)).await.unwrap();
        tiers.get(&key).await.unwrap().unwrap();
    }
    let calls = faults.calls();
    assert_eq!((calls.reads, calls.writes), (100, 100));
    tokio::time::sleep(SEC * 60).await;
    assert!((58..=62).contains(&(faults.calls().reads - calls.reads)), "{:?}", faults.calls());
    tiers.shutdown(SEC).await;
    let calls = faults.calls();
    tokio::time::sleep(SEC * 10).await;
    assert_eq!(faults.calls(), calls, "and not once the store has ended");
}

/// The outbox is read once a second as well: its answers say enough.
#[tokio::test(start_paused = true)]
async fn a_database_whose_outbox_is_read_is_not_asked_besides() {
    let world = World::new();
    let tiers = world.process(1);
    tokio::time::sleep(SEC * 5).await;
    let before = world.faults.calls().reads;
    tokio::time::sleep(SEC * 60).await;
    let reads = world.faults.calls().reads - before;
    assert!((60..=90).contains(&reads), "{reads}");
    world.faults.inject(Fault::error(ErrorKind::Unavailable));
    tokio::time::sleep(SEC * 2).await;
    assert_eq!(tiers.health().consistent, TierHealth::Degraded);
    world.faults.heal();
    tokio::time::sleep(SEC).await;
    assert!(tiers.health().is_ready());
    // Without the shared tier nobody reads it.
    world.shared.cut();
    world.faults.inject(Fault::error(ErrorKind::Unavailable));
    tokio::time::sleep(SEC * 2).await;
    assert_eq!(tiers.health().consistent, TierHealth::Degraded);
}
