//! Values past their TTL: served while they are refreshed, served when that fails, to the exact age, and never after an
//! invalidation.

use std::io;
use std::time::Duration;

use hallway_core::ErrorKind;
use hallway_tiered::{Cache, CacheBuilder, ServedBy};

use crate::cache_double::{Call, Shared};
use crate::cache_support::{MS, SEC, Source, alone, pass, texts};

/// The same in this process alone and over a shared tier.
fn both(told: impl Fn(CacheBuilder) -> CacheBuilder) -> Vec<(Cache<String>, hallway_testkit::ManualClock)> {
    let (_, clock) = alone();
    let shared = Shared::new(&clock);
    let linked = told(shared.process(3).cache("text").wait_for_fills()).build().unwrap();
    let bare = told(shared.process_without_local(4).cache("bare").wait_for_fills()).build().unwrap();
    vec![texts(&told), (linked, clock.clone()), (bare, clock)]
}

async fn settle() {
    for _ in 0..20 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_stale_value_answers_while_one_caller_refreshes_it() {
    for (cache, clock) in both(|told| told.ttl(SEC * 10).jitter(0.0).stale_while_revalidate(SEC * 5)) {
        let source = Source::default();
        cache.get_or_load("1", source.number()).await.unwrap();
        pass(&clock, SEC * 12).await;
        for _ in 0..10 {
            let stale = cache.load("1", source.slow(MS * 100)).await.unwrap();
            assert_eq!((stale.value.as_str(), stale.stale, stale.age), ("1", true, SEC * 12));
        }
        assert!(cache.get("1").await.unwrap().is_some());
        pass(&clock, MS * 200).await;
        settle().await;
        assert_eq!(source.calls(), 2, "{cache:?}");
        let fresh = cache.load("1", source.number()).await.unwrap();
        assert_eq!((fresh.value.as_str(), fresh.stale), ("2", false));
        // Beyond the window the caller waits.
        pass(&clock, SEC * 15).await;
        assert_eq!(cache.get("1").await.unwrap(), None);
        assert_eq!(*cache.get_or_load("1", source.slow(MS * 100)).await.unwrap(), "3");
    }
}

#[tokio::test(start_paused = true)]
async fn a_value_answers_for_a_failing_loader_up_to_its_greatest_age_and_not_longer() {
    for (cache, clock) in both(|told| told.ttl(SEC * 10).jitter(0.0).stale_if_error(SEC * 20).retry_after(MS)) {
        let source = Source::default();
        cache.get_or_load("1", source.number()).await.unwrap();
        pass(&clock, SEC * 10).await;
        assert_eq!(cache.get("1").await.unwrap(), None, "a plain read is no failure");
        let stale = cache.load("1", source.failing()).await.unwrap();
        assert_eq!((stale.value.as_str(), stale.stale, stale.age), ("1", true, SEC * 10));
        pass(&clock, SEC * 20 - MS).await;
        let last = cache.load("1", source.failing()).await.unwrap();
        assert_eq!((last.value.as_str(), last.age), ("1", SEC * 30 - MS), "{cache:?}");
        pass(&clock, MS).await;
        assert_eq!(cache.load("1", source.failing()).await.unwrap_err().kind(), ErrorKind::Unavailable, "{cache:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn nothing_stale_is_served_after_an_invalidation() {
    for (cache, clock) in
        both(|told| told.ttl(SEC * 10).jitter(0.0).stale_if_error(SEC * 20).stale_while_revalidate(SEC * 20))
    {
        let source = Source::default();
        for how in 0..4 {
            cache.get_or_load("1", source.number()).await.unwrap();
            pass(&clock, SEC * 11).await;
            assert!(cache.load("1", source.failing()).await.unwrap().stale);
            settle().await;
            match how {
                0 => cache.invalidate("1").await.unwrap(),
                1 => cache.clear().await.unwrap(),
                2 => cache.write("1", || async { Ok::<_, io::Error>(()) }).await.unwrap(),
                _ => {
                    // Also when the load began before.
                    let waiting = tokio::spawn({
                        let cache = cache.clone();
                        async move {
                            cache
                                .get_or_load("1", || async {
                                    tokio::time::sleep(SEC).await;
                                    Err::<String, _>(io::Error::other("down"))
                                })
                                .await
                        }
                    });
                    settle().await;
                    cache.invalidate("1").await.unwrap();
                    drop(waiting);
                }
            }
            let error = cache.get_or_load("1", source.failing()).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Unavailable, "{how} {cache:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_failing_loader_is_left_alone_for_a_while() {
    for (cache, clock) in both(|told| told.ttl(SEC).jitter(0.0).stale_if_error(SEC * 100).retry_after(SEC * 5)) {
        let source = Source::default();
        cache.get_or_load("1", source.number()).await.unwrap();
        pass(&clock, SEC * 2).await;
        for _ in 0..50 {
            assert!(cache.load("1", source.failing()).await.unwrap().stale);
        }
        assert_eq!(source.calls(), 2);
        pass(&clock, SEC * 5).await;
        assert!(cache.load("1", source.failing()).await.unwrap().stale);
        assert_eq!(source.calls(), 3);
        pass(&clock, SEC * 5).await;
        assert_eq!(cache.load("1", source.number()).await.unwrap().value.as_str(), "4", "{cache:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_slow_loader_is_not_waited_for_when_there_is_something_stale() {
    for (cache, clock) in both(|told| told.ttl(SEC).jitter(0.0).stale_if_error(SEC * 100).soft_timeout(MS * 50)) {
        let source = Source::default();
        let began = tokio::time::Instant::now();
        cache.get_or_load("1", source.slow(MS * 300)).await.unwrap();
        assert_eq!(began.elapsed(), MS * 300, "with nothing to answer it is waited for");
        pass(&clock, SEC * 2).await;
        let began = tokio::time::Instant::now();
        let stale = cache.load("1", source.slow(MS * 300)).await.unwrap();
        assert_eq!((stale.value.as_str(), stale.stale, began.elapsed()), ("1", true, MS * 50), "{cache:?}");
        tokio::time::sleep(MS * 400).await;
        let fresh = cache.load("1", source.failing()).await.unwrap();
        assert_eq!((fresh.value.as_str(), fresh.stale, source.calls()), ("2", false, 2), "the load went on");
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_expired_is_loaded_by_the_next_read_and_answers_if_that_fails() {
    for (cache, clock) in both(|told| told.ttl(SEC * 100).jitter(0.0).stale_if_error(SEC * 10).retry_after(MS)) {
        let source = Source::default();
        cache.get_or_load("1", source.number()).await.unwrap();
        pass(&clock, SEC * 3).await;
        cache.expire("1").await.unwrap();
        assert_eq!(cache.get("1").await.unwrap(), None);
        let stale = cache.load("1", source.failing()).await.unwrap();
        assert_eq!((stale.value.as_str(), stale.stale, stale.age), ("1", true, SEC * 3), "{cache:?}");
        pass(&clock, SEC * 10).await;
        assert!(cache.load("1", source.failing()).await.is_err(), "stale for as long as any other {cache:?}");
        assert_eq!(*cache.get_or_load("1", source.number()).await.unwrap(), "4");
        // Without anything to serve stale it is an invalidation.
    }
    let (cache, _) = texts(|told| told);
    let source = Source::default();
    cache.get_or_load("1", source.number()).await.unwrap();
    cache.expire("1").await.unwrap();
    assert!(cache.load("1", source.failing()).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_load_that_began_before_an_expiry_is_not_kept_as_fresh() {
    let (cache, clock) = texts(|told| told.ttl(SEC * 10).jitter(0.0).stale_while_revalidate(SEC * 10));
    let source = Source::default();
    cache.get_or_load("1", source.number()).await.unwrap();
    pass(&clock, SEC * 11).await;
    assert!(cache.load("1", source.slow(MS * 100)).await.unwrap().stale);
    settle().await;
    cache.expire("1").await.unwrap();
    pass(&clock, MS * 200).await;
    settle().await;
    let answer = cache.load("1", source.number()).await.unwrap();
    assert_ne!((answer.value.as_str(), answer.stale), ("2", false));
}

#[tokio::test(start_paused = true)]
async fn processes_refresh_a_stale_value_once_together() {
    let (_, clock) = alone();
    let shared = Shared::new(&clock);
    let caches: Vec<Cache<String>> = (0..4)
        .map(|seed| {
            let told = shared.process(seed).cache("text").wait_for_fills();
            told.ttl(SEC * 10).jitter(0.0).stale_while_revalidate(SEC * 60).build().unwrap()
        })
        .collect();
    let source = Source::default();
    caches[0].get_or_load("1", source.slow(MS * 200)).await.unwrap();
    pass(&clock, SEC * 20).await;
    for cache in &caches {
        let stale = cache.load("1", source.slow(MS * 200)).await.unwrap();
        assert!(stale.stale);
    }
    pass(&clock, MS * 300).await;
    settle().await;
    assert_eq!(source.calls(), 2);
    for cache in &caches {
        assert_eq!(*cache.get("1").await.unwrap().unwrap(), "2");
    }
    assert!(shared.calls(Call::Claim) >= 2);
}

#[tokio::test(start_paused = true)]
async fn a_refresh_that_was_overtaken_by_an_invalidation_is_not_written_back() {
    let (_, clock) = alone();
    let shared = Shared::new(&clock);
    let told =
        shared.process(1).cache("text").wait_for_fills().ttl(SEC * 10).jitter(0.0).stale_while_revalidate(SEC * 60);
    let cache: Cache<String> = told.build().unwrap();
    let source = Source::default();
    cache.get_or_load("1", source.number()).await.unwrap();
    pass(&clock, SEC * 20).await;
    assert!(cache.load("1", source.slow(MS * 200)).await.unwrap().stale);
    settle().await;
    cache.invalidate("1").await.unwrap();
    pass(&clock, MS * 300).await;
    settle().await;
    assert_eq!(cache.get("1").await.unwrap(), None);
    assert_eq!(shared.header("copy:text:1"), None);
}

#[tokio::test(start_paused = true)]
async fn whoever_waits_for_another_process_in_vain_serves_what_is_stale() {
    let (_, clock) = alone();
    let shared = Shared::new(&clock);
    let cache = |seed| {
        let told =
            shared.process(seed).cache("text").wait_for_fills().ttl(SEC * 10).jitter(0.0).stale_if_error(SEC * 60);
        told.wait_max(MS * 500).build::<String>().unwrap()
    };
    let (one, two) = (cache(1), cache(2));
    let source = Source::default();
    one.get_or_load("1", source.slow(SEC * 2)).await.unwrap();
    pass(&clock, SEC * 20).await;
    let loading = tokio::spawn({
        let loader = source.slow(SEC * 4);
        async move { one.get_or_load("1", loader).await.unwrap() }
    });
    settle().await;
    let began = tokio::time::Instant::now();
    let stale = two.load("1", source.number()).await.unwrap();
    assert_eq!((stale.value.as_str(), stale.stale, began.elapsed()), ("1", true, MS * 500));
    let again = two.load("1", source.number()).await.unwrap();
    assert_eq!((again.stale, began.elapsed()), (true, MS * 500), "and does not wait again for a while");
    assert_eq!(*loading.await.unwrap(), "2");
    assert_eq!(*two.get("1").await.unwrap().unwrap(), "2");
    assert_eq!(source.calls(), 2);
}

#[tokio::test(start_paused = true)]
async fn whoever_waits_in_vain_is_not_served_what_is_too_old() {
    let (_, clock) = alone();
    let shared = Shared::new(&clock);
    let cache = |seed| {
        let told =
            shared.process(seed).cache("text").wait_for_fills().ttl(SEC * 100).jitter(0.0).stale_if_error(SEC * 10);
        told.wait_max(MS * 500).build::<String>().unwrap()
    };
    let (one, two) = (cache(1), cache(2));
    let source = Source::default();
    one.get_or_load("1", source.slow(SEC * 2)).await.unwrap();
    one.expire("1").await.unwrap();
    pass(&clock, SEC * 11).await;
    let loading = tokio::spawn({
        let loader = source.slow(SEC * 4);
        async move { one.get_or_load("1", loader).await.unwrap() }
    });
    settle().await;
    let fresh = two.load("1", source.number()).await.unwrap();
    assert_eq!((fresh.value.as_str(), fresh.stale), ("3", false));
    assert_eq!(*loading.await.unwrap(), "2");
}

#[tokio::test(start_paused = true)]
async fn whoever_has_failed_to_refresh_does_not_wait_for_himself() {
    let (_, clock) = alone();
    let shared = Shared::new(&clock);
    let told = shared
        .process(1)
        .cache("text")
        .wait_for_fills()
        .ttl(SEC * 10)
        .jitter(0.0)
        .stale_if_error(SEC * 60)
        .retry_after(MS);
    let cache: Cache<String> = told.build().unwrap();
    let source = Source::default();
    cache.get_or_load("1", source.slow(SEC * 2)).await.unwrap();
    pass(&clock, SEC * 20).await;
    assert!(cache.load("1", source.failing()).await.unwrap().stale);
    pass(&clock, MS * 2).await;
    let began = tokio::time::Instant::now();
    let fresh = cache.load("1", source.number()).await.unwrap();
    assert_eq!((fresh.value.as_str(), fresh.stale, began.elapsed()), ("3", false, Duration::ZERO));
}

/// XFetch: P = e^(-t/(beta*delta)), t being the time left and delta the cost of the load.
#[tokio::test(start_paused = true)]
async fn early_refreshes_are_drawn_with_the_stated_probability() {
    for (beta, left) in [(1.0, 1.0), (1.0, 0.25), (2.0, 1.0), (0.5, 1.0)] {
        let cost = SEC;
        let expected = f64::exp(-left / beta);
        let (cache, clock) = texts(|told| told.ttl(SEC * 100).jitter(0.0).early_refresh(beta).max_refreshes(10_000));
        const KEYS: usize = 4_000;
        let ids: Vec<String> = (0..KEYS).map(|id| id.to_string()).collect();
        let all = |missing: Vec<String>| async move {
            tokio::time::sleep(SEC).await;
            Ok::<_, io::Error>(missing.into_iter().map(|id| (id, "old".to_owned())).collect::<Vec<_>>())
        };
        cache.get_or_load_many(ids.clone(), all).await.unwrap();
        let early = cost.mul_f64(16.0 * beta) + MS;
        pass(&clock, SEC * 100 - early).await;
        let read = async |source: &Source| {
            for id in &ids {
                assert_eq!(cache.load(id, source.number()).await.unwrap().tier, ServedBy::Local);
                settle_once().await;
            }
        };
        let source = Source::default();
        read(&source).await;
        assert_eq!(source.calls(), 0, "nobody draws that early");
        pass(&clock, early - Duration::from_secs_f64(left)).await;
        read(&source).await;
        let share = source.calls() as f64 / KEYS as f64;
        // Four standard deviations of a binomial share of 4,000 draws.
        let spread = 4.0 * (expected * (1.0 - expected) / KEYS as f64).sqrt();
        assert!((share - expected).abs() <= spread, "beta {beta}, {left} s left: {share} instead of {expected}");
    }
}

async fn settle_once() {
    tokio::task::yield_now().await;
    tokio::task::yield_now().await;
}
