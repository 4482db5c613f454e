//! Views, handles and what a store says of itself.

use std::time::{Duration, Instant};

use hallway_core::{Capability, DeleteIf, Timestamp, Ttl};

use super::Outcome;
use super::given::*;
use crate::Fixture;

pub(super) async fn c86_every_view_has_the_same_capabilities(fixture: &Fixture) -> Outcome {
    let store = fixture.store();
    let said = store.capabilities();
    put(store, &key("k"), "v").await?;
    assert_eq!(store.capabilities(), said, "capabilities never change");
    assert_eq!(store.with_deadline(HOUR).capabilities(), said);
    assert_eq!(store.with_deadline(Duration::ZERO).capabilities(), said);
    if let Some(direct) = store.direct() {
        // A view that never answers from a copy may give up local reads, and nothing else.
        let local = Capability::LocalRead;
        assert_eq!(direct.capabilities().without(local), said.without(local));
    }
    if let Some(other) = fixture.reopen().await {
        assert_eq!(other.capabilities(), said);
    }
    if let Some(failed) = fixture.failed().await {
        assert_eq!(failed.capabilities(), said, "capabilities never depend on a server");
    }
    Ok(())
}

pub(super) async fn c87_what_is_denied_answers_unsupported(fixture: &Fixture) -> Outcome {
    let (store, kept) = (fixture.store(), key("kept"));
    put(store, &kept, "v").await?;
    for denied in store.capabilities().denied().iter() {
        match denied {
            Capability::ConditionalDelete => {
                unsupported(store.delete_if(&kept, DeleteIf::Equals(text("v"))).await)?;
            }
            Capability::ConditionalSet => {
                unsupported(store.set(&kept, text("w"), for_an_hour().if_absent()).await)?;
                unsupported(store.set(&kept, text("w"), for_an_hour().if_present()).await)?;
                unsupported(store.set(&kept, text("w"), for_an_hour().if_equals(text("v"))).await)?;
            }
            Capability::Forever => {
                // The one that could be written stands first: nothing may be written before all are looked at.
                let items = [(kept.clone(), text("w"), Ttl::After(HOUR)), (key("forever"), text("w"), Ttl::Forever)];
                unsupported(store.set_many(&items).await)?;
            }
            Capability::Scan => {
                unsupported(store.scan(&prefix("app"), None, 1).await)?;
                unsupported(store.clear(&prefix("app")).await)?;
            }
            Capability::Touch => {
                unsupported(store.touch(&kept, Ttl::After(HOUR * 2)).await)?;
            }
            // Not verbs of their own: c73, c88 and c90 hold the store to these.
            Capability::LocalRead | Capability::OrderedScan | Capability::Durable | Capability::Shared => {}
            unknown => panic!("the suite does not know {unknown:?}"),
        }
    }
    reads(store, &kept, Some("v")).await?;
    assert_life(remaining(store, &kept).await?, HOUR);
    Ok(())
}

pub(super) async fn c88_a_local_read_agrees_with_get_and_forgets_at_once(fixture: &Fixture) -> Outcome {
    let (store, local) = (fixture.store(), key("local"));
    let can = fixture.can(Capability::LocalRead);
    let is = |expected: Option<&str>| {
        let read = store.try_get(&local);
        // `None` says nothing, so it is right in any case.
        assert!(read.is_none() || read == expected.map(text), "a local read of what is not there");
        assert!(can || read.is_none(), "a local read by a store without `LocalRead`");
    };
    is(None);
    for value in ["1", "", "2"] {
        put(store, &local, value).await?;
        is(Some(value));
        reads(store, &local, Some(value)).await?;
        is(Some(value));
    }
    if can {
        // A store over tiers fills its local one only from what it reads, and gives it up whenever it hears of a change.
        let mut reads_left = 100;
        while store.try_get(&local).is_none() && reads_left > 0 {
            reads_left -= 1;
            tokio::time::sleep(GRAIN / 10).await;
            reads(store, &local, Some("2")).await?;
        }
        assert_eq!(store.try_get(&local), Some(text("2")), "`LocalRead` answers a hit that is read again and again");
    }
    store.set_many(&[(local.clone(), text("3"), Ttl::After(HOUR))]).await?;
    is(Some("3"));
    if can_increment(fixture).await? {
        store.increment(&local, 1, Ttl::After(HOUR)).await?;
        is(Some("4"));
    }
    store.delete(&local).await?;
    is(None);
    put(store, &local, "5").await?;
    store.delete_many(std::slice::from_ref(&local)).await?;
    is(None);
    if can_take(fixture).await? {
        put(store, &local, "6").await?;
        store.take(&local).await?;
        is(None);
    }
    if fixture.can(Capability::Scan) {
        put(store, &local, "7").await?;
        store.clear(&prefix("app")).await?;
        is(None);
    }
    Ok(())
}

pub(super) async fn c89_a_direct_view_is_the_same_store(fixture: &Fixture) -> Outcome {
    let (store, seen) = (fixture.store(), key("seen"));
    let Some(direct) = store.direct() else {
        // Then every answer is direct already.
        put(store, &seen, "v").await?;
        return reads(store, &seen, Some("v")).await;
    };
    put(store, &seen, "1").await?;
    reads(&*direct, &seen, Some("1")).await?;
    put(&*direct, &seen, "2").await?;
    reads(store, &seen, Some("2")).await?;
    assert!(direct.delete(&seen).await?);
    reads(store, &seen, None).await
}

pub(super) async fn c90_another_handle_sees_the_same_entries(fixture: &Fixture) -> Outcome {
    let (store, seen) = (fixture.store(), key("seen"));
    put(store, &seen, "1").await?;
    let Some(other) = fixture.reopen().await else {
        let lasting = fixture.can(Capability::Durable) || fixture.can(Capability::Shared);
        assert!(!lasting, "a durable or shared store needs `Fixture::with_reopen`");
        return Ok(());
    };
    let lasting = fixture.can(Capability::Durable) || fixture.can(Capability::Shared);
    assert!(lasting, "a store that can be opened again is durable or shared and must say so");
    reads(&*other, &seen, Some("1")).await?;
    assert_life(remaining(&*other, &seen).await?, HOUR);
    put(&*other, &seen, "2").await?;
    fixture.catch_up().await;
    reads(store, &seen, Some("2")).await?;
    if fixture.can(Capability::ConditionalSet) {
        let late = other.set(&seen, text("3"), for_an_hour().if_equals(text("1"))).await?;
        assert!(!late.is_written(), "conditions hold across handles");
        let absent = store.set(&seen, text("3"), for_an_hour().if_absent()).await?;
        assert!(!absent.is_written(), "conditions hold across handles");
    }
    if can_increment(fixture).await? {
        let counter = key("counter");
        assert_eq!(store.increment(&counter, 1, Ttl::After(HOUR)).await?, 1);
        assert_eq!(other.increment(&counter, 1, Ttl::After(HOUR)).await?, 2);
        assert_eq!(store.increment(&counter, 1, Ttl::After(HOUR)).await?, 3);
    }
    assert!(other.delete(&seen).await?);
    fixture.catch_up().await;
    reads(store, &seen, None).await?;
    put_for(store, &seen, "4", SHORT).await?;
    fixture.pass(SHORT + GRAIN).await;
    reads(&*other, &seen, None).await
}

pub(super) async fn c91_the_clock_of_the_store_moves_forward(fixture: &Fixture) -> Outcome {
    let (store, started) = (fixture.store(), Instant::now());
    let first = store.time().await?;
    fixture.pass(SHORT).await;
    let second = store.time().await?;
    let moved = second.saturating_since(first);
    assert!(moved + GRAIN >= SHORT, "{SHORT:?} passed, the clock moved {moved:?}");
    if fixture.has_stepped_clock() {
        return Ok(());
    }
    let passed = started.elapsed();
    assert!(moved <= passed + GRAIN, "{passed:?} passed, the clock moved {moved:?}");
    let here = Timestamp::now();
    let apart = here.saturating_since(second).max(second.saturating_since(here));
    assert!(apart < HOUR, "the clock of the store is {apart:?} away from the clock of this machine");
    Ok(())
}

pub(super) async fn c92_a_ping_is_answered(fixture: &Fixture) -> Outcome {
    let store = fixture.store();
    store.ping().await?;
    store.ping().await?;
    store.with_deadline(HOUR).ping().await?;
    assert_eq!(store.get_many(&[key("missing")]).await?, [None], "a ping leaves nothing behind");
    Ok(())
}
