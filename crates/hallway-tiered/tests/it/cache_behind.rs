//! Copies that are written after the callers have their answers.

use std::future::{Future, ready};
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::join_all;
use hallway_core::Result;
use hallway_tiered::{Cache, CacheBuilder, TieredStore};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::cache_double::{Call, Shared, world};
use crate::cache_support::{MS, SEC, Source};

/// As many as may be on their way.
const MOST: usize = 64;

fn cache(tiers: &TieredStore, told: impl FnOnce(CacheBuilder) -> CacheBuilder) -> Cache<String> {
    told(tiers.cache("text")).build().unwrap()
}

/// A shared tier that takes no copies for now, a process over it, and a cache of it that has answered with "1".
async fn behind() -> (Shared, TieredStore, Cache<String>, Source) {
    let (shared, _) = world();
    let tiers = shared.process(1);
    let (here, source) = (cache(&tiers, |told| told.stale_if_error(SEC)), Source::default());
    shared.hold_fills(true);
    let answer = timeout(SEC, here.get_or_load("1", source.number())).await.expect("it waits for no copy");
    assert_eq!(*answer.unwrap(), "1");
    (shared, tiers, here, source)
}

/// What a caller gets who has to wait until copies are written.
async fn once_written<T: Send + 'static>(shared: &Shared, call: impl Future<Output = T> + Send + 'static) -> T {
    let mut call = tokio::spawn(call);
    assert!(timeout(SEC, &mut call).await.is_err(), "it does not wait");
    shared.hold_fills(false);
    call.await.unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_caller_has_his_answer_before_the_copy_is_written_and_finds_the_copy_all_the_same() {
    let (shared, _, here, source) = behind().await;
    assert_eq!(shared.header("copy:text:1"), None);
    let found = once_written(&shared, async move { here.get("1").await.unwrap() }).await;
    assert_eq!(found.as_deref().map(String::as_str), Some("1"));
    assert!(shared.header("copy:text:1").is_some());
    let there = cache(&shared.process(2), |told| told);
    assert_eq!(*there.get_or_load("1", source.number()).await.unwrap(), "1");
    assert_eq!(source.calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn so_does_whoever_asks_for_many_and_what_is_expired_still_answers_for_a_failing_loader() {
    let (shared, _, here, source) = behind().await;
    let many = {
        let here = here.clone();
        async move {
            here.get_or_load_many(["1"], |_| ready(Ok::<Vec<(String, String)>, hallway_core::Error>(vec![]))).await
        }
    };
    let (reads, leases) = (shared.calls(Call::Read), shared.calls(Call::Lease));
    let found = once_written(&shared, many).await.unwrap();
    assert_eq!(found[0].as_deref().map(String::as_str), Some("1"));
    assert_eq!((shared.calls(Call::Read), shared.calls(Call::Lease)), (reads + 1, leases), "it is read once");

    let (shared, _, here, _) = behind().await;
    let expired = {
        let here = here.clone();
        async move { here.expire("1").await.unwrap() }
    };
    once_written(&shared, expired).await;
    let loaded = here.load("1", source.failing()).await.unwrap();
    assert_eq!((loaded.value.as_str(), loaded.stale), ("1", true));
}

#[tokio::test(start_paused = true)]
async fn another_process_waits_for_the_copy_and_loads_nothing() {
    let (shared, _, _, source) = behind().await;
    let there = cache(&shared.process(2), |told| told);
    assert_eq!(there.get("1").await.unwrap(), None, "who loads nothing waits for nobody");
    let loader = source.number();
    let found = once_written(&shared, async move { there.get_or_load("1", loader).await.unwrap() }).await;
    assert_eq!((found.as_str(), source.calls()), ("1", 1));
}

#[tokio::test(start_paused = true)]
async fn what_is_ended_before_it_is_written_is_not_written() {
    let (shared, _, here, source) = behind().await;
    here.invalidate("1").await.unwrap();
    let again = {
        let (here, loader) = (here.clone(), source.number());
        async move { here.get_or_load("1", loader).await.unwrap() }
    };
    assert_eq!(*once_written(&shared, again).await, "2");
    assert_eq!(here.get("1").await.unwrap().as_deref().map(String::as_str), Some("2"));
    assert_eq!((source.calls(), here.stats().unfilled), (2, 1));
}

#[tokio::test(start_paused = true)]
async fn who_wants_to_waits_for_the_copy() {
    let (shared, _) = world();
    let (here, source) = (cache(&shared.process(1), CacheBuilder::wait_for_fills), Source::default());
    shared.hold_fills(true);
    let loader = source.number();
    assert_eq!(*once_written(&shared, async move { here.get_or_load("1", loader).await.unwrap() }).await, "1");
    assert!(shared.header("copy:text:1").is_some());
}

#[tokio::test(start_paused = true)]
async fn so_many_copies_are_on_their_way_and_whoever_loads_more_waits_for_his() {
    let (shared, _) = world();
    let tiers = shared.process(1);
    // Those that are on their way are loads that are over: they take nobody's place.
    let caches = [cache(&tiers, |told| told.max_in_flight(1)), tiers.cache("other").build().unwrap()];
    let source = Source::default();
    shared.hold_fills(true);
    for id in 0..MOST {
        timeout(SEC, caches[id % 2].get_or_load(&id.to_string(), source.number())).await.unwrap().unwrap();
    }
    let more: Vec<JoinHandle<Result<_>>> = caches
        .iter()
        .map(|cache| {
            let (cache, loader) = (cache.clone(), source.number());
            tokio::spawn(async move { cache.get_or_load("more", loader).await })
        })
        .collect();
    tokio::time::sleep(SEC).await;
    assert!(more.iter().all(|more| !more.is_finished()), "of all caches of these tiers together");
    assert_eq!(source.calls(), MOST + 2, "they are loaded, though");
    shared.hold_fills(false);
    assert!(join_all(more).await.into_iter().all(|more| more.unwrap().is_ok()));
    shared.hold_fills(true);
    let next = caches[0].get_or_load("next", source.number());
    assert!(timeout(SEC, next).await.unwrap().is_ok(), "there is room again");
    assert_eq!(shared.calls(Call::Fill), MOST + 3);
}

#[tokio::test(start_paused = true)]
async fn an_orderly_end_waits_for_copies_but_not_beyond_its_deadline() {
    let (shared, tiers, _, _) = behind().await;
    let closing = {
        let tiers = tiers.clone();
        async move { tiers.shutdown(SEC * 60).await }
    };
    assert!(once_written(&shared, closing).await, "nothing is owed");
    assert!(shared.header("copy:text:1").is_some());

    let (shared, tiers, _, _) = behind().await;
    assert!(timeout(SEC, tiers.shutdown(MS * 100)).await.unwrap(), "a copy is no debt");
    assert_eq!(shared.header("copy:text:1"), None);
}

#[tokio::test(start_paused = true)]
async fn a_copy_that_can_no_longer_be_written_keeps_nobody_waiting() {
    let (shared, _, here, source) = behind().await;
    let mut waits = Box::pin(here.get("1"));
    assert!((&mut waits).now_or_never().is_none());
    shared.cut();
    shared.hold_fills(false);
    assert!(waits.await.is_err(), "the shared tier is gone");
    let loaded = timeout(Duration::from_secs(1), here.get_or_load("1", source.number())).await.unwrap();
    assert_eq!(*loaded.unwrap(), "2");
}
