//! Writes under a condition.

use std::time::Duration;

use hallway_core::{Capability, KvStore, Result, SetOptions, SetOutcome};

use super::Outcome;
use super::given::*;
use crate::Fixture;

/// A life that differs from [`HOUR`] beyond doubt.
const QUARTER: Duration = Duration::from_secs(900);

async fn cannot(fixture: &Fixture) -> Result<bool> {
    if fixture.can(Capability::ConditionalSet) {
        return Ok(false);
    }
    let (store, key) = (fixture.store(), key("conditional"));
    for opts in [for_an_hour().if_absent(), for_an_hour().if_present(), for_an_hour().if_equals(text("v"))] {
        unsupported(store.set(&key, text("v"), opts).await)?;
    }
    reads(store, &key, None).await?;
    Ok(true)
}

async fn sets(store: &dyn KvStore, opts: SetOptions, value: &str, expected: SetOutcome) -> Result<()> {
    let condition = format!("{:?}", opts.condition);
    assert_eq!(store.set(&key("k"), text(value), opts).await?, expected, "under {condition}");
    Ok(())
}

pub(super) async fn c31_if_absent_writes_only_where_nothing_is(fixture: &Fixture) -> Outcome {
    if cannot(fixture).await? {
        return Ok(());
    }
    let store = fixture.store();
    sets(store, for_an_hour().if_absent(), "first", SetOutcome::Written).await?;
    assert_life(remaining(store, &key("k")).await?, HOUR);
    sets(store, for_an_hour().if_absent(), "second", SetOutcome::ConditionNotMet).await?;
    reads(store, &key("k"), Some("first")).await?;
    put(store, &key("k"), "").await?;
    sets(store, for_an_hour().if_absent(), "third", SetOutcome::ConditionNotMet).await?;
    reads(store, &key("k"), Some("")).await
}

pub(super) async fn c32_if_present_writes_only_over_an_entry(fixture: &Fixture) -> Outcome {
    if cannot(fixture).await? {
        return Ok(());
    }
    let store = fixture.store();
    sets(store, for_an_hour().if_present(), "never", SetOutcome::ConditionNotMet).await?;
    reads(store, &key("k"), None).await?;
    put_for(store, &key("k"), "", QUARTER).await?;
    sets(store, for_an_hour().if_present(), "new", SetOutcome::Written).await?;
    reads(store, &key("k"), Some("new")).await?;
    assert_life(remaining(store, &key("k")).await?, HOUR);
    Ok(())
}

pub(super) async fn c33_if_equals_writes_only_over_the_same_bytes(fixture: &Fixture) -> Outcome {
    if cannot(fixture).await? {
        return Ok(());
    }
    let store = fixture.store();
    sets(store, for_an_hour().if_equals(text("old")), "never", SetOutcome::ConditionNotMet).await?;
    reads(store, &key("k"), None).await?;
    put_for(store, &key("k"), "old", QUARTER).await?;
    sets(store, for_an_hour().if_equals(text("other")), "never", SetOutcome::ConditionNotMet).await?;
    reads(store, &key("k"), Some("old")).await?;
    sets(store, for_an_hour().if_equals(text("old")), "new", SetOutcome::Written).await?;
    reads(store, &key("k"), Some("new")).await?;
    assert_life(remaining(store, &key("k")).await?, HOUR);
    Ok(())
}

pub(super) async fn c34_equal_means_every_byte(fixture: &Fixture) -> Outcome {
    if cannot(fixture).await? {
        return Ok(());
    }
    let store = fixture.store();
    // No collation, no padding, no prefix, no number, no empty value that equals a missing one.
    sets(store, for_an_hour().if_equals(text("")), "never", SetOutcome::ConditionNotMet).await?;
    let cases = [
        ("a", "A"),
        ("a", "a "),
        ("a", "a\0"),
        ("a\0b", "a\0c"),
        ("a", ""),
        ("", "a"),
        ("", "\0"),
        ("abc", "ab"),
        ("ab", "abc"),
        ("1", "01"),
        ("1", "1.0"),
        ("é", "e\u{301}"),
        ("*", "x"),
        ("%", "x"),
    ];
    for (stored, expected) in cases {
        put(store, &key("k"), stored).await?;
        sets(store, for_an_hour().if_equals(text(expected)), "never", SetOutcome::ConditionNotMet).await?;
        reads(store, &key("k"), Some(stored)).await?;
        sets(store, for_an_hour().if_equals(text(stored)), "new", SetOutcome::Written).await?;
        reads(store, &key("k"), Some("new")).await?;
    }
    Ok(())
}

pub(super) async fn c35_if_equals_with_the_same_bytes_refreshes_the_ttl(fixture: &Fixture) -> Outcome {
    if cannot(fixture).await? {
        return Ok(());
    }
    let store = fixture.store();
    put_for(store, &key("k"), "same", QUARTER).await?;
    sets(store, for_an_hour().if_equals(text("same")), "same", SetOutcome::Written).await?;
    assert_life(remaining(store, &key("k")).await?, HOUR);
    Ok(())
}

pub(super) async fn c36_a_condition_not_met_leaves_value_and_ttl(fixture: &Fixture) -> Outcome {
    if cannot(fixture).await? {
        return Ok(());
    }
    let store = fixture.store();
    put_for(store, &key("k"), "old", QUARTER).await?;
    sets(store, for_an_hour().if_absent(), "new", SetOutcome::ConditionNotMet).await?;
    sets(store, for_an_hour().if_equals(text("other")), "new", SetOutcome::ConditionNotMet).await?;
    reads(store, &key("k"), Some("old")).await?;
    assert_life(remaining(store, &key("k")).await?, QUARTER);
    Ok(())
}

pub(super) async fn c37_after_a_delete_only_absent_holds(fixture: &Fixture) -> Outcome {
    if cannot(fixture).await? {
        return Ok(());
    }
    let store = fixture.store();
    put(store, &key("k"), "old").await?;
    assert!(store.delete(&key("k")).await?);
    sets(store, for_an_hour().if_present(), "new", SetOutcome::ConditionNotMet).await?;
    sets(store, for_an_hour().if_equals(text("old")), "new", SetOutcome::ConditionNotMet).await?;
    reads(store, &key("k"), None).await?;
    sets(store, for_an_hour().if_absent(), "new", SetOutcome::Written).await?;
    reads(store, &key("k"), Some("new")).await
}
