//! What a local hit costs, counted: no allocation, no call of the shared tier.

use std::sync::Arc;

use futures_util::FutureExt;
use hallway_tiered::Cache;

use crate::cache_double::{Call, Shared};
use crate::cache_support::{Source, alone, pass, texts};

/// Reads until the value is among the hot ones.
fn heat(cache: &Cache<String>, id: &str) {
    for _ in 0..200 {
        assert!(cache.try_get(id).is_some());
    }
}

#[test]
fn a_hit_allocates_nothing() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let (cache, _) = texts(|told| told.early_refresh(1.0).stale_if_error(crate::cache_support::SEC));
    let source = Source::default();
    runtime.block_on(async { cache.get_or_load("a:1", source.number()).await.unwrap() });
    heat(&cache, "a:1");
    // Hits that are recorded in the local tier included. Its map does some housekeeping of its own by the clock, so that a
    // round may see an allocation that is not the hit's.
    let rounds = (0..5).map(|_| {
        let counted = allocation_counter::measure(|| {
            for _ in 0..100 {
                assert!(cache.try_get("a:1").is_some());
                assert!(cache.get("a:1").now_or_never().unwrap().unwrap().is_some());
                let loaded = cache.get_or_load("a:1", || async { Ok::<String, std::io::Error>(String::new()) });
                assert_eq!(*loaded.now_or_never().unwrap().unwrap(), "1");
            }
        });
        counted.count_total
    });
    assert_eq!(rounds.min(), Some(0), "allocations in 300 hits");
    assert_eq!(source.calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_hot_value_is_one_and_ends_with_its_copy() {
    let (_, clock) = alone();
    let shared = Shared::new(&clock);
    let (here, there): (Cache<String>, Cache<String>) =
        (shared.process(1).cache("a").build().unwrap(), shared.process(2).cache("a").build().unwrap());
    let source = Source::default();
    here.get_or_load("1", source.number()).await.unwrap();
    let first = here.get("1").await.unwrap().unwrap();
    heat(&here, "1");
    let reads = shared.calls(Call::Read);
    assert!(Arc::ptr_eq(&first, &here.try_get("1").unwrap()));
    for end in 0..5 {
        match end {
            0 => there.invalidate("1").await.unwrap(),
            1 => there.clear().await.unwrap(),
            2 => there.write("1", || async { Ok::<_, std::io::Error>(()) }).await.unwrap(),
            3 => here.invalidate("1").await.unwrap(),
            _ => shared.mend(),
        }
        assert_eq!(here.try_get("1"), None, "{end}");
        here.get_or_load("1", source.number()).await.unwrap();
        here.get("1").await.unwrap().unwrap();
        heat(&here, "1");
    }
    assert!(shared.calls(Call::Read) >= reads);
    // Nothing proves any more that no change is missing.
    shared.mute();
    pass(&clock, crate::cache_support::SEC).await;
    assert!(here.try_get("1").is_some());
    pass(&clock, crate::cache_support::MS).await;
    assert_eq!(here.try_get("1"), None);
}

#[tokio::test(start_paused = true)]
async fn what_one_handle_replaces_no_other_finds() {
    let (tiers, _) = alone();
    let (one, two): (Cache<String>, Cache<String>) =
        (tiers.cache("a").build().unwrap(), tiers.cache("a").build().unwrap());
    let source = Source::default();
    one.get_or_load("1", source.number()).await.unwrap();
    heat(&one, "1");
    heat(&two, "1");
    two.refresh("1", source.number()).await.unwrap();
    for cache in [&one, &two, &one] {
        assert_eq!(*cache.try_get("1").unwrap(), "2");
    }
}

#[tokio::test(start_paused = true)]
async fn caches_of_one_namespace_and_different_types_do_not_mix() {
    let (tiers, _) = alone();
    let (text, number): (Cache<String>, Cache<u64>) =
        (tiers.cache("a").build().unwrap(), tiers.cache("a").build().unwrap());
    let source = Source::default();
    text.get_or_load("1", source.number()).await.unwrap();
    heat(&text, "1");
    assert_eq!(number.get("1").await.unwrap(), None);
    assert_eq!(*number.get_or_load("1", || async { Ok::<u64, std::io::Error>(7) }).await.unwrap(), 7);
    assert_eq!(*text.get_or_load("1", source.number()).await.unwrap(), "1");
}
