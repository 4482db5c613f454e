//! A new life for an old value.

use std::time::Duration;

use hallway_core::{Capability, Result, Ttl};

use super::Outcome;
use super::given::*;
use crate::Fixture;

async fn cannot(fixture: &Fixture) -> Result<bool> {
    if fixture.can(Capability::Touch) {
        return Ok(false);
    }
    let (store, key) = (fixture.store(), key("touched"));
    put(store, &key, "v").await?;
    unsupported(store.touch(&key, Ttl::After(HOUR * 2)).await)?;
    assert_life(remaining(store, &key).await?, HOUR);
    Ok(true)
}

pub(super) async fn c43_a_touch_replaces_the_ttl_and_keeps_the_value(fixture: &Fixture) -> Outcome {
    if cannot(fixture).await? {
        return Ok(());
    }
    let (store, touched) = (fixture.store(), key("touched"));
    for value in ["v", "", "7"] {
        put(store, &touched, value).await?;
        for life in [HOUR * 2, Duration::from_secs(900), HOUR] {
            assert!(store.touch(&touched, Ttl::After(life)).await?);
            assert_life(remaining(store, &touched).await?, life);
            reads(store, &touched, Some(value)).await?;
        }
    }
    Ok(())
}

pub(super) async fn c44_a_touch_of_a_missing_key_says_false_and_makes_nothing(fixture: &Fixture) -> Outcome {
    if cannot(fixture).await? {
        return Ok(());
    }
    let (store, missing) = (fixture.store(), key("missing"));
    assert!(!store.touch(&missing, Ttl::After(HOUR)).await?);
    reads(store, &missing, None).await?;
    put(store, &missing, "v").await?;
    assert!(store.delete(&missing).await?);
    assert!(!store.touch(&missing, Ttl::After(HOUR)).await?, "a touch never brings an entry back");
    reads(store, &missing, None).await
}

pub(super) async fn c45_a_touched_entry_ends_at_its_new_deadline(fixture: &Fixture) -> Outcome {
    if cannot(fixture).await? {
        return Ok(());
    }
    let (store, shortened, prolonged) = (fixture.store(), key("shortened"), key("prolonged"));
    let minute = Duration::from_secs(60);
    put(store, &shortened, "v").await?;
    put_for(store, &prolonged, "v", minute).await?;
    assert!(store.touch(&prolonged, Ttl::After(HOUR)).await?);
    assert_life(remaining(store, &prolonged).await?, HOUR);
    assert!(store.touch(&shortened, Ttl::After(SHORT)).await?);
    fixture.pass(SHORT + GRAIN).await;
    assert_eq!(store.try_get(&shortened), None);
    reads(store, &shortened, None).await?;
    if fixture.has_stepped_clock() {
        fixture.pass(minute).await;
    }
    reads(store, &prolonged, Some("v")).await
}

pub(super) async fn c46_a_touch_goes_to_forever_and_back(fixture: &Fixture) -> Outcome {
    if cannot(fixture).await? {
        return Ok(());
    }
    let (store, touched) = (fixture.store(), key("touched"));
    put(store, &touched, "v").await?;
    if !fixture.can(Capability::Forever) {
        unsupported(store.touch(&touched, Ttl::Forever).await)?;
        assert_life(remaining(store, &touched).await?, HOUR);
        return Ok(());
    }
    assert!(store.touch(&touched, Ttl::Forever).await?);
    assert_eq!(entry(store, &touched).await?.remaining, Ttl::Forever);
    assert!(store.touch(&touched, Ttl::Forever).await?, "an entry that never expires is there, too");
    assert!(store.touch(&touched, Ttl::After(HOUR)).await?);
    assert_life(remaining(store, &touched).await?, HOUR);
    reads(store, &touched, Some("v")).await
}
