//! A cache while Redis is killed, stopped or swallowed by the network: every call answers, soon and not too old, and the
//! shared tier is used again soon after it is back.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use hallway::{Cache, KvStore, TierHealth, TieredStore};
use hallway_testkit::servers::{PostgresOptions, PostgresServer, RedisOptions, RedisServer};
use hallway_testkit::{FaultProxy, LinkFault};
use tokio::sync::oneshot;
use tokio::task::{JoinSet, block_in_place};

const READERS: usize = 64;
/// How long a fault lasts.
const OUTAGE: Duration = Duration::from_secs(3);
/// A call that meets the fault may wait for the shared tier so long.
const SHARED: Duration = Duration::from_millis(250);
/// What two cores under other tests may add to one call.
const SLACK: Duration = Duration::from_millis(500);
/// From the end of the fault until the shared tier answers reads again.
const RECOVERY: Duration = Duration::from_secs(2);

/// One call: when it began and how long it took.
type Took = (Instant, Duration);

struct Scene {
    server: Arc<RedisServer>,
    proxy: FaultProxy,
    tiers: TieredStore,
    cache: Cache<u64>,
    truth: Arc<AtomicU64>,
}

impl Scene {
    async fn start(launched: bool) -> Self {
        let server = block_in_place(|| Arc::new(RedisServer::start(RedisOptions::default()).unwrap()));
        if !launched {
            block_in_place(|| server.kill9());
        }
        let proxy = FaultProxy::start(server.addr()).unwrap();
        let url = format!("redis://127.0.0.1:{}", proxy.port());
        let tiers = TieredStore::builder()
            .local(hallway::moka::MokaStore::builder().build().unwrap())
            .shared(hallway::open(&url).await.unwrap())
            .build()
            .unwrap();
        // Without a degraded TTL every call of the outage is one of the loader: what is timed is what the cache adds.
        let cache = tiers.cache("outage").degraded_ttl(Duration::ZERO).build().unwrap();
        Self { server, proxy, tiers, cache, truth: Arc::new(AtomicU64::new(1)) }
    }

    /// Readers of a few keys, until told to stop; what each call took.
    fn read(&self, until: Instant) -> JoinSet<Vec<Took>> {
        let mut readers = JoinSet::new();
        for reader in 0..READERS {
            let (cache, truth) = (self.cache.clone(), Arc::clone(&self.truth));
            readers.spawn(async move {
                let mut took = Vec::new();
                while Instant::now() < until {
                    let began = Instant::now();
                    let least = truth.load(Ordering::SeqCst);
                    let loaded = Arc::clone(&truth);
                    let load = move || async move { Ok::<_, std::io::Error>(loaded.load(Ordering::SeqCst)) };
                    let value = cache.get_or_load(&format!("k{}", reader % 8), load).await.unwrap();
                    // Nobody writes here, so that whatever is answered is the truth.
                    assert_eq!(*value, least);
                    took.push((began, began.elapsed()));
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
                took
            });
        }
        readers
    }

    async fn until_shared(&self, within: Duration) -> Duration {
        let began = Instant::now();
        let before = self.tiers.stats().shared_hits;
        while self.tiers.stats().shared_hits == before || !self.tiers.health().is_ready() {
            assert!(began.elapsed() < within, "after {:?}: {:?}", began.elapsed(), self.tiers.health());
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        began.elapsed()
    }
}

async fn outage(name: &str, begin: impl FnOnce(&Scene), end: impl FnOnce(&Scene)) {
    let scene = Scene::start(true).await;
    let all = Instant::now() + Duration::from_millis(500) + OUTAGE + RECOVERY + Duration::from_secs(2);
    let mut readers = scene.read(all);
    tokio::time::sleep(Duration::from_millis(500)).await;
    let failed = Instant::now();
    block_in_place(|| begin(&scene));
    tokio::time::sleep(OUTAGE).await;
    let healed = Instant::now();
    block_in_place(|| end(&scene));
    let recovered = scene.until_shared(RECOVERY + SLACK).await;
    let mut first = Vec::new();
    let mut later = Vec::new();
    while let Some(took) = readers.join_next().await {
        let during: Vec<Took> =
            took.unwrap().into_iter().filter(|(began, _)| *began > failed && *began < healed).collect();
        assert!(during.len() > 5, "a reader hung: {} calls", during.len());
        first.extend(during.iter().take(5).map(|(_, took)| *took));
        later.extend(during.iter().skip(5).map(|(_, took)| *took));
    }
    first.sort_unstable();
    later.sort_unstable();
    let at = |sorted: &[Duration], percent: usize| sorted[(sorted.len() * percent / 100).min(sorted.len() - 1)];
    eprintln!(
        "{name}: first five calls of {READERS} readers at most {:?}; then median {:?}, 95 % within {:?}, at most {:?}; used again after {recovered:?}",
        at(&first, 100),
        at(&later, 50),
        at(&later, 95),
        at(&later, 100),
    );
    // One call may wait for a flight that began before the breaker opened.
    assert!(at(&first, 100) <= SHARED * 2 + SLACK, "{:?}", at(&first, 100));
    assert!(at(&later, 50) <= Duration::from_millis(1), "{:?}", at(&later, 50));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_redis_holds_nobody_up() {
    outage("killed", |scene| scene.server.kill9(), |scene| scene.server.launch().unwrap()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stopped_redis_holds_nobody_up() {
    outage("stopped", |scene| scene.server.pause(), |scene| scene.server.resume()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_black_hole_holds_nobody_up() {
    outage("black hole", |scene| scene.proxy.set_both(LinkFault::BlackHole), |scene| scene.proxy.heal()).await;
}

/// How long a caller waits after his loader if Redis falls silent while it runs, so that the copy cannot be written.
async fn silent_during_a_load(waits_for_fills: bool) -> Duration {
    let scene = Scene::start(true).await;
    let told = scene.tiers.cache("silent").degraded_ttl(Duration::ZERO);
    let cache: Cache<u64> = if waits_for_fills { told.wait_for_fills() } else { told }.build().unwrap();
    let begun = Instant::now();
    for id in 0.. {
        let load = || async { Ok::<_, std::io::Error>(0) };
        cache.get_or_load(&format!("before:{id}"), load).await.unwrap();
        if cache.stats().fills > 0 {
            break;
        }
        assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", scene.tiers.health());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let bypassed = cache.stats().bypassed;
    let (runs, running) = oneshot::channel();
    let (go, gone) = oneshot::channel();
    let call = tokio::spawn({
        let cache = cache.clone();
        let loader = move || async move {
            runs.send(()).unwrap();
            gone.await.map(|()| 1)
        };
        async move { cache.get_or_load("k", loader).await.unwrap() }
    });
    running.await.unwrap();
    scene.proxy.set_both(LinkFault::BlackHole);
    let began = Instant::now();
    go.send(()).unwrap();
    assert_eq!(*call.await.unwrap(), 1);
    let took = began.elapsed();
    assert_eq!(cache.stats().bypassed, bypassed, "it had its lease");
    took
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_falls_silent_during_a_load_keeps_only_those_who_wait_for_copies() {
    let took = silent_during_a_load(false).await;
    assert!(took < SHARED, "{took:?}");
    let waited = silent_during_a_load(true).await;
    assert!(waited >= SHARED - Duration::from_millis(10), "{waited:?}");
    eprintln!("answered {took:?} after the loader, with `wait_for_fills` {waited:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_redis_that_is_absent_at_first_is_used_once_it_is_there() {
    let scene = Scene::start(false).await;
    let mut readers = scene.read(Instant::now() + Duration::from_secs(5));
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(!scene.tiers.health().is_ready());
    block_in_place(|| scene.server.launch().unwrap());
    // Once through, and then answered by what was kept.
    scene.until_shared(RECOVERY + SLACK).await;
    while let Some(took) = readers.join_next().await {
        assert!(took.unwrap().len() > 20);
    }
}

/// Nobody calls it meanwhile: a process without traffic must not say that it is ready for some.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_goes_away_is_no_longer_called_ready_until_it_is_back() {
    let server = block_in_place(|| PostgresServer::start(PostgresOptions::fast()).unwrap());
    let tiers = TieredStore::builder().consistent(hallway::open(&server.url()).await.unwrap()).build().unwrap();
    let until = async |wanted: TierHealth, within: Duration| {
        let began = Instant::now();
        while tiers.health().consistent != wanted {
            assert!(began.elapsed() < within, "after {:?}: {:?}", began.elapsed(), tiers.health());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert_eq!(tiers.health().is_ready(), wanted == TierHealth::Ready);
        began.elapsed()
    };
    tiers.ping().await.unwrap();
    until(TierHealth::Ready, Duration::ZERO + SLACK).await;
    // A second until it is asked, and 2 s for the answer.
    const NOTICED: Duration = Duration::from_secs(3);
    for (name, begin, end) in [
        (
            "killed",
            PostgresServer::kill9 as fn(&PostgresServer),
            (|server| server.launch().unwrap()) as fn(&PostgresServer),
        ),
        ("stopped", PostgresServer::pause, PostgresServer::resume),
    ] {
        block_in_place(|| begin(&server));
        let noticed = until(TierHealth::Degraded, NOTICED + SLACK).await;
        block_in_place(|| end(&server));
        let back = until(TierHealth::Ready, NOTICED + SLACK).await;
        eprintln!("{name}: noticed after {noticed:?}, and that it is back after {back:?}");
    }
}
