//! Deleting.

use hallway_core::{Capability, DeleteIf, Ttl};

use super::Outcome;
use super::given::*;
use crate::Fixture;

pub(super) async fn c38_a_delete_says_true_once(fixture: &Fixture) -> Outcome {
    let (store, once) = (fixture.store(), key("once"));
    assert!(!store.delete(&once).await?, "there is nothing to delete yet");
    put(store, &key("sibling"), "v").await?;
    put(store, &once, "v").await?;
    assert!(store.delete(&once).await?);
    assert!(!store.delete(&once).await?, "it is gone already");
    assert!(!store.delete_if(&once, DeleteIf::Always).await?);
    reads(store, &once, None).await?;
    assert_eq!(store.get_entry(&once).await?, None);
    reads(store, &key("sibling"), Some("v")).await
}

pub(super) async fn c39_a_conditional_delete_takes_only_the_same_bytes(fixture: &Fixture) -> Outcome {
    let (store, guarded) = (fixture.store(), key("guarded"));
    let equals = |value: &str| DeleteIf::Equals(text(value));
    put(store, &guarded, "v").await?;
    if !fixture.can(Capability::ConditionalDelete) {
        unsupported(store.delete_if(&guarded, equals("v")).await)?;
        return reads(store, &guarded, Some("v")).await;
    }
    for other in ["", "V", "v ", "v\0", "vv", "*"] {
        assert!(!store.delete_if(&guarded, equals(other)).await?, "{other:?} is not `v`");
    }
    reads(store, &guarded, Some("v")).await?;
    assert_life(remaining(store, &guarded).await?, HOUR);
    assert!(store.delete_if(&guarded, equals("v")).await?);
    assert!(!store.delete_if(&guarded, equals("v")).await?);
    assert!(!store.delete_if(&guarded, equals("")).await?, "a missing entry is not an empty one");
    reads(store, &guarded, None).await
}

pub(super) async fn c40_a_deleted_key_starts_afresh(fixture: &Fixture) -> Outcome {
    let (store, again) = (fixture.store(), key("again"));
    if fixture.can(Capability::Forever) {
        put_for(store, &again, "41", Ttl::Forever).await?;
    } else {
        put(store, &again, "41").await?;
    }
    assert!(store.delete(&again).await?);
    if can_increment(fixture).await? {
        assert_eq!(store.increment(&again, 1, Ttl::After(HOUR * 2)).await?, 1, "nothing is left of the old counter");
        assert_life(remaining(store, &again).await?, HOUR * 2);
        assert!(store.delete(&again).await?);
    }
    put(store, &again, "new").await?;
    reads(store, &again, Some("new")).await?;
    assert_life(remaining(store, &again).await?, HOUR);
    Ok(())
}
