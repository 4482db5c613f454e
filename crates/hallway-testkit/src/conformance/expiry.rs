//! What is left of an entry after its deadline: nothing.

use std::time::Duration;

use hallway_core::{Capability, DeleteIf, SetOptions, SetOutcome, Ttl};

use super::Outcome;
use super::given::*;
use crate::Fixture;

pub(super) async fn c23_nothing_reads_an_entry_after_its_deadline(fixture: &Fixture) -> Outcome {
    let (store, gone) = (fixture.store(), key("gone"));
    put(store, &key("stays"), "v").await?;
    put_expired(fixture, &gone, "v").await?;
    // Local answers first: a slow remote call before them would hide a late one.
    assert_eq!(store.try_get(&gone), None);
    assert_eq!(store.get(&gone).await?, None);
    put_expired(fixture, &gone, "v").await?;
    assert_eq!(store.get_entry(&gone).await?, None);
    put_expired(fixture, &gone, "v").await?;
    let read = store.get_many(&[key("stays"), gone.clone(), key("stays")]).await?;
    assert_eq!(read, [Some(text("v")), None, Some(text("v"))]);
    Ok(())
}

pub(super) async fn c24_an_expired_entry_is_not_listed(fixture: &Fixture) -> Outcome {
    let store = fixture.store();
    put(store, &key("stays"), "v").await?;
    put_expired(fixture, &key("gone"), "v").await?;
    if !fixture.can(Capability::Scan) {
        return unsupported(store.scan(&prefix("app"), None, 10).await);
    }
    assert_eq!(listed(store, &prefix("app")).await?, [key("stays")]);
    put_expired(fixture, &key("gone"), "v").await?;
    assert_eq!(store.clear(&prefix("app")).await?, 1, "clear counts live entries");
    Ok(())
}

pub(super) async fn c25_an_expired_entry_cannot_be_touched(fixture: &Fixture) -> Outcome {
    let (store, gone) = (fixture.store(), key("gone"));
    put_expired(fixture, &gone, "v").await?;
    if !fixture.can(Capability::Touch) {
        return unsupported(store.touch(&gone, Ttl::After(HOUR)).await);
    }
    assert!(!store.touch(&gone, Ttl::After(HOUR)).await?, "a touch after the deadline comes too late");
    reads(store, &gone, None).await
}

pub(super) async fn c26_an_expired_entry_cannot_be_deleted(fixture: &Fixture) -> Outcome {
    let (store, gone) = (fixture.store(), key("gone"));
    put(store, &key("stays"), "v").await?;
    put_expired(fixture, &gone, "v").await?;
    assert!(!store.delete(&gone).await?, "there was nothing to delete");
    put_expired(fixture, &gone, "v").await?;
    assert_eq!(store.delete_many(&[gone.clone(), key("stays")]).await?, 1);
    if !fixture.can(Capability::ConditionalDelete) {
        return unsupported(store.delete_if(&gone, DeleteIf::Equals(text("v"))).await);
    }
    put_expired(fixture, &gone, "v").await?;
    assert!(!store.delete_if(&gone, DeleteIf::Equals(text("v"))).await?);
    Ok(())
}

pub(super) async fn c27_an_expired_entry_is_absent_for_conditions(fixture: &Fixture) -> Outcome {
    let (store, gone) = (fixture.store(), key("gone"));
    put_expired(fixture, &gone, "v").await?;
    if !fixture.can(Capability::ConditionalSet) {
        return unsupported(store.set(&gone, text("w"), for_an_hour().if_absent()).await);
    }
    let outcome = store.set(&gone, text("w"), for_an_hour().if_present()).await?;
    assert_eq!(outcome, SetOutcome::ConditionNotMet, "an expired entry is not present");
    put_expired(fixture, &gone, "v").await?;
    let outcome = store.set(&gone, text("w"), for_an_hour().if_equals(text("v"))).await?;
    assert_eq!(outcome, SetOutcome::ConditionNotMet, "an expired entry equals nothing");
    reads(store, &gone, None).await?;
    put_expired(fixture, &gone, "v").await?;
    let outcome = store.set(&gone, text("w"), for_an_hour().if_absent()).await?;
    assert_eq!(outcome, SetOutcome::Written, "an expired entry is absent");
    reads(store, &gone, Some("w")).await
}

pub(super) async fn c28_an_expired_entry_cannot_be_taken(fixture: &Fixture) -> Outcome {
    let (store, gone) = (fixture.store(), key("gone"));
    put_expired(fixture, &gone, "v").await?;
    assert_eq!(store.take(&gone).await?, None);
    Ok(())
}

pub(super) async fn c29_an_expired_counter_starts_again(fixture: &Fixture) -> Outcome {
    let (store, counter) = (fixture.store(), key("counter"));
    put_expired(fixture, &counter, "41").await?;
    if !can_increment(fixture).await? {
        return unsupported(store.increment(&counter, 1, Ttl::After(HOUR)).await);
    }
    assert_eq!(store.increment(&counter, 2, Ttl::After(HOUR)).await?, 2);
    assert_life(remaining(store, &counter).await?, HOUR);
    Ok(())
}

pub(super) async fn c30_reading_an_expired_entry_never_drops_a_fresh_one(fixture: &Fixture) -> Outcome {
    let store = fixture.store();
    for round in 0..20 {
        let reborn = key(&format!("reborn-{round}"));
        put_for(store, &reborn, "old", Duration::from_millis(1)).await?;
        fixture.pass(Duration::from_millis(2)).await;
        // Readers that find the dead entry and clear it away race with one writer of a fresh one.
        together(store, 8, |store, number| {
            let key = reborn.clone();
            async move {
                if number == 4 {
                    store.set(&key, text("new"), SetOptions::new(HOUR)).await?;
                } else {
                    store.get(&key).await?;
                    store.get_many(std::slice::from_ref(&key)).await?;
                }
                Ok(())
            }
        })
        .await?;
        reads(store, &reborn, Some("new")).await?;
    }
    Ok(())
}
