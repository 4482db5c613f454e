//! The store as a shared tier: what its link does to copies, and what it tells of their changes.

mod leases;
mod link;
mod markers;
mod pushes;
mod states;
mod together;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use hallway_core::{
    Bytes, Entry, InvalidationSink, Key, KvStore, LinkOptions, LinkState, Namespace, SharedLink, SystemClock, Token,
};
use hallway_testkit::servers::{RedisOptions, RedisServer};

use crate::{open, within};

/// Long enough for every test.
const PATIENCE: Duration = Duration::from_secs(5);
const HEARTBEAT: Duration = Duration::from_millis(50);

/// What a sink was told.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Told {
    Changed(String),
    Everything,
    Link(LinkState),
}

/// A sink that remembers.
#[derive(Debug, Default)]
struct Notes(Mutex<Vec<Told>>);

impl Notes {
    fn all(&self) -> Vec<Told> {
        self.0.lock().unwrap().clone()
    }
    /// What was told since the last call.
    fn take(&self) -> Vec<Told> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
    fn count(&self, what: &Told) -> usize {
        self.all().iter().filter(|told| *told == what).count()
    }
    fn changed(&self, key: &Key) -> bool {
        self.count(&Told::Changed(key.as_str().to_owned())) > 0
    }
}

impl InvalidationSink for Notes {
    fn changed(&self, physical_key: &[u8]) {
        self.0.lock().unwrap().push(Told::Changed(String::from_utf8(physical_key.to_vec()).unwrap()));
    }
    fn everything_changed(&self) {
        self.0.lock().unwrap().push(Told::Everything);
    }
    fn link_changed(&self, state: LinkState) {
        self.0.lock().unwrap().push(Told::Link(state));
    }
}

/// A link, and what it tells.
struct Linked {
    link: Arc<dyn SharedLink>,
    notes: Arc<Notes>,
}

impl Linked {
    /// To the server behind this URL; does not wait for the connection.
    async fn to(url: &str) -> Self {
        Self::with_heartbeat(url, HEARTBEAT).await
    }

    async fn with_heartbeat(url: &str, heartbeat: Duration) -> Self {
        let store: Arc<dyn KvStore> = Arc::new(open(url).await);
        let notes = Arc::new(Notes::default());
        let sink: Arc<dyn InvalidationSink> = Arc::clone(&notes) as _;
        let link = store.as_shared().unwrap().link(LinkOptions { sink, heartbeat, clock: Arc::new(SystemClock) });
        Self { link, notes }
    }

    /// To the server of all tests, up and tracked.
    async fn shared() -> Self {
        Self::up(RedisServer::shared()).await
    }

    /// To this server, up and tracked.
    async fn up(server: &RedisServer) -> Self {
        let linked = Self::to(&server.url()).await;
        linked.link.ping(PATIENCE).await.unwrap();
        assert_eq!(linked.link.state(), LinkState::Tracked);
        linked
    }
}

fn server() -> RedisServer {
    RedisServer::start(RedisOptions::default()).unwrap()
}

/// A namespace of copies that no other test uses.
fn copies() -> Namespace {
    crate::namespace().within(&Namespace::new("copy").unwrap()).unwrap()
}

fn copy_of(id: u64, payload: &str) -> Bytes {
    Bytes::from(format!(
        "V1 json ttl=60000 soft=0 cost=12 id={} crc=00000000 created=2026-01-01T00:00:00Z\n{payload}",
        Token(id)
    ))
}

/// What a life of this long looks like a moment later.
fn lives(entry: &Entry, life: Duration) -> bool {
    entry.remaining.duration().is_some_and(|left| left <= life && left + PATIENCE > life)
}

async fn told(notes: &Notes, what: Told) {
    within(PATIENCE, &format!("{what:?}"), async || notes.count(&what) > 0).await;
}
