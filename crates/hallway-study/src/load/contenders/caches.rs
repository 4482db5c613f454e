//! hallway's tiers: the typed cache, and the tiered store beneath it.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hallway::moka::MokaStore;
use hallway::redis::RedisStore;
use hallway::sql::SqlStore;
use hallway::{Cache, NamespaceOptions, StoreUrl, TieredStore};

use crate::Result;
use crate::load::contenders::{TTL, until_ready};
use crate::load::{CacheAside, Contender, Loader, Page};

/// How long the tiers may take to connect.
const PATIENCE: Duration = Duration::from_secs(10);

/// A `Cache<Page>` with its default codec and settings, over a local tier and, if there is a URL, a shared one.
#[derive(Debug, Clone)]
pub struct OurCache {
    cache: Cache<Page>,
    entries: u64,
    url: Option<Arc<str>>,
}

impl OurCache {
    /// A cache with room for that many entries in this process.
    ///
    /// # Errors
    /// If Redis does not answer.
    pub async fn open(entries: u64, url: Option<&str>) -> Result<Self> {
        let tiers = tiers(entries, url).await?;
        let cache = tiers.cache("bench:ca").ttl(TTL).local_ttl(TTL).build()?;
        let mut this = Self { cache, entries, url: url.map(Arc::from) };
        // The first load of a namespace asks for its generation, which is not to be measured.
        this.set(&"first".into(), &Bytes::new()).await?;
        Ok(this)
    }
}

/// A local tier with room for that many entries, and Redis behind it if there is a URL, connected.
///
/// # Errors
/// If Redis does not answer.
pub async fn tiers(entries: u64, url: Option<&str>) -> Result<TieredStore> {
    let local = MokaStore::open_url(StoreUrl::parse(&format!("moka:?max_entries={entries}"))?)?;
    let Some(url) = url else {
        return Ok(TieredStore::builder().local(local).single_instance().build()?);
    };
    let shared = RedisStore::open_url(StoreUrl::parse(url)?).await?;
    let tiers = TieredStore::builder().local(local).shared(shared).build()?;
    until_ready(&tiers, PATIENCE).await?;
    Ok(tiers)
}

/// A local tier with room for that many copies of what is in an embedded database.
///
/// # Errors
/// If the database cannot be opened.
pub async fn copying(entries: u64) -> Result<TieredStore> {
    let local = MokaStore::open_url(StoreUrl::parse(&format!("moka:?max_entries={entries}"))?)?;
    let sql = SqlStore::open_url(StoreUrl::parse("sqlite::memory:")?).await?;
    let defaults = NamespaceOptions::default().with_local_ttl(TTL);
    Ok(TieredStore::builder().local(local).consistent(sql).single_instance().defaults(defaults).build()?)
}

impl Contender for OurCache {
    /// The id of a value, from which the cache makes its key in each call.
    type Key = String;
    type Value = SharedPage;

    fn key(&self, text: &str) -> Result<String> {
        Ok(text.to_owned())
    }

    async fn get(&mut self, key: &String) -> Result<Option<SharedPage>> {
        Ok(self.cache.get(key).await?.map(SharedPage))
    }

    /// As a source that has the value at hand: a cache is never written to.
    async fn set(&mut self, key: &String, value: &Bytes) -> Result<()> {
        self.load(key, &Loader::new(value.clone(), Duration::ZERO)).await?;
        Ok(())
    }
}

impl CacheAside for OurCache {
    async fn anew(&self) -> Result<Self> {
        Self::open(self.entries, self.url.as_deref()).await
    }

    async fn load(&mut self, key: &String, loader: &Loader) -> Result<SharedPage> {
        let loader = loader.clone();
        let load = move || async move { Ok::<_, Infallible>(Page::new(loader.load().await)) };
        Ok(SharedPage(self.cache.get_or_load(key, load).await?))
    }
}

/// What a hit returns: everybody's value.
#[derive(Debug)]
pub struct SharedPage(Arc<Page>);

impl AsRef<[u8]> for SharedPage {
    fn as_ref(&self) -> &[u8] {
        (*self.0).as_ref()
    }
}
