//! Defects found in other caches, each as a test that fails when our guard against it is removed. The numbers are those of
//! the list of defects that the design was drawn from.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::future::join_all;
use hallway_core::{Error, ErrorKind};
use hallway_tiered::Cache;

use crate::cache_double::Shared;
use crate::cache_support::{MS, SEC, Source, alone, pass, texts};

/// 6: the remaining TTL of a lower tier was stretched when its value was copied up.
#[tokio::test(start_paused = true)]
async fn peers_06_a_copy_here_never_outlives_the_one_it_was_made_from() {
    let (_, clock) = alone();
    let shared = Shared::new(&clock);
    let cache = |seed| {
        shared
            .process(seed)
            .cache("a")
            .wait_for_fills()
            .ttl(SEC * 10)
            .local_ttl(SEC * 60)
            .jitter(0.0)
            .build::<String>()
            .unwrap()
    };
    let (one, two) = (cache(1), cache(2));
    let source = Source::default();
    one.get_or_load("1", source.number()).await.unwrap();
    pass(&clock, SEC * 9).await;
    assert!(two.get("1").await.unwrap().is_some());
    pass(&clock, SEC - MS).await;
    assert!(two.try_get("1").is_some());
    pass(&clock, MS).await;
    assert_eq!((two.try_get("1"), two.get("1").await.unwrap()), (None, None));
}

/// 7: a TTL read apart from its value, in whole seconds, was taken for "forever" when it was short or unknown.
#[tokio::test(start_paused = true)]
async fn peers_07_a_life_of_milliseconds_is_no_life_without_end() {
    let (_, clock) = alone();
    let shared = Shared::new(&clock);
    let cache =
        |seed| shared.process(seed).cache("a").wait_for_fills().ttl(MS * 300).jitter(0.0).build::<String>().unwrap();
    let (one, two) = (cache(1), cache(2));
    let source = Source::default();
    one.get_or_load("1", source.number()).await.unwrap();
    pass(&clock, MS * 299).await;
    assert!(two.get("1").await.unwrap().is_some());
    assert!(two.try_get("1").is_some());
    pass(&clock, MS).await;
    assert_eq!((two.try_get("1"), two.get("1").await.unwrap()), (None, None));
}

/// 8: a read that began before a write put the old value back after it, for good.
#[tokio::test(start_paused = true)]
async fn peers_08_no_read_puts_back_what_a_write_has_replaced() {
    let (_, clock) = alone();
    let shared = Shared::new(&clock);
    for cache in [texts(|told| told).0, shared.process(1).cache("a").build::<String>().unwrap()] {
        let truth = Arc::new(AtomicUsize::new(1));
        let load = |truth: &Arc<AtomicUsize>| {
            let truth = Arc::clone(truth);
            move || async move {
                let read = truth.load(Ordering::SeqCst).to_string();
                tokio::time::sleep(MS * 50).await;
                Ok::<_, io::Error>(read)
            }
        };
        let reading = tokio::spawn({
            let (cache, load) = (cache.clone(), load(&truth));
            async move { cache.get_or_load("1", load).await.unwrap() }
        });
        tokio::time::sleep(MS * 10).await;
        let written = Arc::clone(&truth);
        cache
            .write("1", move || async move {
                written.store(2, Ordering::SeqCst);
                Ok::<_, io::Error>(())
            })
            .await
            .unwrap();
        assert_eq!(*reading.await.unwrap(), "1");
        assert_eq!(cache.get("1").await.unwrap(), None);
        assert_eq!(*cache.get_or_load("1", load(&truth)).await.unwrap(), "2");
    }
}

/// 11: two caches shared the loads of equal keys; the follower looked into its own cache, missed, and failed.
#[tokio::test(start_paused = true)]
async fn peers_11_caches_do_not_share_loads_and_followers_get_the_value() {
    let (tiers, _) = alone();
    let (one, two): (Cache<String>, Cache<String>) =
        (tiers.cache("a").build().unwrap(), tiers.cache("b").build().unwrap());
    let (first, second) = (Source::default(), Source::default());
    let both = tokio::join!(
        one.get_or_load("1", first.slow(MS * 10)),
        two.get_or_load("1", second.slow(MS * 10)),
        one.get_or_load("1", first.slow(MS * 10)),
    );
    assert_eq!((both.0.unwrap().as_str(), both.1.unwrap().as_str(), both.2.unwrap().as_str()), ("1", "1", "1"));
    assert_eq!((first.calls(), second.calls()), (1, 1));
    // Also when nothing is kept: the follower has nowhere else to look.
    let pass_on = || async {
        tokio::time::sleep(MS * 10).await;
        Ok::<_, io::Error>(hallway_tiered::Load::do_not_store("x".to_owned()))
    };
    let both = tokio::join!(one.get_or_load("2", pass_on), one.get_or_load("2", pass_on));
    assert_eq!((both.0.unwrap().unwrap().as_str(), both.1.unwrap().unwrap().as_str()), ("x", "x"));
    assert_eq!(one.stats().loads, 2);
}

/// 12: a failed fill failed the load; followers got another error than the leader; a failed read skipped the loader.
#[tokio::test(start_paused = true)]
async fn peers_12_a_failed_fill_fails_nobody_and_all_share_the_real_error() {
    let (_, clock) = alone();
    let shared = Shared::new(&clock);
    let cache: Cache<String> = shared.process(1).cache("a").build().unwrap();
    let cut = shared.clone();
    let load = move || async move {
        // The tier is lost between the lease and the fill.
        cut.cut();
        Ok::<_, io::Error>("kept by nobody".to_owned())
    };
    assert_eq!(*cache.get_or_load("1", load).await.unwrap(), "kept by nobody");
    assert_eq!(cache.stats().unfilled, 1);
    let source = Source::default();
    assert_eq!(*cache.get_or_load("2", source.number()).await.unwrap(), "1", "a failed read goes to the loader");
    shared.mend();
    shared.hold_replies();
    let reading = tokio::spawn({
        let (cache, loader) = (cache.clone(), source.number());
        async move { cache.get_or_load("4", loader).await }
    });
    tokio::time::sleep(MS).await;
    // It is lost between the read and the lease.
    shared.cut();
    shared.let_go();
    assert_eq!(*reading.await.unwrap().unwrap(), "2", "and so does a lease that nobody gives");
    let failing = || async {
        tokio::time::sleep(MS * 10).await;
        Err::<String, _>(Error::new(ErrorKind::Unauthorized, "wrong password"))
    };
    for error in join_all((0..5).map(|_| cache.get_or_load("3", failing))).await {
        let error = error.unwrap_err();
        assert_eq!((error.kind(), error.message()), (ErrorKind::Unauthorized, "wrong password"));
    }
    assert_eq!(cache.stats().failed_loads, 1);
}

/// 13: a plain read waited for the computation of another caller.
#[tokio::test(start_paused = true)]
async fn peers_13_a_plain_read_never_waits_for_a_load() {
    let (_, clock) = alone();
    let shared = Shared::new(&clock);
    for cache in [texts(|told| told).0, shared.process(1).cache("a").build::<String>().unwrap()] {
        let source = Source::default();
        let loading = tokio::spawn({
            let (cache, loader) = (cache.clone(), source.slow(SEC));
            async move { cache.get_or_load("1", loader).await.unwrap() }
        });
        tokio::time::sleep(MS).await;
        let began = tokio::time::Instant::now();
        assert_eq!((cache.get("1").await.unwrap(), began.elapsed()), (None, std::time::Duration::ZERO));
        // And one that misses sets nobody off.
        let joined = cache.get_or_load("1", source.slow(SEC)).await.unwrap();
        assert_eq!((joined.as_str(), loading.await.unwrap().as_str(), source.calls()), ("1", "1", 1));
    }
}

/// 14: a leader that was dropped left its entry behind, and its followers waited for ever.
#[tokio::test(start_paused = true)]
async fn peers_14_a_leader_that_leaves_strands_nobody_and_leaves_nothing() {
    let (cache, _) = texts(|told| told.max_in_flight(1));
    let source = Source::default();
    let leader = cache.get_or_load("1", source.slow(MS * 100));
    assert!(tokio::time::timeout(MS, leader).await.is_err());
    let follower = cache.get_or_load("1", source.slow(MS * 100));
    assert_eq!(*tokio::time::timeout(SEC, follower).await.unwrap().unwrap(), "1");
    let panics = cache.get_or_load("2", || async { panic!("as planned") as io::Result<String> });
    assert_eq!(panics.await.unwrap_err().kind(), ErrorKind::Unavailable);
    assert_eq!(*cache.get_or_load("2", source.number()).await.unwrap(), "2", "the one place is free again");
}

/// 15: with the leader gone, all followers computed at once.
#[tokio::test(start_paused = true)]
async fn peers_15_a_leader_that_leaves_or_panics_sets_nobody_off() {
    let (cache, _) = texts(|told| told);
    let source = Source::default();
    let mut tasks = Vec::new();
    for _ in 0..1_000 {
        let (cache, loader) = (cache.clone(), source.slow(MS * 100));
        tasks.push(tokio::spawn(async move { cache.get_or_load("1", loader).await.unwrap() }));
    }
    tokio::time::sleep(MS).await;
    tasks.remove(0).abort();
    for task in tasks {
        assert_eq!(*task.await.unwrap(), "1");
    }
    assert_eq!(source.calls(), 1);

    let calls = Arc::new(AtomicUsize::new(0));
    let waiters = (0..100).map(|_| {
        let calls = Arc::clone(&calls);
        cache.get_or_load("2", move || async move {
            calls.fetch_add(1, Ordering::SeqCst);
            tokio::time::sleep(MS).await;
            panic!("as planned") as io::Result<String>
        })
    });
    for answer in join_all(waiters).await {
        let error = answer.unwrap_err();
        assert!(error.message().contains("panicked"), "{error}");
    }
    assert_eq!(calls.load(Ordering::SeqCst), 1, "the error comes once to each waiter");
}

/// 20: removing a value found expired took away the fresh one that had come meanwhile.
#[tokio::test(start_paused = true)]
async fn peers_20_whoever_finds_a_value_outdated_takes_no_fresh_one_away() {
    let (cache, clock) = texts(|told| told.ttl(SEC * 10).jitter(0.0));
    let source = Source::default();
    cache.get_or_load("1", source.number()).await.unwrap();
    for _ in 0..200 {
        assert!(cache.try_get("1").is_some());
    }
    pass(&clock, SEC * 10).await;
    let fresh = cache.get_or_load("1", source.number()).await.unwrap();
    for _ in 0..200 {
        assert!(Arc::ptr_eq(&cache.get("1").await.unwrap().unwrap(), &fresh));
    }
    // A load that is not kept must not take the place of one that is.
    let late = tokio::spawn({
        let (cache, loader) = (cache.clone(), source.slow(MS * 100));
        async move { cache.get_or_load("2", loader).await.unwrap() }
    });
    tokio::time::sleep(MS).await;
    cache.invalidate("2").await.unwrap();
    let kept = cache.get_or_load("2", source.number()).await.unwrap();
    late.await.unwrap();
    assert!(Arc::ptr_eq(&cache.get("2").await.unwrap().unwrap(), &kept));
}

/// 31: a failing cache failed the request; a fill after a delete brought back what was deleted; other processes kept it.
#[tokio::test(start_paused = true)]
async fn peers_31_what_is_deleted_stays_deleted_in_every_process() {
    let (_, clock) = alone();
    let shared = Shared::new(&clock);
    let caches: Vec<Cache<String>> = (0..3).map(|seed| shared.process(seed).cache("a").build().unwrap()).collect();
    let truth = Arc::new(AtomicUsize::new(1));
    let load = || {
        let truth = Arc::clone(&truth);
        move || async move {
            let there = truth.load(Ordering::SeqCst);
            tokio::time::sleep(MS * 20).await;
            Ok::<_, io::Error>((there > 0).then(|| there.to_string()))
        }
    };
    for cache in &caches {
        cache.get_or_load("1", load()).await.unwrap();
        cache.get("1").await.unwrap().unwrap();
    }
    caches[0].invalidate("1").await.unwrap();
    for cache in &caches {
        assert_eq!((cache.try_get("1"), cache.get("1").await.unwrap()), (None, None), "the others are told");
    }
    let reading = tokio::spawn({
        let (cache, load) = (caches[1].clone(), load());
        async move { cache.get_or_load("1", load).await.unwrap() }
    });
    tokio::time::sleep(MS).await;
    let deleted = Arc::clone(&truth);
    caches[2]
        .write("1", move || async move {
            deleted.store(0, Ordering::SeqCst);
            Ok::<_, io::Error>(())
        })
        .await
        .unwrap();
    reading.await.unwrap();
    for cache in &caches {
        assert_eq!(cache.try_get("1"), None);
        assert_eq!(cache.get_or_load("1", load()).await.unwrap(), None);
    }
    shared.cut();
    assert!(caches[0].get_or_load("2", load()).await.is_ok(), "a failing tier fails no request");
}

/// 35: an invalidation that came between the reply and the insert was lost: stale until the TTL.
#[tokio::test(start_paused = true)]
async fn peers_35_a_reply_that_was_overtaken_is_not_kept() {
    let (_, clock) = alone();
    let shared = Shared::new(&clock);
    let (here, there): (Cache<String>, Cache<String>) =
        (shared.process(1).cache("a").build().unwrap(), shared.process(2).cache("a").build().unwrap());
    let source = Source::default();
    for end in 0..3 {
        there.get_or_load("1", source.number()).await.unwrap();
        shared.hold_replies();
        let reading = tokio::spawn({
            let here = here.clone();
            async move { here.get("1").await.unwrap() }
        });
        tokio::time::sleep(MS).await;
        match end {
            0 => there.invalidate("1").await.unwrap(),
            1 => there.clear().await.unwrap(),
            _ => there.write("1", || async { Ok::<_, io::Error>(()) }).await.unwrap(),
        }
        shared.let_go();
        reading.await.unwrap();
        assert_eq!((here.try_get("1"), here.get("1").await.unwrap()), (None, None), "{end}");
    }
}

/// 36: the same race was left open where many are read at once.
#[tokio::test(start_paused = true)]
async fn peers_36_nor_are_the_replies_of_a_batch() {
    let (_, clock) = alone();
    let shared = Shared::new(&clock);
    let (here, there): (Cache<String>, Cache<String>) =
        (shared.process(1).cache("a").build().unwrap(), shared.process(2).cache("a").build().unwrap());
    let ids: Vec<String> = (0..20).map(|id| id.to_string()).collect();
    let load = |missing: Vec<String>| async move {
        Ok::<_, io::Error>(missing.into_iter().map(|id| (id.clone(), id)).collect::<Vec<_>>())
    };
    there.get_or_load_many(ids.clone(), load).await.unwrap();
    shared.hold_replies();
    let reading = tokio::spawn({
        let (here, ids) = (here.clone(), ids.clone());
        async move { here.get_or_load_many(ids, load).await.unwrap() }
    });
    tokio::time::sleep(MS).await;
    let (overtaken, good) = ids.split_at(10);
    there.invalidate_many(overtaken).await.unwrap();
    shared.let_go();
    assert!(reading.await.unwrap().iter().all(Option::is_some), "asked for before, answered as then");
    for id in overtaken {
        assert_eq!(here.try_get(id), None, "{id}");
    }
    for id in good {
        assert!(here.try_get(id).is_some(), "{id}: one for each key, not one for the batch");
    }
    assert_eq!(here.stats().loads, 0);
}
