//! Many keys in one call.

use bytes::Bytes;
use hallway_core::{BATCH_BYTES, Key, Ttl};

use super::Outcome;
use super::given::*;
use crate::Fixture;

/// The size every store must take in one call.
const MANY: usize = 10_000;

pub(super) async fn c59_get_many_keeps_order_and_duplicates(fixture: &Fixture) -> Outcome {
    let store = fixture.store();
    let (a, b, c, missing) = (key("a"), key("b"), key("c"), key("missing"));
    for (key, value) in [(&a, "1"), (&b, "2"), (&c, "3")] {
        put(store, key, value).await?;
    }
    let asked = [&c, &a, &missing, &b, &a, &missing, &c, &c].map(Clone::clone);
    let expected = [Some("3"), Some("1"), None, Some("2"), Some("1"), None, Some("3"), Some("3")];
    assert_eq!(store.get_many(&asked).await?, expected.map(|value| value.map(text)));
    Ok(())
}

pub(super) async fn c60_batches_of_nothing_do_nothing(fixture: &Fixture) -> Outcome {
    let store = fixture.store();
    put(store, &key("stays"), "v").await?;
    assert_eq!(store.get_many(&[]).await?, []);
    store.set_many(&[]).await?;
    assert_eq!(store.delete_many(&[]).await?, 0);
    reads(store, &key("stays"), Some("v")).await
}

pub(super) async fn c61_ten_thousand_keys_fit_one_batch(fixture: &Fixture) -> Outcome {
    let store = patient(fixture);
    let distinct = MANY - 1_000;
    let numbered = |number: usize| key(&format!("n-{:05}", number % distinct));
    // The last thousand write the first thousand keys again.
    let items: Vec<_> = (0..MANY).map(|n| (numbered(n), text(&n.to_string()), Ttl::After(HOUR))).collect();
    store.set_many(&items).await?;
    let keys: Vec<Key> = (0..MANY).map(numbered).collect();
    let values = store.get_many(&keys).await?;
    assert_eq!(values.len(), MANY);
    for (n, value) in values.iter().enumerate() {
        let last = if n % distinct < MANY - distinct { n % distinct + distinct } else { n };
        assert_eq!(value.as_deref(), Some(last.to_string().as_bytes()), "key {n}");
    }
    assert_eq!(store.delete_many(&keys).await?, distinct as u64);
    assert!(store.get_many(&keys).await?.iter().all(Option::is_none));
    Ok(())
}

pub(super) async fn c62_the_last_duplicate_of_a_batch_wins(fixture: &Fixture) -> Outcome {
    let (store, twice) = (fixture.store(), key("twice"));
    let item = |key: &Key, value: &str, ttl| (key.clone(), text(value), Ttl::After(ttl));
    let items = [
        item(&twice, "first", HOUR * 9),
        item(&key("z"), "z", HOUR),
        item(&twice, "second", HOUR * 5),
        item(&key("a"), "a", HOUR),
        item(&twice, "last", HOUR),
    ];
    store.set_many(&items).await?;
    reads(store, &twice, Some("last")).await?;
    assert_life(remaining(store, &twice).await?, HOUR);
    reads(store, &key("a"), Some("a")).await?;
    reads(store, &key("z"), Some("z")).await
}

pub(super) async fn c63_set_many_replaces_value_and_ttl(fixture: &Fixture) -> Outcome {
    let (store, old) = (fixture.store(), key("old"));
    put_for(store, &old, "old and longer", HOUR * 9).await?;
    store.set_many(&[(old.clone(), text("new"), Ttl::After(HOUR))]).await?;
    reads(store, &old, Some("new")).await?;
    assert_life(remaining(store, &old).await?, HOUR);
    Ok(())
}

pub(super) async fn c64_delete_many_counts_each_entry_once(fixture: &Fixture) -> Outcome {
    let (store, a, b) = (fixture.store(), key("a"), key("b"));
    for key in [&a, &b, &key("stays")] {
        put(store, key, "v").await?;
    }
    let batch = [&a, &key("missing"), &b, &a, &b].map(Clone::clone);
    assert_eq!(store.delete_many(&batch).await?, 2);
    assert_eq!(store.delete_many(&batch).await?, 0);
    assert_eq!(store.get_many(&[a, b]).await?, [None, None]);
    reads(store, &key("stays"), Some("v")).await
}

pub(super) async fn c65_a_batch_above_the_size_of_a_wire_batch_arrives_whole(fixture: &Fixture) -> Outcome {
    let store = patient(fixture);
    let length = fixture.max_value().min(700_000);
    let items: Vec<_> = (0..=BATCH_BYTES / 700_000)
        .map(|n| (key(&format!("large-{n}")), Bytes::from(vec![n as u8; length]), Ttl::After(HOUR)))
        .collect();
    store.set_many(&items).await?;
    let keys: Vec<_> = items.iter().map(|(key, _, _)| key.clone()).collect();
    for ((_, value, _), read) in items.iter().zip(store.get_many(&keys).await?) {
        assert!(read.as_ref() == Some(value), "a large value comes back unchanged");
    }
    Ok(())
}
