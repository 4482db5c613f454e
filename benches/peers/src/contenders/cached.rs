//! cached: a sharded map in the process, or Redis; it has no tiers.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use cached::macros::cached;
use cached::{AsyncRedisCache, ConcurrentCachedAsync, ShardedLruTtlCache};
use hallway_bench::{CacheAside, Contender, Loader, Page, Result};

use super::TTL;

/// The sharded store with a size and a TTL, asked directly: less than the macro around it does.
#[derive(Clone)]
pub(crate) struct CachedLocal(Arc<ShardedLruTtlCache<String, Page>>);

impl fmt::Debug for CachedLocal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CachedLocal")
    }
}

impl CachedLocal {
    pub(crate) fn new(entries: usize) -> Self {
        Self(Arc::new(ShardedLruTtlCache::new(entries, TTL)))
    }
}

impl Contender for CachedLocal {
    type Key = String;
    type Value = Page;

    fn key(&self, text: &str) -> Result<String> {
        Ok(format!("bench:cl:{text}"))
    }

    async fn get(&mut self, key: &String) -> Result<Option<Page>> {
        Ok(self.0.get(key.as_str()))
    }

    async fn set(&mut self, key: &String, value: &Bytes) -> Result<()> {
        self.0.set(key.clone(), Page::new(value.clone()));
        Ok(())
    }
}

/// The asynchronous Redis store with its default connection, driven as `#[concurrent_cached(redis = true)]` does.
#[derive(Clone)]
pub(crate) struct CachedRedis(Arc<AsyncRedisCache<String, Page>>);

impl fmt::Debug for CachedRedis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("CachedRedis")
    }
}

impl CachedRedis {
    pub(crate) async fn connect(url: &str) -> Result<Self> {
        let cache = AsyncRedisCache::builder("bench").ttl(TTL).connection_string(url).build().await?;
        Ok(Self(Arc::new(cache)))
    }
}

impl Contender for CachedRedis {
    type Key = String;
    type Value = Page;

    fn key(&self, text: &str) -> Result<String> {
        Ok(format!("cr:{text}"))
    }

    async fn get(&mut self, key: &String) -> Result<Option<Page>> {
        Ok(self.0.async_cache_get(key).await?)
    }

    async fn set(&mut self, key: &String, value: &Bytes) -> Result<()> {
        let _before = self.0.async_cache_set(key.clone(), Page::new(value.clone())).await?;
        Ok(())
    }
}

impl CacheAside for CachedRedis {
    /// The same store: nothing is kept in this process.
    async fn anew(&self) -> Result<Self> {
        Ok(self.clone())
    }

    async fn load(&mut self, key: &String, loader: &Loader) -> Result<Page> {
        if let Some(found) = self.0.async_cache_get(key).await? {
            return Ok(found);
        }
        let page = Page::new(loader.load().await);
        let _before = self.0.async_cache_set(key.clone(), page.clone()).await?;
        Ok(page)
    }
}

#[cached(max_size = 10_000, ttl_secs = 3_600, key = "String", convert = r#"{ _key.to_string() }"#)]
async fn plain_page(_key: &str, loader: &Loader) -> Page {
    Page::new(loader.load().await)
}

#[cached(
    max_size = 10_000,
    ttl_secs = 3_600,
    key = "String",
    convert = r#"{ _key.to_string() }"#,
    sync_writes = "by_key"
)]
async fn page_by_key(_key: &str, loader: &Loader) -> Page {
    Page::new(loader.load().await)
}

/// A function under `#[cached]`, with and without `sync_writes = "by_key"`.
#[derive(Debug, Clone)]
pub(crate) struct CachedFunction {
    pub(crate) by_key: bool,
}

impl CachedFunction {
    pub(crate) async fn load(&self, key: &str, loader: &Loader) -> Page {
        if self.by_key { page_by_key(key, loader).await } else { plain_page(key, loader).await }
    }
}
