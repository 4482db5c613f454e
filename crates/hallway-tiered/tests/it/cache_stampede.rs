//! Many who want the same at once: one load, whatever becomes of it, and bounds on all of it.

use std::collections::BTreeMap;
use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::join_all;
use hallway_core::ErrorKind;
use hallway_testkit::ManualClock;
use hallway_tiered::Cache;

use crate::cache_double::{Call, Shared};
use crate::cache_support::{MS, SEC, Source, alone, pass, texts};

#[tokio::test(start_paused = true)]
async fn ten_thousand_tasks_on_a_cold_key_are_one_load() {
    let (cache, _) = texts(|told| told);
    let source = Source::default();
    let tasks: Vec<_> = (0..10_000)
        .map(|_| {
            let (cache, loader) = (cache.clone(), source.slow(MS * 50));
            tokio::spawn(async move { cache.get_or_load("cold", loader).await.unwrap() })
        })
        .collect();
    let values = join_all(tasks).await;
    let first = values[0].as_ref().unwrap();
    assert!(values.iter().all(|value| Arc::ptr_eq(value.as_ref().unwrap(), first)), "all share one value");
    assert_eq!(source.calls(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn whoever_comes_just_as_a_load_ends_loads_nothing() {
    let (cache, _) = texts(|told| told);
    let source = Source::default();
    for round in 0..2_000 {
        let tasks = (0..8).map(|_| {
            let (cache, loader) = (cache.clone(), source.number());
            tokio::spawn(async move { cache.get_or_load(&round.to_string(), loader).await.unwrap() })
        });
        join_all(tasks.collect::<Vec<_>>()).await;
        assert_eq!(source.calls(), round + 1);
    }
}

#[tokio::test(start_paused = true)]
async fn eight_processes_load_once_together_and_at_most_once_each_without_a_shared_tier() {
    for down in [false, true] {
        let (_, clock) = alone();
        let shared = Shared::new(&clock);
        let source = Source::default();
        let caches: Vec<Cache<String>> =
            (0..8).map(|seed| shared.process(seed).cache("text").build().unwrap()).collect();
        if down {
            shared.cut();
        }
        let tasks: Vec<_> = (0..8_000)
            .map(|task| {
                let (cache, loader) = (caches[task % 8].clone(), source.slow(MS * 5));
                tokio::spawn(async move { cache.get_or_load("cold", loader).await.unwrap() })
            })
            .collect();
        join_all(tasks).await;
        let most = if down { 8 } else { 1 };
        assert!(source.calls() <= most, "{} loads, down: {down}", source.calls());
    }
}

#[tokio::test(start_paused = true)]
async fn who_comes_after_an_invalidation_does_not_get_what_was_loaded_before() {
    let (cache, _) = texts(|told| told);
    let source = Source::default();
    let early = tokio::spawn({
        let (cache, loader) = (cache.clone(), source.slow(MS * 100));
        async move { cache.get_or_load("1", loader).await.unwrap() }
    });
    tokio::time::sleep(MS * 10).await;
    cache.invalidate("1").await.unwrap();
    let late = cache.get_or_load("1", source.slow(MS * 10)).await.unwrap();
    assert_eq!((early.await.unwrap().as_str(), late.as_str()), ("1", "2"));
    assert_eq!(cache.get("1").await.unwrap().as_deref().map(String::as_str), Some("2"), "the old one is not kept");
}

#[tokio::test(start_paused = true)]
async fn who_comes_after_a_clear_or_a_tag_does_not_get_what_was_loaded_before() {
    for by_tag in [false, true] {
        let (cache, _) = texts(|told| told);
        let load = |value: &'static str| {
            move || async move {
                tokio::time::sleep(MS * 100).await;
                Ok::<_, io::Error>(hallway_tiered::Load::store(value.to_owned()).with_tags(["t"]))
            }
        };
        let early = tokio::spawn({
            let cache = cache.clone();
            async move { cache.get_or_load("1", load("old")).await.unwrap() }
        });
        tokio::time::sleep(MS * 10).await;
        if by_tag {
            cache.invalidate_tag("t").await.unwrap()
        } else {
            cache.clear().await.unwrap()
        }
        let late = cache.get_or_load("1", load("new")).await.unwrap();
        assert_eq!(late.as_deref().map(String::as_str), Some("new"), "by tag: {by_tag}");
        assert_eq!(early.await.unwrap().as_deref().map(String::as_str), Some("old"));
        assert_eq!(cache.get("1").await.unwrap().as_deref().map(String::as_str), Some("new"), "by tag: {by_tag}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_hanging_loader_is_cut_at_the_hard_timeout() {
    let (cache, _) = texts(|told| told.hard_timeout(SEC * 2));
    let began = tokio::time::Instant::now();
    let error = cache.get_or_load("1", std::future::pending::<io::Result<String>>).await.unwrap_err();
    assert_eq!((error.kind(), began.elapsed()), (ErrorKind::Unavailable, SEC * 2));
    assert!(error.to_string().contains("2s"), "{error}");
    let source = Source::default();
    assert_eq!(*cache.get_or_load("1", source.number()).await.unwrap(), "1");
}

#[tokio::test(start_paused = true)]
async fn more_keys_in_flight_than_allowed_are_refused() {
    let (cache, _) = texts(|told| told.max_in_flight(3).max_loads(1).queue_max(SEC * 60).hard_timeout(SEC * 60));
    let source = Source::default();
    let tasks: Vec<_> = (0..3)
        .map(|id| {
            let (cache, loader) = (cache.clone(), source.slow(SEC));
            tokio::spawn(async move { cache.get_or_load(&id.to_string(), loader).await })
        })
        .collect();
    tokio::time::sleep(MS).await;
    let error = cache.get_or_load("4", source.number()).await.unwrap_err();
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Overloaded, true));
    assert!(cache.get_or_load("1", source.number()).await.is_ok(), "who joins takes no place");
    for task in tasks {
        task.await.unwrap().unwrap();
    }
    assert_eq!((source.calls(), cache.stats().overloaded), (3, 1));
}

#[tokio::test(start_paused = true)]
async fn more_loaders_than_allowed_queue_and_are_refused_at_the_end_of_their_patience() {
    let (cache, _) = texts(|told| told.max_loads(2).queue_max(MS * 500));
    let source = Source::default();
    let tasks: Vec<_> = (0..6)
        .map(|id| {
            let (cache, loader) = (cache.clone(), source.slow(MS * 400));
            tokio::spawn(async move { cache.get_or_load(&id.to_string(), loader).await.map_err(|error| error.kind()) })
        })
        .collect();
    let mut ends = BTreeMap::new();
    for task in join_all(tasks).await {
        *ends.entry(format!("{:?}", task.unwrap().map(|_| "loaded"))).or_insert(0) += 1;
    }
    assert_eq!(ends, BTreeMap::from([("Ok(\"loaded\")".to_owned(), 4), ("Err(Overloaded)".to_owned(), 2)]));
    assert_eq!(source.calls(), 4);
}

/// S4 through the whole of a cache; the figures for an hour are tested where the TTLs are drawn.
#[tokio::test(start_paused = true)]
async fn values_stored_together_do_not_expire_together() {
    const KEYS: usize = 20_000;
    let ttl = SEC * 60;
    let (cache, clock) = texts(|told| told.ttl(ttl).max_in_flight(KEYS));
    let mut left: Vec<String> = (0..KEYS).map(|id| id.to_string()).collect();
    let all = |missing: Vec<String>| async move {
        Ok::<_, io::Error>(missing.into_iter().map(|id| (id.clone(), id)).collect::<Vec<_>>())
    };
    cache.get_or_load_many(left.clone(), all).await.unwrap();
    let mut ends: Vec<usize> = Vec::new();
    pass(&clock, ttl.mul_f64(0.9) - SEC).await;
    while !left.is_empty() {
        let before = left.len();
        left.retain(|id| cache.get(id).now_or_never().unwrap().unwrap().is_some());
        ends.push(before - left.len());
        pass(&clock, SEC).await;
        assert!(ends.len() < 16, "all end by 1.1 times the TTL");
    }
    let busy: Vec<usize> = ends.into_iter().filter(|count| *count > 0).collect();
    let (most, mean) = (*busy.iter().max().unwrap(), KEYS / busy.len());
    assert!(most <= 3 * mean && busy.len() >= 12, "{busy:?}");
}

/// Lets the clock of the shared tier go with the one of the timers.
fn tick(clock: &ManualClock) -> Ticking {
    let clock = clock.clone();
    Ticking(tokio::spawn(async move {
        for _ in 0..3_000 {
            clock.advance(MS * 10);
            tokio::time::sleep(MS * 10).await;
        }
    }))
}

struct Ticking(tokio::task::JoinHandle<()>);

impl Drop for Ticking {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// A process begins `op` and dies of it a moment later: its runtime ends, and nobody gives anything back.
fn die_of<Fut: Future>(shared: &Shared, op: impl FnOnce(Cache<String>) -> Fut + Send + 'static) {
    let shared = shared.clone();
    let process = std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let cache = cache_of(&shared, 100);
            tokio::time::timeout(MS * 100, op(cache)).await.map(drop).unwrap_err();
        });
    });
    process.join().unwrap();
}

fn cache_of(shared: &Shared, seed: u64) -> Cache<String> {
    let told = shared.process(seed).cache("text").wait_for_fills().ttl(SEC * 100).jitter(0.0).stale_if_error(SEC * 10);
    told.build().unwrap()
}

#[tokio::test(start_paused = true)]
async fn of_all_who_wait_for_a_dead_holder_of_the_lease_one_loads_when_it_ends() {
    let (_, clock) = alone();
    let shared = Shared::new(&clock);
    die_of(&shared, |dead| async move { dead.get_or_load("1", std::future::pending::<io::Result<String>>).await });
    let _tick = tick(&clock);
    let source = Source::default();
    let began = tokio::time::Instant::now();
    let reads = (0..8).map(|seed| {
        let (cache, loader) = (cache_of(&shared, seed), source.slow(SEC * 2));
        async move { cache.get_or_load("1", loader).await.unwrap() }
    });
    let values = join_all(reads).await;
    assert!(values.iter().all(|value| **value == "1"), "{values:?}");
    let took = began.elapsed();
    // The lease, a pause between two looks, and the load.
    assert!(took >= SEC * 3 && took <= Duration::from_millis(4_300), "{took:?}");
    assert_eq!(source.calls(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_holder_who_takes_long_is_waited_for_as_long_as_he_lives() {
    let (_, clock) = alone();
    let shared = Shared::new(&clock);
    let _tick = tick(&clock);
    let source = Source::default();
    let began = tokio::time::Instant::now();
    let reads = (0..8).map(|seed| {
        let (cache, loader) = (cache_of(&shared, seed), source.slow(Duration::from_millis(4_900)));
        async move { cache.get_or_load("1", loader).await.unwrap() }
    });
    let values = join_all(reads).await;
    assert!(values.iter().all(|value| **value == "1"), "{values:?}");
    assert_eq!(source.calls(), 1);
    assert!(began.elapsed() < Duration::from_millis(5_200), "{:?}", began.elapsed());
}

#[tokio::test(start_paused = true)]
async fn of_all_who_wait_for_a_dead_refresher_one_loads_when_his_claim_ends() {
    let (_, clock) = alone();
    let shared = Shared::new(&clock);
    let source = Source::default();
    let caches: Vec<_> = (0..8).map(|seed| cache_of(&shared, seed)).collect();
    caches[0].get_or_load("1", source.slow(MS * 200)).await.unwrap();
    // Past its TTL, but still there.
    clock.advance(SEC * 105);
    die_of(&shared, |dead| async move { dead.get_or_load("1", std::future::pending::<io::Result<String>>).await });
    let _tick = tick(&clock);
    let began = tokio::time::Instant::now();
    let reads = caches.iter().map(|cache| {
        let loader = source.slow(MS * 200);
        async move { cache.get_or_load("1", loader).await.unwrap() }
    });
    let values = join_all(reads).await;
    assert!(values.iter().all(|value| **value == "2"), "{values:?}");
    assert_eq!(source.calls(), 2);
    // The claim stands for four times what the value took to load.
    let took = began.elapsed();
    assert!(took >= MS * 800 && took <= MS * 1_500, "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn a_batch_that_takes_long_is_waited_for_and_waits_less_itself() {
    let (_, clock) = alone();
    let shared = Shared::new(&clock);
    let _tick = tick(&clock);
    let source = Source::default();
    let many = |seed: u64, took: Duration| {
        let (cache, calls) = (cache_of(&shared, seed), source.slow(took));
        async move {
            let load = move |ids: Vec<String>| async move {
                let value = calls().await?;
                Ok::<_, hallway_core::Error>(ids.into_iter().map(|id| (id, value.clone())).collect::<Vec<_>>())
            };
            let found = cache.get_or_load_many(["1".to_owned(), "2".to_owned()], load).await.unwrap();
            found.into_iter().map(|value| value.unwrap().to_string()).collect::<Vec<_>>()
        }
    };
    let began = tokio::time::Instant::now();
    let first = tokio::spawn(many(1, Duration::from_millis(4_900)));
    tokio::time::sleep(MS * 100).await;
    let one = {
        let (cache, loader) = (cache_of(&shared, 2), source.number());
        async move { cache.get_or_load("1", loader).await.unwrap() }
    };
    let second = async { (many(3, MS * 10).await, began.elapsed()) };
    let (one, (second, waited)) = tokio::join!(one, second);
    assert_eq!((first.await.unwrap(), one.as_str()), (vec!["1".to_owned(); 2], "1"));
    assert_eq!(second, ["2"; 2], "it did not wait for as long as a load may take");
    assert!(waited >= Duration::from_millis(2_500) && waited < SEC * 3, "{waited:?}");
    assert_eq!(source.calls(), 2);
}

#[tokio::test(start_paused = true)]
async fn the_leases_of_many_loads_are_prolonged_in_one_call() {
    let (_, clock) = alone();
    let shared = Shared::new(&clock);
    let cache: Cache<String> = shared.process(1).cache("a").build().unwrap();
    let loads: Vec<_> = (0..50)
        .map(|id| {
            let cache = cache.clone();
            let loader = || async {
                tokio::time::sleep(SEC).await;
                Ok::<_, std::io::Error>("x".to_owned())
            };
            tokio::spawn(async move { cache.get_or_load(&id.to_string(), loader).await })
        })
        .collect();
    pass(&clock, SEC * 2).await;
    for load in loads {
        load.await.unwrap().unwrap();
    }
    let renewals = shared.calls(Call::Renew);
    assert!((1..=3).contains(&renewals), "{renewals} for 50 leases");
}
