//! What was set is what is read.

use bytes::Bytes;
use hallway_core::Ttl;

use super::Outcome;
use super::given::*;
use crate::Fixture;

pub(super) async fn c01_a_missing_key_is_none_by_every_verb(fixture: &Fixture) -> Outcome {
    let (store, missing) = (fixture.store(), key("missing"));
    assert_eq!(store.get(&missing).await?, None);
    assert_eq!(store.get_entry(&missing).await?, None);
    assert_eq!(store.get_many(std::slice::from_ref(&missing)).await?, [None]);
    assert_eq!(store.try_get(&missing), None);
    assert_eq!(store.take(&missing).await?, None);
    Ok(())
}

pub(super) async fn c02_an_empty_value_is_not_a_missing_one(fixture: &Fixture) -> Outcome {
    let (store, empty) = (fixture.store(), key("empty"));
    put(store, &empty, "").await?;
    reads(store, &empty, Some("")).await?;
    assert_eq!(entry(store, &empty).await?.value, Bytes::new());
    assert_eq!(store.get_many(&[key("missing"), empty.clone()]).await?, [None, Some(Bytes::new())]);
    assert!(store.delete(&empty).await?, "an empty value is an entry that can be deleted");
    reads(store, &empty, None).await
}

pub(super) async fn c03_all_256_byte_values_come_back(fixture: &Fixture) -> Outcome {
    let store = fixture.store();
    let value: Bytes = (0..=u8::MAX).chain((0..=u8::MAX).rev()).collect();
    store.set(&key("bytes"), value.clone(), for_an_hour()).await?;
    assert_eq!(store.get(&key("bytes")).await?, Some(value));
    let singles: Vec<_> = (0..=u8::MAX)
        .map(|byte| (key(&format!("byte-{byte:03}")), Bytes::copy_from_slice(&[byte]), Ttl::After(HOUR)))
        .collect();
    store.set_many(&singles).await?;
    let keys: Vec<_> = singles.iter().map(|(key, _, _)| key.clone()).collect();
    let values = store.get_many(&keys).await?;
    assert!(values.iter().map(Option::as_ref).eq(singles.iter().map(|(_, value, _)| Some(value))));
    for (key, value, _) in singles.iter().step_by(15) {
        assert_eq!(store.get(key).await?.as_ref(), Some(value));
    }
    Ok(())
}

pub(super) async fn c04_values_that_look_like_markers_come_back(fixture: &Fixture) -> Outcome {
    const LOOKALIKES: [&[u8]; 23] = [
        b"nil",
        b"null",
        b"NULL",
        b"\"\"",
        b"{}",
        b"undefined",
        b"L0123456789abcdef",
        b"M",
        b"T",
        b"V",
        b"0",
        b"1",
        b"V1 json ttl=60000 soft=0 cost=0 id=0123456789abcdef crc=00000000 created=2026-01-01T00:00:00Z\n{}",
        b"\0",
        b"\0\0\0\0",
        b"-ERR unknown command\r\n",
        b"$-1\r\n",
        b"*-1\r\n",
        b"+OK\r\n",
        b"\\x00ff",
        b"\xff\xfe",
        b"\xef\xbb\xbf",
        b"__hallway_tombstone__",
    ];
    let store = fixture.store();
    let keys: Vec<_> = (0..LOOKALIKES.len()).map(|number| key(&format!("lookalike-{number}"))).collect();
    for (key, value) in keys.iter().zip(LOOKALIKES) {
        store.set(key, Bytes::from_static(value), for_an_hour()).await?;
    }
    for (key, value) in keys.iter().zip(LOOKALIKES) {
        assert_eq!(store.get(key).await?.as_deref(), Some(value));
    }
    let many: Vec<_> = store.get_many(&keys).await?;
    assert!(many.iter().map(Option::as_deref).eq(LOOKALIKES.map(Some)), "a batch reads the same");
    Ok(())
}

pub(super) async fn c05_every_reading_verb_gives_the_same_bytes(fixture: &Fixture) -> Outcome {
    let (store, many) = (fixture.store(), key("many\u{20}faces"));
    let value = text("the same, however it is asked for");
    store.set(&many, value.clone(), for_an_hour()).await?;
    assert_eq!(store.get(&many).await?.as_ref(), Some(&value));
    assert_eq!(entry(store, &many).await?.value, value);
    assert_eq!(store.get_many(&[many.clone(), many.clone()]).await?, [Some(value.clone()), Some(value.clone())]);
    if can_take(fixture).await? {
        assert_eq!(store.take(&many).await?, Some(value));
    }
    Ok(())
}
