//! Copies in the shared tier that this process does not keep: they are read alone, without age and untracked, as long as
//! nothing depends on how old they are.

use std::io;

use hallway_tiered::{CacheBuilder, Load, ServedBy};

use crate::cache_double::{Call, Shared, world};
use crate::cache_support::{SEC, Source, cache, pass, sixteen};

/// How many reads of either kind there have been: of those that are not kept, and of the others.
fn reads(shared: &Shared) -> (usize, usize) {
    let once = shared.calls(Call::ReadOnce);
    (once, shared.calls(Call::Read) - once)
}

#[tokio::test(start_paused = true)]
async fn where_nothing_is_kept_values_are_read_alone() {
    let (shared, _) = world();
    let (writer, here) = (cache(&shared.process(1), |told| told), cache(&shared.process_without_local(2), |told| told));
    let source = Source::default();
    writer.get_or_load("1", source.number()).await.unwrap();
    let before = reads(&shared);
    assert_eq!(here.get("1").await.unwrap().as_deref().map(String::as_str), Some("1"));
    assert_eq!(*here.get_or_load("1", source.number()).await.unwrap(), "1");
    assert_eq!(here.get("none").await.unwrap(), None);
    assert_eq!(reads(&shared), (before.0 + 3, before.1));
    assert_eq!((here.stats().shared_hits, source.calls()), (2, 1));
    // What was read is not kept, so there is nothing that could be outdated.
    writer.invalidate("1").await.unwrap();
    assert_eq!(here.get("1").await.unwrap(), None);
    assert_eq!(*here.get_or_load("1", source.number()).await.unwrap(), "2");
}

#[tokio::test(start_paused = true)]
async fn a_full_process_keeps_what_comes_twice_and_reads_it_as_what_is_kept() {
    let (shared, clock) = world();
    let local = sixteen(&clock);
    let (here, there) =
        (cache(&shared.process_with(local.clone(), 1), |told| told), cache(&shared.process(2), |told| told));
    let source = Source::default();
    for id in 0..20 {
        there.get_or_load(&id.to_string(), source.number()).await.unwrap();
    }
    for id in 0..16 {
        here.get(&id.to_string()).await.unwrap().unwrap();
    }
    local.run_pending_tasks();
    for id in 16..20 {
        let id = id.to_string();
        let before = reads(&shared);
        here.get(&id).await.unwrap().unwrap();
        assert_eq!(reads(&shared), (before.0 + 1, before.1));
        here.get(&id).await.unwrap().unwrap();
        assert_eq!(reads(&shared), (before.0 + 1, before.1 + 1));
        assert!(here.try_get(&id).is_some());
    }
}

/// Of each copy that is kept the process finds out only on some keys whether anybody asks for it again.
#[tokio::test(start_paused = true)]
async fn a_full_process_keeps_little_of_what_nobody_asks_for_again() {
    const IDS: usize = 2_000;
    let (shared, clock) = world();
    let local = sixteen(&clock);
    let here = cache(&shared.process_with(local.clone(), 1), |told| told.front(0));
    let there = cache(&shared.process(2), |told| told);
    let source = Source::default();
    let ids: Vec<String> = (0..IDS).map(|id| id.to_string()).collect();
    for id in &ids {
        there.get_or_load(id, source.number()).await.unwrap();
    }
    // Reads everything, each value so many times on end, and says which share of the first reads was kept.
    let kept = async |times: usize| {
        let before = reads(&shared);
        for id in &ids {
            for _ in 0..times {
                here.get(id).await.unwrap().unwrap();
            }
            local.run_pending_tasks();
        }
        let after = reads(&shared);
        (after.1 - before.1) as f64 / (after.1 - before.1 + after.0 - before.0) as f64
    };
    // Each comes back long after it has left: sixteen fit.
    for _ in 0..7 {
        kept(1).await;
    }
    let few = kept(1).await;
    assert!((0.12..0.25).contains(&few), "one on trial in 16, and of the others one in eight: {few}");
    // Each is asked for again at once, so that keeping it pays.
    for _ in 0..3 {
        kept(2).await;
    }
    let all = kept(1).await;
    assert!(all > 0.9, "{all}");
}

#[tokio::test(start_paused = true)]
async fn whoever_asks_for_the_age_is_told_it() {
    let (shared, clock) = world();
    let (writer, here) = (cache(&shared.process(1), |told| told), cache(&shared.process_without_local(2), |told| told));
    let source = Source::default();
    writer.get_or_load("1", source.number()).await.unwrap();
    pass(&clock, SEC * 3).await;
    let before = reads(&shared);
    let found = here.lookup("1").await.unwrap().unwrap();
    assert_eq!((found.tier, found.age), (ServedBy::Shared, SEC * 3));
    let loaded = here.load("1", source.number()).await.unwrap();
    assert_eq!((loaded.tier, loaded.age), (ServedBy::Shared, SEC * 3));
    assert_eq!(reads(&shared), (before.0, before.1 + 2));
}

/// A copy that another cache would still serve when it is stale is none for a cache that serves nothing stale.
#[tokio::test(start_paused = true)]
async fn a_copy_that_outlives_its_ttl_is_judged_by_its_age() {
    let (shared, clock) = world();
    let lenient = |told: CacheBuilder| told.ttl(SEC * 10).jitter(0.0).stale_if_error(SEC * 100);
    let writer = cache(&shared.process(1), lenient);
    let here = cache(&shared.process_without_local(2), |told| told.ttl(SEC * 10));
    let source = Source::default();
    writer.get_or_load("1", source.number()).await.unwrap();
    assert_eq!(here.get("1").await.unwrap().as_deref().map(String::as_str), Some("1"));
    pass(&clock, SEC * 11).await;
    assert_eq!(here.get("1").await.unwrap(), None);
    assert_eq!(*here.get_or_load("1", source.number()).await.unwrap(), "2");
}

#[tokio::test(start_paused = true)]
async fn what_may_answer_past_its_ttl_is_read_with_its_age() {
    let (shared, clock) = world();
    let lenient = |told: CacheBuilder| told.ttl(SEC * 10).jitter(0.0).stale_if_error(SEC * 100);
    let here = cache(&shared.process_without_local(2), lenient);
    let source = Source::default();
    here.get_or_load("1", source.number()).await.unwrap();
    pass(&clock, SEC * 11).await;
    let stale = here.load("1", source.failing()).await.unwrap();
    assert!(stale.stale && stale.value.as_str() == "1");
    assert_eq!(reads(&shared).0, 0);
}

#[tokio::test(start_paused = true)]
async fn dead_tags_another_generation_and_damage_are_found_all_the_same() {
    let (shared, _) = world();
    let (writer, here) = (cache(&shared.process(1), |told| told), cache(&shared.process_without_local(2), |told| told));
    let tagged =
        |text: &'static str| move || async move { Ok::<_, io::Error>(Load::store(text.to_owned()).with_tags(["t"])) };
    writer.get_or_load("1", tagged("a")).await.unwrap();
    assert_eq!(here.get("1").await.unwrap().as_deref().map(String::as_str), Some("a"));
    writer.invalidate_tag("t").await.unwrap();
    assert_eq!(here.get("1").await.unwrap(), None);
    assert_eq!(here.get_or_load("1", tagged("b")).await.unwrap().as_deref().map(String::as_str), Some("b"));
    assert_eq!(here.get("1").await.unwrap().as_deref().map(String::as_str), Some("b"));
    writer.clear().await.unwrap();
    assert_eq!(here.get("1").await.unwrap(), None);
    shared.write_raw("copy:text:1", b"V1 json", SEC * 60);
    assert_eq!(here.get("1").await.unwrap(), None);
    assert_eq!(shared.header("copy:text:1"), None, "what is damaged is removed");
    assert_eq!(here.get_or_load("1", tagged("c")).await.unwrap().as_deref().map(String::as_str), Some("c"));
}
