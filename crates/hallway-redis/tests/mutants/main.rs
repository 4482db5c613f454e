//! Each deliberate mistake of this crate is really made once it is switched on: one that is not proves nothing.
//!
//! The switch is one for the process, so this is one test in a process of its own.
#![expect(clippy::unwrap_used, reason = "tests may unwrap, their helpers too")]

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hallway_core::mutant::Mutant;
use hallway_core::{
    Bytes, CopyState, InvalidationSink, Key, KvStore, LinkOptions, LinkState, SharedLink, SharedTier, StoreUrl,
    SystemClock, Token,
};
use hallway_redis::RedisStore;
use hallway_testkit::servers::{RedisOptions, RedisServer};
use hallway_testkit::{Direction, FaultProxy, LinkFault};

const PATIENCE: Duration = Duration::from_secs(5);
const MINUTE: Duration = Duration::from_secs(60);
const HEARTBEAT: Duration = Duration::from_millis(100);

#[derive(Debug, Default)]
struct Told {
    everything: AtomicU64,
    tracked: AtomicU64,
    changed: Mutex<Vec<Vec<u8>>>,
}

impl InvalidationSink for Told {
    fn changed(&self, key: &[u8]) {
        self.changed.lock().unwrap().push(key.to_vec());
    }
    fn everything_changed(&self) {
        self.everything.fetch_add(1, Relaxed);
    }
    fn link_changed(&self, state: LinkState) {
        self.tracked.fetch_add(u64::from(state == LinkState::Tracked), Relaxed);
    }
}

async fn linked(url: &str) -> (Arc<dyn SharedLink>, Arc<Told>, RedisStore) {
    let store = RedisStore::open_url(StoreUrl::parse(url).unwrap()).await.unwrap();
    let told = Arc::new(Told::default());
    let sink: Arc<dyn InvalidationSink> = Arc::clone(&told) as _;
    let link = store.link(LinkOptions { sink, heartbeat: HEARTBEAT, clock: Arc::new(SystemClock) });
    link.ping(PATIENCE).await.unwrap();
    (link, told, store)
}

async fn until(what: &str, mut done: impl AsyncFnMut() -> bool) {
    let start = tokio::time::Instant::now();
    while !done().await {
        assert!(start.elapsed() < PATIENCE, "{what}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

fn key(id: &str) -> Key {
    Key::from_physical(&format!("copy:mutant:{id}")).unwrap()
}

async fn fills(link: &Arc<dyn SharedLink>, key: &Key, token: u64) -> bool {
    link.fill(&[(key.clone(), Token(token), Bytes::from("V"), MINUTE.into())], Duration::ZERO, PATIENCE).await.unwrap()
        [0]
}

async fn state(link: &Arc<dyn SharedLink>, key: &Key) -> CopyState {
    link.read(std::slice::from_ref(key), PATIENCE).await.unwrap().remove(0)
}

#[tokio::test]
async fn every_mistake_is_made() {
    let server = RedisServer::start(RedisOptions::default()).unwrap();
    let (link, told, _store) = linked(&server.url()).await;

    // None yet.
    let k = key("lease");
    link.lease(&[(k.clone(), Token(1), None)], MINUTE, PATIENCE).await.unwrap();
    assert!(!fills(&link, &k, 2).await);

    Mutant::NoLeaseCompare.switch_on();
    assert!(!fills(&link, &key("nothing"), 2).await, "some lease must stand");
    assert!(fills(&link, &k, 2).await);

    Mutant::PlainSetFill.switch_on();
    assert!(fills(&link, &key("nothing"), 2).await);

    Mutant::UnmarkOnlyOwn.switch_on();
    link.unmark(std::slice::from_ref(&k), Token(9), PATIENCE).await.unwrap();
    assert!(matches!(state(&link, &k).await, CopyState::Value(_)), "the copy survives its invalidation");
    link.mark(std::slice::from_ref(&k), Token(9), MINUTE, PATIENCE).await.unwrap();
    link.unmark(std::slice::from_ref(&k), Token(9), PATIENCE).await.unwrap();
    assert_eq!(state(&link, &k).await, CopyState::Absent);

    Mutant::NullPushIgnored.switch_on();
    let before = told.everything.load(Relaxed);
    server.cli(&["FLUSHALL"]);
    // The push comes before this answer.
    link.ping(PATIENCE).await.unwrap();
    link.ping(PATIENCE).await.unwrap();
    assert_eq!(told.everything.load(Relaxed), before);

    Mutant::NoEpochOnReconnect.switch_on();
    server.cli(&["CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes"]);
    until("back", async || told.tracked.load(Relaxed) == 2).await;
    assert_eq!(told.everything.load(Relaxed), before);

    Mutant::HeartbeatPingN.switch_on();
    let proxy = FaultProxy::start(server.addr()).unwrap();
    let (slow, ..) = linked(&format!("redis://{}", proxy.addr())).await;
    // The first proof is of the login; with the first pong an honest link would prove no more than that.
    let login = slow.freshness().proven();
    until("a pong", async || slow.freshness().proven() > login).await;
    let gained = Duration::from_micros(slow.freshness().proven() - login);
    assert!(gained >= HEARTBEAT, "{gained:?}");

    Mutant::RetryWrite.switch_on();
    let store = RedisStore::open_url(StoreUrl::parse(&format!("redis://{}?deadline=150ms", proxy.addr())).unwrap());
    let store = store.await.unwrap();
    let counter = key("counter");
    store.with_deadline(PATIENCE).increment(&counter, 1, MINUTE.into()).await.unwrap();
    proxy.set(Direction::ToClient, LinkFault::Stall);
    store.increment(&counter, 1, MINUTE.into()).await.unwrap_err();
    assert_eq!(server.cli(&["GET", counter.as_str()]), "3", "counted twice");
    proxy.heal();

    Mutant::RedirectPool.switch_on();
    let (link, told, _store) = linked(&server.url()).await;
    until("both", async || link.read(std::slice::from_ref(&k), PATIENCE).await.is_ok()).await;
    let clients = server.cli(&["CLIENT", "LIST"]);
    assert!(
        clients
            .lines()
            .any(|line| line.contains(" redir=") && !line.contains(" redir=-1") && !line.contains(" redir=0")),
        "{clients}"
    );
    server.cli(&["SET", k.as_str(), "V"]);
    until("told", async || told.changed.lock().unwrap().iter().any(|key| key == k.as_bytes())).await;
}
