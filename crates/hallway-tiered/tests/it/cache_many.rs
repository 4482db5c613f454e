//! Many values at once: one call of the loader, in order, joined with other loads, one round trip per tier.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex};

use hallway_core::{Error, ErrorKind};
use hallway_tiered::{Cache, Load};

use crate::cache_double::{Call, Shared};
use crate::cache_support::{MS, SEC, Source, alone, pass, texts};

type Log = Arc<Mutex<Vec<Vec<String>>>>;

/// What a loader of many finds after a while.
type Finding = std::pin::Pin<Box<dyn Future<Output = io::Result<HashMap<String, String>>> + Send>>;

/// Doubles what it is asked for, knows no `x…`, and notes each call.
fn doubling(log: &Log) -> impl FnOnce(Vec<String>) -> Finding + Send + 'static {
    let log = Arc::clone(log);
    move |missing| {
        log.lock().unwrap().push(missing.clone());
        Box::pin(async move {
            tokio::time::sleep(MS * 100).await;
            let known = missing.into_iter().filter(|id| !id.starts_with('x'));
            Ok(known.map(|id| (id.clone(), id.repeat(2))).collect())
        })
    }
}

fn text(values: &[Option<Arc<String>>]) -> Vec<&str> {
    values.iter().map(|value| value.as_ref().map_or("-", |value| value.as_str())).collect()
}

#[tokio::test(start_paused = true)]
async fn one_call_for_all_that_are_missing_and_order_is_kept() {
    let (_, clock) = alone();
    let shared = Shared::new(&clock);
    let caches: Vec<Cache<String>> = vec![
        texts(|told| told).0,
        shared.process(1).cache("a").build().unwrap(),
        shared.process_without_local(2).cache("b").build().unwrap(),
    ];
    for cache in caches {
        let log = Log::default();
        let source = Source::default();
        cache.get_or_load("b", source.number()).await.unwrap();
        let found = cache.get_or_load_many(["c", "b", "x1", "a", "c"], doubling(&log)).await.unwrap();
        assert_eq!(text(&found), ["cc", "1", "-", "aa", "cc"]);
        let again = cache.get_or_load_many(["x1", "a", "b", "c"], doubling(&log)).await.unwrap();
        assert_eq!(text(&again), ["-", "aa", "1", "cc"]);
        assert_eq!(*log.lock().unwrap(), [["c", "x1", "a"]], "what does not exist is remembered");
        assert!(cache.get_or_load_many(Vec::<String>::new(), doubling(&log)).await.unwrap().is_empty());
        assert_eq!(log.lock().unwrap().len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_thousand_keys_take_one_round_trip_each_to_read_to_lease_and_to_fill() {
    let (_, clock) = alone();
    let shared = Shared::new(&clock);
    let cache: Cache<String> = shared.process(1).cache("a").build().unwrap();
    let log = Log::default();
    let ids: Vec<String> = (0..1_000).map(|id| id.to_string()).collect();
    cache.get_or_load_many(ids.clone(), doubling(&log)).await.unwrap();
    let trips = [Call::Read, Call::Lease, Call::Fill].map(|call| shared.calls(call));
    assert_eq!((trips, log.lock().unwrap().len()), ([1, 1, 1], 1));
    let other: Cache<String> = shared.process(2).cache("a").build().unwrap();
    assert_eq!(other.get_or_load_many(ids, doubling(&log)).await.unwrap().len(), 1_000);
    assert_eq!((shared.calls(Call::Read), log.lock().unwrap().len()), (2, 1));
}

#[tokio::test(start_paused = true)]
async fn what_others_are_loading_is_waited_for() {
    let (cache, _) = texts(|told| told);
    let (log, source) = (Log::default(), Source::default());
    let one = tokio::spawn({
        let (cache, loader) = (cache.clone(), source.slow(MS * 200));
        async move { cache.get_or_load("a", loader).await.unwrap() }
    });
    let many = tokio::spawn({
        let (cache, loader) = (cache.clone(), doubling(&log));
        async move {
            tokio::time::sleep(MS).await;
            cache.get_or_load_many(["a", "b"], loader).await.unwrap()
        }
    });
    tokio::time::sleep(MS * 10).await;
    let joined = cache.get_or_load("b", source.number()).await.unwrap();
    assert_eq!((one.await.unwrap().as_str(), joined.as_str()), ("1", "bb"));
    assert_eq!(text(&many.await.unwrap()), ["1", "bb"]);
    assert_eq!((log.lock().unwrap().as_slice(), source.calls()), ([vec!["b".to_owned()]].as_slice(), 1));
}

#[tokio::test(start_paused = true)]
async fn what_other_processes_are_loading_is_waited_for() {
    let (_, clock) = alone();
    let shared = Shared::new(&clock);
    let one: Cache<String> = shared.process(1).cache("a").build().unwrap();
    let two: Cache<String> = shared.process(2).cache("a").build().unwrap();
    let (log, source) = (Log::default(), Source::default());
    let loading = tokio::spawn({
        let loader = source.slow(MS * 300);
        async move { one.get_or_load("a", loader).await.unwrap() }
    });
    tokio::time::sleep(MS * 10).await;
    let found = two.get_or_load_many(["a", "b"], doubling(&log)).await.unwrap();
    assert_eq!(text(&found), ["1", "bb"]);
    assert_eq!(log.lock().unwrap().as_slice(), [["b"]]);
    loading.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_failed_call_fails_all_and_gives_the_leases_back() {
    let (_, clock) = alone();
    let shared = Shared::new(&clock);
    let cache: Cache<String> = shared.process(1).cache("a").build().unwrap();
    let failing = |_: Vec<String>| async { Err::<HashMap<String, String>, _>(Error::new(ErrorKind::TooLarge, "big")) };
    let error = cache.get_or_load_many(["a", "b"], failing).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    let panics = |_: Vec<String>| async { panic!("as planned") as io::Result<HashMap<String, String>> };
    assert_eq!(cache.get_or_load_many(["a", "b"], panics).await.unwrap_err().kind(), ErrorKind::Unavailable);
    let (log, began) = (Log::default(), tokio::time::Instant::now());
    assert_eq!(text(&cache.get_or_load_many(["a", "b"], doubling(&log)).await.unwrap()), ["aa", "bb"]);
    assert_eq!(began.elapsed(), MS * 100, "nobody waits for a lease that was not used");
}

#[tokio::test(start_paused = true)]
async fn stale_values_answer_for_a_failing_call_and_are_replaced_by_one_that_works() {
    let (_, clock) = alone();
    let shared = Shared::new(&clock);
    let told = shared.process(1).cache("a").ttl(SEC * 10).jitter(0.0).stale_if_error(SEC * 60).retry_after(MS);
    let cache: Cache<String> = told.build().unwrap();
    let log = Log::default();
    cache.get_or_load_many(["a", "b"], doubling(&log)).await.unwrap();
    pass(&clock, SEC * 11).await;
    let failing = |_: Vec<String>| async { Err::<HashMap<String, String>, _>(io::Error::other("down")) };
    assert_eq!(text(&cache.get_or_load_many(["a", "b"], failing).await.unwrap()), ["aa", "bb"]);
    pass(&clock, SEC).await;
    let new = |missing: Vec<String>| async move {
        Ok::<_, io::Error>(missing.into_iter().map(|id| (id, Load::store("new".to_owned()))).collect::<Vec<_>>())
    };
    assert_eq!(text(&cache.get_or_load_many(["a", "b"], new).await.unwrap()), ["new", "new"]);
    assert_eq!(text(&cache.get_or_load_many(["a", "b"], failing).await.unwrap()), ["new", "new"]);
}

#[tokio::test(start_paused = true)]
async fn without_the_shared_tier_there_is_still_one_call() {
    let (_, clock) = alone();
    let shared = Shared::new(&clock);
    let cache: Cache<String> = shared.process(1).cache("a").build().unwrap();
    shared.cut();
    let log = Log::default();
    assert_eq!(text(&cache.get_or_load_many(["a", "x", "b"], doubling(&log)).await.unwrap()), ["aa", "-", "bb"]);
    assert_eq!(text(&cache.get_or_load_many(["a", "b"], doubling(&log)).await.unwrap()), ["aa", "bb"]);
    assert_eq!(log.lock().unwrap().len(), 1, "kept here meanwhile");
}

#[tokio::test(start_paused = true)]
async fn too_many_are_refused_as_a_whole() {
    let (cache, _) = texts(|told| told.max_in_flight(2));
    let log = Log::default();
    let error = cache.get_or_load_many(["a", "b", "c"], doubling(&log)).await.unwrap_err();
    assert_eq!((error.kind(), log.lock().unwrap().len()), (ErrorKind::Overloaded, 0));
    tokio::task::yield_now().await;
    assert!(cache.get_or_load_many(["a", "b"], doubling(&log)).await.is_ok(), "and leave nothing behind");
}
