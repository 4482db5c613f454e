//! Reading and deleting in one.

use hallway_core::SetOptions;

use super::Outcome;
use super::given::*;
use crate::Fixture;

pub(super) async fn c41_a_take_returns_the_value_and_removes_it(fixture: &Fixture) -> Outcome {
    let store = fixture.store();
    if !can_take(fixture).await? {
        return unsupported_take(fixture).await;
    }
    for value in ["token", "", "\0", "nil"] {
        put(store, &key("token"), value).await?;
        assert_eq!(store.take(&key("token")).await?, Some(text(value)));
        assert_eq!(store.take(&key("token")).await?, None, "it was taken already");
        reads(store, &key("token"), None).await?;
        assert!(!store.delete(&key("token")).await?, "nothing is left to delete");
    }
    Ok(())
}

pub(super) async fn c42_a_take_that_races_a_set_loses_neither_value(fixture: &Fixture) -> Outcome {
    let store = fixture.store();
    if !can_take(fixture).await? {
        return unsupported_take(fixture).await;
    }
    for round in 0..30 {
        let raced = key(&format!("raced-{round}"));
        put(store, &raced, "old").await?;
        let taken = together(store, 2, |store, number| {
            let key = raced.clone();
            async move {
                if number == 0 {
                    return store.take(&key).await;
                }
                store.set(&key, text("new"), SetOptions::new(HOUR)).await?;
                Ok(None)
            }
        })
        .await?
        .swap_remove(0);
        let left = store.get(&raced).await?;
        let either = match taken.as_deref() {
            Some(b"old") => left.as_deref() == Some(b"new"),
            Some(b"new") => left.is_none(),
            _ => false,
        };
        assert!(either, "taken {taken:?}, left {left:?}");
    }
    Ok(())
}

async fn unsupported_take(fixture: &Fixture) -> Outcome {
    put(fixture.store(), &key("token"), "v").await?;
    unsupported(fixture.store().take(&key("token")).await)?;
    reads(fixture.store(), &key("token"), Some("v")).await
}
