//! moka, alone and in front of redis-rs by hand.

use std::sync::Arc;

use bytes::Bytes;
use hallway_bench::contenders::redis::RawRedis;
use hallway_bench::{CacheAside, Contender, Loader, Result};

use super::TTL;

/// `moka::future` with its own single flight; `RawMoka` of the other package is `moka::sync`.
#[derive(Debug, Clone)]
pub(crate) struct MokaFuture(moka::future::Cache<Arc<str>, Bytes>);

impl MokaFuture {
    pub(crate) fn new(entries: u64) -> Self {
        Self(moka::future::Cache::builder().max_capacity(entries).time_to_live(TTL).build())
    }
}

impl Contender for MokaFuture {
    type Key = Arc<str>;
    type Value = Bytes;

    fn key(&self, text: &str) -> Result<Arc<str>> {
        Ok(format!("bench:mf:{text}").into())
    }

    async fn get(&mut self, key: &Arc<str>) -> Result<Option<Bytes>> {
        Ok(self.0.get(key).await)
    }

    async fn set(&mut self, key: &Arc<str>, value: &Bytes) -> Result<()> {
        self.0.insert(key.clone(), value.clone()).await;
        Ok(())
    }
}

impl CacheAside for MokaFuture {
    async fn anew(&self) -> Result<Self> {
        Ok(Self::new(self.0.policy().max_capacity().unwrap_or(u64::MAX)))
    }

    async fn load(&mut self, key: &Arc<str>, loader: &Loader) -> Result<Bytes> {
        Ok(self.0.get_with(key.clone(), loader.load()).await)
    }
}

/// `moka::sync` in front of one redis-rs connection: what an afternoon of one's own code gives. No single flight, no
/// invalidation.
#[derive(Debug, Clone)]
pub(crate) struct MokaOverRedis {
    entries: u64,
    local: moka::sync::Cache<Arc<str>, Bytes>,
    redis: RawRedis,
}

impl MokaOverRedis {
    pub(crate) fn new(entries: u64, redis: RawRedis) -> Self {
        Self { entries, local: moka::sync::Cache::builder().max_capacity(entries).time_to_live(TTL).build(), redis }
    }
}

impl Contender for MokaOverRedis {
    // For the local tier and for Redis.
    type Key = (Arc<str>, String);
    type Value = Bytes;

    fn key(&self, text: &str) -> Result<Self::Key> {
        let key = format!("bench:mr:{text}");
        Ok((key.as_str().into(), key))
    }

    async fn get(&mut self, (local, shared): &Self::Key) -> Result<Option<Bytes>> {
        if let Some(found) = self.local.get(local) {
            return Ok(Some(found));
        }
        let found = self.redis.get(shared).await?.map(Bytes::from);
        if let Some(found) = &found {
            self.local.insert(local.clone(), found.clone());
        }
        Ok(found)
    }

    async fn set(&mut self, (local, shared): &Self::Key, value: &Bytes) -> Result<()> {
        self.redis.set(shared, value).await?;
        self.local.insert(local.clone(), value.clone());
        Ok(())
    }
}

impl CacheAside for MokaOverRedis {
    async fn anew(&self) -> Result<Self> {
        Ok(Self::new(self.entries, self.redis.clone()))
    }

    async fn load(&mut self, key: &Self::Key, loader: &Loader) -> Result<Bytes> {
        if let Some(found) = self.local.get(&key.0) {
            return Ok(found);
        }
        let value = Bytes::from(self.redis.load(&key.1, loader).await?);
        self.local.insert(key.0.clone(), value.clone());
        Ok(value)
    }
}
