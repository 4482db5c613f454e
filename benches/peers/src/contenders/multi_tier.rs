//! multi-tier-cache: moka and Redis, values as bytes, which saves it the codec.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use hallway_bench::{CacheAside, Contender, Loader, Result};
use multi_tier_cache::{CacheManager, CacheStrategy, CacheTier, L1Cache, L2Cache, MokaCacheConfig};

use super::TTL;

const STRATEGY: CacheStrategy = CacheStrategy::Custom(TTL);

/// Two tiers with the crate's own configuration: one shared hit in ten is promoted.
#[derive(Clone)]
pub(crate) struct MultiTier {
    entries: u64,
    url: Arc<str>,
    manager: Arc<CacheManager>,
}

impl fmt::Debug for MultiTier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MultiTier").field("entries", &self.entries).finish_non_exhaustive()
    }
}

impl MultiTier {
    pub(crate) async fn connect(entries: u64, url: &str) -> Result<Self> {
        let config = MokaCacheConfig { max_capacity: entries, time_to_live: TTL, time_to_idle: TTL };
        let local = CacheTier::new(Arc::new(L1Cache::new(config)?), 1, false, 1, 1.0);
        let shared = CacheTier::new(Arc::new(L2Cache::with_url(url).await?), 2, true, 10, 1.0);
        let manager = CacheManager::new_with_tiers(vec![local, shared], None)?;
        Ok(Self { entries, url: url.into(), manager: Arc::new(manager) })
    }
}

impl Contender for MultiTier {
    type Key = String;
    type Value = Bytes;

    fn key(&self, text: &str) -> Result<String> {
        Ok(format!("bench:mt:{text}"))
    }

    async fn get(&mut self, key: &String) -> Result<Option<Bytes>> {
        Ok(self.manager.get(key).await?)
    }

    async fn set(&mut self, key: &String, value: &Bytes) -> Result<()> {
        Ok(self.manager.set_with_strategy(key, value.clone(), STRATEGY).await?)
    }
}

impl CacheAside for MultiTier {
    async fn anew(&self) -> Result<Self> {
        Self::connect(self.entries, &self.url).await
    }

    async fn load(&mut self, key: &String, loader: &Loader) -> Result<Bytes> {
        Ok(self.manager.get_or_compute_with(key, STRATEGY, || async { Ok(loader.load().await) }).await?)
    }
}
