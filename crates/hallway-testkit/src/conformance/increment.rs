//! Counters.

use std::time::Duration;

use hallway_core::{ErrorKind, Result, Ttl};

use super::Outcome;
use super::given::*;
use crate::Fixture;

const FOR_AN_HOUR: Ttl = Ttl::After(HOUR);

async fn cannot(fixture: &Fixture) -> Result<bool> {
    if can_increment(fixture).await? {
        return Ok(false);
    }
    unsupported(fixture.store().increment(&key("counter"), 1, FOR_AN_HOUR).await)?;
    reads(fixture.store(), &key("counter"), None).await?;
    Ok(true)
}

pub(super) async fn c47_an_increment_creates_the_counter_with_its_ttl(fixture: &Fixture) -> Outcome {
    if cannot(fixture).await? {
        return Ok(());
    }
    let store = fixture.store();
    for first in [1, 0, -5, 1_000_000_000_000] {
        let counter = key(&format!("counter{first}"));
        assert_eq!(store.increment(&counter, first, FOR_AN_HOUR).await?, first);
        reads(store, &counter, Some(&first.to_string())).await?;
        assert_life(remaining(store, &counter).await?, HOUR);
    }
    Ok(())
}

pub(super) async fn c48_a_later_increment_keeps_the_ttl(fixture: &Fixture) -> Outcome {
    if cannot(fixture).await? {
        return Ok(());
    }
    let (store, counter) = (fixture.store(), key("counter"));
    assert_eq!(store.increment(&counter, 1, FOR_AN_HOUR).await?, 1);
    for other in [Ttl::After(Duration::from_secs(60)), Ttl::After(HOUR * 24)] {
        let before = remaining(store, &counter).await?;
        store.increment(&counter, 1, other).await?;
        let after = remaining(store, &counter).await?;
        assert!(after <= before, "a counter with {before:?} left has {after:?}");
        assert_life(after, HOUR);
    }
    reads(store, &counter, Some("3")).await?;
    // A counter that is counted all the time still ends: rate limits depend on it.
    let window = key("window");
    store.increment(&window, 1, Ttl::After(SHORT)).await?;
    for _ in 0..8 {
        store.increment(&window, 1, FOR_AN_HOUR).await?;
        fixture.pass(SHORT / 8).await;
    }
    fixture.pass(GRAIN).await;
    // On a slow machine the window has ended early and a new one has begun, which has counted less.
    let counted = store.get(&window).await?;
    assert!(counted.as_deref() != Some(b"9"), "the window never ended");
    Ok(())
}

pub(super) async fn c49_a_counter_reaches_both_ends(fixture: &Fixture) -> Outcome {
    if cannot(fixture).await? {
        return Ok(());
    }
    let store = fixture.store();
    for end in [i64::MAX, i64::MIN] {
        let (created, reached) = (key(&format!("created{end}")), key(&format!("reached{end}")));
        assert_eq!(store.increment(&created, end, FOR_AN_HOUR).await?, end);
        assert_eq!(store.increment(&created, 0, FOR_AN_HOUR).await?, end);
        put(store, &reached, &(end - end.signum()).to_string()).await?;
        assert_eq!(store.increment(&reached, end.signum(), FOR_AN_HOUR).await?, end);
        reads(store, &reached, Some(&end.to_string())).await?;
    }
    // From one end past zero to the other, beyond what a double holds exactly.
    let swing = key("swing");
    assert_eq!(store.increment(&swing, i64::MIN, FOR_AN_HOUR).await?, i64::MIN);
    assert_eq!(store.increment(&swing, i64::MAX, FOR_AN_HOUR).await?, -1);
    assert_eq!(store.increment(&swing, i64::MAX, FOR_AN_HOUR).await?, i64::MAX - 1);
    Ok(())
}

pub(super) async fn c50_an_overflow_is_invalid_and_keeps_the_counter(fixture: &Fixture) -> Outcome {
    if cannot(fixture).await? {
        return Ok(());
    }
    let (store, counter) = (fixture.store(), key("counter"));
    for (value, by) in [(i64::MAX, 1), (i64::MAX, i64::MAX), (i64::MIN, -1), (i64::MIN, i64::MIN), (1, i64::MAX)] {
        put(store, &counter, &value.to_string()).await?;
        refused(store.increment(&counter, by, Ttl::After(HOUR * 2)).await, ErrorKind::InvalidInput);
        reads(store, &counter, Some(&value.to_string())).await?;
        assert_life(remaining(store, &counter).await?, HOUR);
    }
    Ok(())
}

pub(super) async fn c51_text_that_is_no_canonical_number_is_invalid_and_stays(fixture: &Fixture) -> Outcome {
    if cannot(fixture).await? {
        return Ok(());
    }
    const NUMBERLESS: [&str; 18] = [
        "",
        " ",
        " 7",
        "7 ",
        "+7",
        "007",
        "-0",
        "-",
        "--1",
        "1.0",
        "1e3",
        "0x1f",
        "seven",
        "7\n",
        "7\0",
        "١",
        "9223372036854775808",
        "-9223372036854775809",
    ];
    let (store, counter) = (fixture.store(), key("counter"));
    for text in NUMBERLESS {
        put(store, &counter, text).await?;
        let error = store.increment(&counter, 1, Ttl::After(HOUR * 2)).await.expect_err(text);
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{text:?}: {error}");
        reads(store, &counter, Some(text)).await?;
        assert_life(remaining(store, &counter).await?, HOUR);
    }
    Ok(())
}

pub(super) async fn c52_a_counter_is_decimal_text_that_anybody_may_write(fixture: &Fixture) -> Outcome {
    if cannot(fixture).await? {
        return Ok(());
    }
    let (store, counter) = (fixture.store(), key("counter"));
    for (text, by, sum) in [("41", 1, "42"), ("-1", 1, "0"), ("0", -1, "-1"), ("-10", 3, "-7")] {
        put(store, &counter, text).await?;
        assert_eq!(store.increment(&counter, by, FOR_AN_HOUR).await?.to_string(), sum);
        reads(store, &counter, Some(sum)).await?;
        let many = store.get_many(std::slice::from_ref(&counter)).await?;
        assert_eq!(many, [Some(super::given::text(sum))]);
    }
    if can_take(fixture).await? {
        assert_eq!(store.take(&counter).await?, Some(super::given::text("-7")));
    }
    Ok(())
}
