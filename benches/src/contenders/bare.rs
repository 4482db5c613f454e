//! The parts of a cache put together without any promise: moka before coalesced reads of Redis.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use hallway::redis::RedisStore;
use hallway::{
    InvalidationSink, Key, KvStore, LeaseOutcome, LinkOptions, LinkState, Namespace, SetOptions, SharedLink, StoreUrl,
    SystemClock, Token, Ttl,
};

use crate::{CacheAside, Contender, Loader, Result};
use hallway_study::load::contenders::TTL;

/// How long the link may take to connect.
const PATIENCE: Duration = Duration::from_secs(10);
/// That of a call, and the life of a lease: longer than anything takes here.
const WITHIN: Duration = Duration::from_secs(10);
/// How often the link proves that it is alive.
const HEARTBEAT: Duration = Duration::from_millis(500);

/// What hallway's cache stands on, put together plainly: each value that is read is kept, values are bytes and never
/// outdated by anybody's write, a miss is nobody else's, a load is its lease and its fill. It says how fast these parts are
/// without single flight, types, tags, deadlines and bounds; and without what the cache does to be faster than they are.
#[derive(Debug, Clone)]
pub struct Bare {
    local: moka::sync::Cache<Key, Bytes>,
    store: Arc<RedisStore>,
    link: Arc<dyn SharedLink>,
    tokens: Arc<AtomicU64>,
    entries: u64,
    url: Arc<str>,
}

impl Bare {
    /// With room for that many entries in this process.
    ///
    /// # Errors
    /// If Redis does not answer.
    pub async fn open(entries: u64, url: &str) -> Result<Self> {
        let store = Arc::new(RedisStore::open_url(StoreUrl::parse(url)?).await?);
        let shared = store.as_shared().ok_or("Redis is a shared tier")?;
        let (sink, clock) = (Arc::new(Deaf), Arc::new(SystemClock));
        let link = shared.link(LinkOptions { sink, heartbeat: HEARTBEAT, clock });
        link.ping(PATIENCE).await?;
        store.ping().await?;
        Ok(Self {
            local: moka::sync::Cache::new(entries),
            store,
            link,
            tokens: Arc::default(),
            entries,
            url: Arc::from(url),
        })
    }
}

impl Contender for Bare {
    type Key = Key;
    type Value = Bytes;

    fn key(&self, text: &str) -> Result<Key> {
        // As long as the key of a copy, and not the same.
        Ok(Namespace::new("bare:bench:ba")?.key(text)?)
    }

    async fn get(&mut self, key: &Key) -> Result<Option<Bytes>> {
        if let Some(found) = self.local.get(key) {
            return Ok(Some(found));
        }
        let found = self.store.get(key).await?;
        if let Some(found) = &found {
            self.local.insert(key.clone(), found.clone());
        }
        Ok(found)
    }

    async fn set(&mut self, key: &Key, value: &Bytes) -> Result<()> {
        self.store.set(key, value.clone(), SetOptions::new(TTL)).await?;
        Ok(())
    }
}

impl CacheAside for Bare {
    async fn anew(&self) -> Result<Self> {
        Self::open(self.entries, &self.url).await
    }

    /// The lease, the value, the fill.
    async fn load(&mut self, key: &Key, loader: &Loader) -> Result<Bytes> {
        let token = Token(self.tokens.fetch_add(1, Ordering::Relaxed) + 1);
        let asked = [(key.clone(), token, None)];
        match self.link.lease(&asked, WITHIN, WITHIN).await?.pop() {
            Some(LeaseOutcome::Granted) => {}
            other => return Err(format!("the lease of a new key: {other:?}").into()),
        }
        let value = loader.load().await;
        let fills = [(key.clone(), token, value.clone(), Ttl::After(TTL))];
        match self.link.fill(&fills, Duration::ZERO, WITHIN).await?.pop() {
            Some(true) => Ok(value),
            _ => Err("a new key was not filled under its lease".into()),
        }
    }
}

/// Hears of no change.
#[derive(Debug)]
struct Deaf;

impl InvalidationSink for Deaf {
    fn changed(&self, _: &[u8]) {}

    fn everything_changed(&self) {}

    fn link_changed(&self, _: LinkState) {}
}
