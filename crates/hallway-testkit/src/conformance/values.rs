//! How large a value may be.

use bytes::Bytes;
use hallway_core::{ErrorKind, HARD_VALUE_CAP, Ttl};

use super::Outcome;
use super::given::*;
use crate::Fixture;

/// Bytes without a pattern that a codec or a page boundary could hide behind.
fn noise(length: usize) -> Bytes {
    let mut state = length as u64 | 1;
    (0..length)
        .map(|_| {
            // Knuth's linear congruential generator; its upper bits are good enough here.
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 56) as u8
        })
        .collect()
}

pub(super) async fn c06_values_of_awkward_lengths_come_back(fixture: &Fixture) -> Outcome {
    let store = fixture.store();
    for length in [1, 2, 127, 128, 255, 256, 511, 513, 4_095, 4_097, 16_383, 16_385, 65_535, 65_536, 65_537, 300_000] {
        if length > fixture.max_value() {
            break;
        }
        let (key, value) = (key(&format!("length-{length}")), noise(length));
        store.set(&key, value.clone(), for_an_hour()).await?;
        assert!(store.get(&key).await? == Some(value), "{length} bytes come back unchanged");
    }
    Ok(())
}

pub(super) async fn c07_a_value_of_exactly_the_cap_fits(fixture: &Fixture) -> Outcome {
    let (store, value) = (fixture.store(), noise(fixture.max_value()));
    store.set(&key("set"), value.clone(), for_an_hour()).await?;
    store.set_many(&[(key("batch"), value.clone(), Ttl::After(HOUR))]).await?;
    for key in [key("set"), key("batch")] {
        assert!(store.get(&key).await?.as_ref() == Some(&value), "a value of the cap comes back unchanged");
    }
    Ok(())
}

pub(super) async fn c08_one_byte_over_the_cap_is_too_large_and_the_old_value_stays(fixture: &Fixture) -> Outcome {
    let (store, full) = (fixture.store(), key("full"));
    let over = Bytes::from(vec![b'x'; fixture.max_value() + 1]);
    refused(store.set(&full, over.clone(), for_an_hour()).await, ErrorKind::TooLarge);
    reads(store, &full, None).await?;
    put(store, &full, "old").await?;
    refused(store.set(&full, over, for_an_hour()).await, ErrorKind::TooLarge);
    reads(store, &full, Some("old")).await
}

pub(super) async fn c09_a_value_over_16_mib_is_too_large(fixture: &Fixture) -> Outcome {
    let (store, huge) = (fixture.store(), key("huge"));
    let value = Bytes::from(vec![b'x'; HARD_VALUE_CAP + 1]);
    refused(store.set(&huge, value, for_an_hour()).await, ErrorKind::TooLarge);
    reads(store, &huge, None).await?;
    put(store, &huge, "small").await?;
    reads(store, &huge, Some("small")).await
}

pub(super) async fn c10_a_batch_never_writes_a_value_over_the_cap(fixture: &Fixture) -> Outcome {
    let (store, small, large) = (fixture.store(), key("a-small"), key("b-large"));
    let over = Bytes::from(vec![b'x'; fixture.max_value() + 1]);
    put(store, &large, "old").await?;
    let items = [(small.clone(), text("small"), Ttl::After(HOUR)), (large.clone(), over, Ttl::After(HOUR))];
    let error = store.set_many(&items).await.expect_err("a value over the cap fails the batch");
    match error.kind() {
        ErrorKind::TooLarge => reads(store, &small, None).await?,
        // A store without its own batches finds out on the way, and says so.
        ErrorKind::Indeterminate => {}
        kind => panic!("{kind:?}: {error}"),
    }
    reads(store, &large, Some("old")).await
}
