//! Writes while Redis cannot be told: who goes on, who refuses, and when everybody reads what was written.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use hallway::{Bytes, Cache, ErrorKind, Key, KvStore, NamespaceOptions, OnSharedDown, SetOptions, TieredStore, Ttl};
use hallway_testkit::servers::{RedisOptions, RedisServer};
use hallway_testkit::{FaultProxy, LinkFault};
use tokio::sync::Notify;
use tokio::task::{JoinSet, block_in_place};
use tokio::time::sleep;

use crate::stage;

const KEYS: usize = 40;
/// What a call that meets the fault may wait for the shared tier.
const SHARED: Duration = Duration::from_millis(250);
/// What two cores under other tests may add to a measured time.
const SLACK: Duration = Duration::from_millis(750);
/// From the end of the fault until what is owed is made good.
const REPAIR: Duration = Duration::from_secs(2);
const DEGRADED: Duration = Duration::from_millis(500);

fn redis() -> Arc<RedisServer> {
    block_in_place(|| Arc::new(RedisServer::start(RedisOptions::default()).unwrap()))
}

async fn tiers(redis: &str, database: Option<&str>, options: NamespaceOptions) -> TieredStore {
    let consistent = match database {
        Some(database) => Some(hallway::open(database).await.unwrap()),
        None => None,
    };
    let local = Some(hallway::open("moka:?max=64MiB").await.unwrap());
    let tiers = hallway::TieredBuilder::from_parts(local, Some(hallway::open(redis).await.unwrap()), consistent)
        .defaults(options)
        .build()
        .unwrap();
    until("the tiers are ready", Duration::from_secs(20), async || tiers.health().is_ready()).await;
    tiers
}

/// How long it took.
async fn until(what: &str, within: Duration, mut holds: impl AsyncFnMut() -> bool) -> Duration {
    let began = Instant::now();
    while !holds().await {
        assert!(began.elapsed() < within, "not within {within:?}: {what}");
        sleep(Duration::from_millis(10)).await;
    }
    began.elapsed()
}

fn keys() -> Vec<Key> {
    (0..KEYS).map(|key| Key::from_physical(&format!("cut:k{key}")).unwrap()).collect()
}

async fn set(store: &TieredStore, key: &Key, value: &'static str) -> hallway::Result<()> {
    store.set(key, Bytes::from(value), SetOptions::new(Ttl::Forever)).await.map(drop)
}

async fn all_read(store: &TieredStore, value: &str) {
    for key in keys() {
        let found = store.get(&key).await.unwrap();
        assert_eq!(found.as_deref(), Some(value.as_bytes()), "{key:?}");
    }
}

/// Two instances over Redis and PostgreSQL, with copies of every key in both and in Redis.
struct Pair {
    redis: Arc<RedisServer>,
    database: String,
    options: NamespaceOptions,
    one: TieredStore,
    other: TieredStore,
    /// Past all tiers.
    truth: Arc<dyn KvStore>,
}

impl Pair {
    async fn new(policy: OnSharedDown) -> Self {
        let (redis, database) = (redis(), stage::postgres_url().await);
        let options = NamespaceOptions::new().with_on_shared_down(policy).with_degraded_ttl(DEGRADED);
        let one = tiers(&redis.url(), Some(&database), options.clone()).await;
        let other = tiers(&redis.url(), Some(&database), options.clone()).await;
        for key in keys() {
            set(&one, &key, "old").await.unwrap();
        }
        all_read(&other, "old").await;
        all_read(&one, "old").await;
        let filled = one.stats().fills + other.stats().fills;
        assert!(filled >= KEYS as u64, "{filled} copies in Redis");
        let truth = hallway::open(&database).await.unwrap();
        Self { redis, database, options, one, other, truth }
    }

    /// The keys that the outbox names.
    async fn outbox(&self) -> BTreeSet<Vec<u8>> {
        let rows = self.truth.as_authority().unwrap().pending(10 * KEYS).await.unwrap();
        rows.into_iter().map(|row| row.key.as_bytes().to_vec()).collect()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writes_go_on_and_the_outbox_makes_them_known_once_redis_is_back() {
    let pair = Pair::new(OnSharedDown::Proceed).await;
    pair.redis.pause();
    let mut longest = Duration::ZERO;
    for key in keys() {
        let began = Instant::now();
        set(&pair.one, &key, "new").await.unwrap();
        assert_eq!(pair.one.get(&key).await.unwrap().as_deref(), Some(&b"new"[..]));
        longest = longest.max(began.elapsed());
    }
    // A write and a read.
    assert!(longest < SHARED * 2 + SLACK, "{longest:?}");
    // Redis still has the old copies; who cannot ask it asks PostgreSQL.
    sleep(pair.other.bound().single_fault.unwrap()).await;
    all_read(&pair.other, "new").await;
    assert_eq!(pair.outbox().await.len(), KEYS);

    pair.redis.resume();
    let back = Instant::now();
    let drained = until("the outbox is empty", REPAIR + SLACK, async || pair.outbox().await.is_empty()).await;
    let settled = async || {
        [&pair.one, &pair.other].iter().all(|tiers| {
            let health = tiers.health();
            health.is_ready() && health.owed == 0
        })
    };
    until("nothing is owed", (REPAIR + SLACK).saturating_sub(back.elapsed()), settled).await;
    eprintln!(
        "longest write and read {longest:?}; outbox empty {drained:?} and all settled {:?} after the link",
        back.elapsed()
    );
    let third = tiers(&pair.redis.url(), Some(&pair.database), pair.options.clone()).await;
    for instance in [&pair.one, &pair.other, &third] {
        all_read(instance, "new").await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_refuses_does_so_before_anything_is_written() {
    let pair = Pair::new(OnSharedDown::Fail).await;
    pair.redis.pause();
    let mut longest = Duration::ZERO;
    for key in keys() {
        let began = Instant::now();
        let error = set(&pair.one, &key, "new").await.unwrap_err();
        longest = longest.max(began.elapsed());
        assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    }
    let error = pair.one.delete(&keys()[0]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable, "{error}");
    assert!(longest < SHARED + SLACK, "{longest:?}");
    assert_eq!(pair.one.stats().refused_writes, KEYS as u64 + 1);
    for key in keys() {
        assert_eq!(pair.truth.get(&key).await.unwrap().as_deref(), Some(&b"old"[..]));
    }
    assert!(pair.outbox().await.is_empty());
    // Reads go on.
    all_read(&pair.one, "old").await;
    all_read(&pair.other, "old").await;

    pair.redis.resume();
    let key = &keys()[0];
    let again = until("writes go on", REPAIR + SLACK, async || set(&pair.one, key, "new").await.is_ok()).await;
    eprintln!("longest refusal {longest:?}; writes again after {again:?}");
    assert_eq!(pair.truth.get(key).await.unwrap().as_deref(), Some(&b"new"[..]));
}

/// A reader behind a proxy and a writer before it, both of one loader's value.
struct Apart {
    redis: Arc<RedisServer>,
    proxy: FaultProxy,
    reader: Cache<u64>,
    writer: Cache<u64>,
    reader_tiers: TieredStore,
    truth: Arc<AtomicU64>,
}

impl Apart {
    async fn new() -> Self {
        let redis = redis();
        let proxy = FaultProxy::start(redis.addr()).unwrap();
        let options = NamespaceOptions::new().with_degraded_ttl(DEGRADED);
        let reader_tiers = tiers(&format!("redis://127.0.0.1:{}", proxy.port()), None, options.clone()).await;
        let writer_tiers = tiers(&redis.url(), None, options).await;
        let reader = reader_tiers.cache("apart").build().unwrap();
        let writer = writer_tiers.cache("apart").build().unwrap();
        Self { redis, proxy, reader, writer, reader_tiers, truth: Arc::default() }
    }

    async fn write(&self) -> u64 {
        let truth = Arc::clone(&self.truth);
        let write = move || async move { Ok::<_, std::io::Error>(truth.fetch_add(1, Ordering::SeqCst) + 1) };
        self.writer.write("hot", write).await.unwrap()
    }
}

async fn read(cache: &Cache<u64>, truth: &Arc<AtomicU64>) -> u64 {
    let truth = Arc::clone(truth);
    let load = move || async move { Ok::<_, std::io::Error>(truth.load(Ordering::SeqCst)) };
    *cache.get_or_load("hot", load).await.unwrap()
}

/// Reads on while another instance writes during the fault. Nothing read began the bound after a newer write was
/// acknowledged; where the writer was cut off too, but for the time that repairs may take.
async fn apart(name: &str, cut_off: bool, begin: impl FnOnce(&Apart), end: impl FnOnce(&Apart)) {
    let scene = Apart::new().await;
    let bound = scene.reader.bound().single_fault.unwrap();
    assert_eq!(bound, Duration::from_secs(1), "H, as the degraded TTL is shorter");
    let over = Arc::new(AtomicBool::new(false));
    let mut readers = JoinSet::new();
    for _ in 0..8 {
        let (cache, truth, over) = (scene.reader.clone(), Arc::clone(&scene.truth), Arc::clone(&over));
        readers.spawn(async move {
            let mut reads = Vec::new();
            while !over.load(Ordering::SeqCst) {
                let began = Instant::now();
                reads.push((began, read(&cache, &truth).await));
                sleep(Duration::from_millis(5)).await;
            }
            reads
        });
    }
    let mut writes = Vec::new();
    for _ in 0..3 {
        let value = scene.write().await;
        writes.push((Instant::now(), value));
        sleep(Duration::from_millis(100)).await;
    }
    block_in_place(|| begin(&scene));
    let failed = Instant::now();
    while failed.elapsed() < Duration::from_secs(3) {
        let value = scene.write().await;
        writes.push((Instant::now(), value));
        sleep(Duration::from_millis(150)).await;
    }
    assert!(!scene.reader_tiers.health().is_ready());
    block_in_place(|| end(&scene));
    let back = Instant::now();
    sleep(REPAIR + SLACK).await;
    assert!(scene.reader_tiers.health().is_ready(), "{:?}", scene.reader_tiers.health());
    let last = scene.truth.load(Ordering::SeqCst);
    assert_eq!(read(&scene.reader, &scene.truth).await, last, "{name}: stale after the repair");
    sleep(Duration::from_millis(300)).await;
    over.store(true, Ordering::SeqCst);
    let reads: Vec<(Instant, u64)> = readers.join_all().await.into_iter().flatten().collect();

    let mut worst = Duration::ZERO;
    for (began, value) in &reads {
        if cut_off && (back..back + REPAIR + SLACK).contains(began) {
            continue;
        }
        let missed = writes.iter().find(|(acknowledged, written)| written > value && acknowledged < began);
        worst = worst.max(missed.map_or(Duration::ZERO, |(acknowledged, _)| *began - *acknowledged));
    }
    let loads = scene.reader.stats().loads;
    eprintln!("{name}: {} reads of {} writes, at most {worst:?} stale, {loads} loads", reads.len(), writes.len());
    assert!(worst < bound, "{name}: {worst:?} stale");
    assert!(loads > 3, "the reader met no fault");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reader_in_a_black_hole_is_at_most_the_bound_behind_a_writer_elsewhere() {
    apart("black hole", false, |scene| scene.proxy.set_both(LinkFault::BlackHole), |scene| scene.proxy.heal()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_redis_is_stopped_a_reader_is_at_most_the_bound_behind_and_current_once_repaired() {
    apart("stopped", true, |scene| scene.redis.pause(), |scene| scene.redis.resume()).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_redis_is_dead_a_reader_is_at_most_the_bound_behind_and_current_once_it_is_back() {
    apart("killed", true, |scene| scene.redis.kill9(), |scene| scene.redis.restart().unwrap()).await;
}

/// Writes a hot key while Redis is stopped, so that it runs their announcements when it goes on, whenever their ends may
/// have come. Then reads on: the key is soon answered by copies again, and not when the markers end by themselves.
async fn late(policy: OnSharedDown, stopped: Duration) {
    const WRITES: usize = 12;
    let redis = redis();
    let options = NamespaceOptions::new().with_on_shared_down(policy);
    let (writing, reading) =
        (tiers(&redis.url(), None, options.clone()).await, tiers(&redis.url(), None, options).await);
    let (writer, reader): (Cache<u64>, Cache<u64>) =
        (writing.cache("late").build().unwrap(), reading.cache("late").build().unwrap());
    let truth = Arc::new(AtomicU64::new(0));
    let write = || {
        let (writer, truth) = (writer.clone(), Arc::clone(&truth));
        async move {
            let write = move || async move { Ok::<_, std::io::Error>(truth.fetch_add(1, Ordering::SeqCst)) };
            writer.write("hot", write).await.is_ok()
        }
    };
    // Redis does not run a script whose text it has never seen.
    assert!(write().await);
    read(&writer, &truth).await;
    read(&reader, &truth).await;
    assert_eq!(writing.stats().loads + reading.stats().loads, 1, "there is a copy in Redis");

    redis.pause();
    let began = Instant::now();
    let written = (0..WRITES).map(|_| write()).collect::<JoinSet<bool>>().join_all().await;
    let written = written.into_iter().filter(|written| *written).count();
    assert_eq!(written, if policy == OnSharedDown::Fail { 0 } else { WRITES });
    sleep(stopped.saturating_sub(began.elapsed())).await;
    redis.resume();
    let back = Instant::now();
    let name = format!("{policy:?}, stopped for {stopped:?}");
    soon_answered_by_copies(&name, &reader, &truth, back, 1 + written as u64).await;
}

/// Reads on from when Redis went on. A marker that stays would send every read to the loader.
async fn soon_answered_by_copies(name: &str, reader: &Cache<u64>, truth: &Arc<AtomicU64>, back: Instant, current: u64) {
    let before = reader.stats().loads;
    let (mut loads, mut last) = (before, Duration::ZERO);
    while back.elapsed() < REPAIR + SLACK * 2 {
        let value = read(reader, truth).await;
        if back.elapsed() > REPAIR + SLACK {
            assert_eq!(value, current);
        }
        if loads != reader.stats().loads {
            (loads, last) = (reader.stats().loads, back.elapsed());
        }
        sleep(Duration::from_millis(5)).await;
    }
    eprintln!("{name}: {} loads, the last {last:?} after Redis went on", loads - before);
    assert!(last < REPAIR, "{name}: {last:?}, {} loads", loads - before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn markers_that_come_late_on_the_same_connection_do_not_stay() {
    late(OnSharedDown::Proceed, Duration::from_millis(350)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn markers_that_come_late_on_a_connection_that_was_given_up_do_not_stay() {
    late(OnSharedDown::Proceed, Duration::from_secs(2)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn markers_of_writes_that_were_refused_do_not_stay() {
    late(OnSharedDown::Fail, Duration::from_secs(2)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_marker_whose_end_could_not_be_sent_does_not_stay() {
    let redis = redis();
    let options = NamespaceOptions::new();
    let (writing, reading) =
        (tiers(&redis.url(), None, options.clone()).await, tiers(&redis.url(), None, options).await);
    let (writer, reader): (Cache<u64>, Cache<u64>) =
        (writing.cache("late").build().unwrap(), reading.cache("late").build().unwrap());
    let truth = Arc::new(AtomicU64::new(0));
    let (begun, go_on) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let write = {
        let (truth, begun, go_on) = (Arc::clone(&truth), Arc::clone(&begun), Arc::clone(&go_on));
        move || async move {
            begun.notify_one();
            go_on.notified().await;
            Ok::<_, std::io::Error>(truth.fetch_add(1, Ordering::SeqCst))
        }
    };
    let written = tokio::spawn(async move { writer.write("hot", write).await });
    begun.notified().await;
    redis.pause();
    // From here on nothing is sent any more.
    until("the link is given up", Duration::from_secs(5), async || !writing.health().is_ready()).await;
    go_on.notify_one();
    written.await.unwrap().unwrap();
    assert_eq!(writing.stats().marked_writes, 1);
    redis.resume();
    soon_answered_by_copies("no end", &reader, &truth, Instant::now(), 1).await;
}
