//! Who joins a load of this process gets nothing older than he is promised, also where Redis told of nothing meanwhile.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hallway::{AnyTier, Cache, KvStore, TieredBuilder, TieredStore};
use tokio::sync::oneshot;
use tokio::time::sleep;

use crate::stage;

/// By default, and what a machine under other tests may be late.
const BOUND: Duration = Duration::from_millis(1_050);

async fn process(redis: &str, has_local: bool) -> TieredStore {
    let local = if has_local { Some(hallway::open("moka:?max=64MiB").await.unwrap()) } else { None };
    let shared: Arc<dyn KvStore> = hallway::open(redis).await.unwrap();
    let builder: TieredBuilder<AnyTier, AnyTier, AnyTier> = TieredBuilder::from_parts(local, Some(shared), None);
    let tiers = builder.shared_deadline(Duration::from_secs(5)).build().unwrap();
    for _ in 0..2_000 {
        if tiers.health().is_ready() {
            return tiers;
        }
        sleep(Duration::from_millis(10)).await;
    }
    panic!("the tiers are not ready: {:?}", tiers.health());
}

/// How a load begins.
#[derive(Debug, Clone, Copy)]
enum Begins {
    /// What is in Redis is read first, and kept if there is anything.
    Kept,
    /// It is read and not kept.
    Once,
    /// It is not looked for at all, because it is likely to be missing.
    Unread,
}

async fn a_caller_behind_a_write_elsewhere(begins: Begins) {
    let redis = stage::redis_url();
    let (here, there) = (process(&redis, !matches!(begins, Begins::Once)).await, process(&redis, true).await);
    let (here, there): (Cache<u64>, Cache<u64>) =
        (here.cache("join").build().unwrap(), there.cache("join").build().unwrap());
    if matches!(begins, Begins::Unread) {
        for id in 0..60 {
            here.get_or_load(&format!("other:{id}"), || async { Ok::<_, hallway::Error>(0) }).await.unwrap();
        }
    }
    let truth = Arc::new(AtomicU64::new(1));
    let (has_read, read) = oneshot::channel();
    let (go_on, goes_on) = oneshot::channel();
    let early = tokio::spawn({
        let (here, truth) = (here.clone(), Arc::clone(&truth));
        let loader = move || async move {
            let found = truth.load(Ordering::SeqCst);
            has_read.send(()).unwrap();
            goes_on.await.map(|()| found)
        };
        async move { here.get_or_load("k", loader).await.unwrap() }
    });
    read.await.unwrap();
    let write = {
        let truth = Arc::clone(&truth);
        move || async move {
            truth.store(2, Ordering::SeqCst);
            Ok::<_, hallway::Error>(())
        }
    };
    there.write("k", write).await.unwrap();
    sleep(BOUND).await;
    let late = here.get_or_load("k", move || async move { Ok::<_, hallway::Error>(truth.load(Ordering::SeqCst)) });
    // Who joins the early one waits as long as it does.
    let late =
        tokio::time::timeout(Duration::from_secs(3), late).await.expect("it joins no load from before the write");
    assert_eq!(*late.unwrap(), 2, "{begins:?}");
    go_on.send(()).unwrap();
    assert_eq!(*early.await.unwrap(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_comes_the_bound_after_a_write_joins_no_load_from_before_it() {
    tokio::join!(
        a_caller_behind_a_write_elsewhere(Begins::Kept),
        a_caller_behind_a_write_elsewhere(Begins::Once),
        a_caller_behind_a_write_elsewhere(Begins::Unread),
    );
}

/// Nor does it load besides.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_comes_late_in_a_long_load_waits_for_it_all_the_same() {
    let tiers = process(&stage::redis_url(), false).await;
    let cache: Cache<u64> = tiers.cache("join").build().unwrap();
    let loads = Arc::new(AtomicU64::new(0));
    let load = || {
        let (cache, loads) = (cache.clone(), Arc::clone(&loads));
        tokio::spawn(async move {
            let loader = move || async move {
                let load = loads.fetch_add(1, Ordering::SeqCst) + 1;
                sleep(3 * BOUND).await;
                Ok::<_, hallway::Error>(load)
            };
            *cache.get_or_load("k", loader).await.unwrap()
        })
    };
    let early = load();
    sleep(2 * BOUND).await;
    assert!(!early.is_finished(), "too slow to show anything");
    let late = [load(), load(), load()];
    for task in [early].into_iter().chain(late) {
        assert_eq!(task.await.unwrap(), 1);
    }
    assert_eq!(loads.load(Ordering::SeqCst), 1);
}
