//! hitbox: a cached function over moka and Redis.

use std::fmt;
use std::num::NonZeroU8;
use std::sync::Arc;

use bytes::Bytes;
use hallway_bench::{CacheAside, Contender, Loader, Page, Result};
use hitbox::concurrency::BroadcastConcurrencyManager;
use hitbox::offload::OffloadManager;
use hitbox::policy::{ConcurrencyLimit, PolicyConfig};
use hitbox_backend::composition::policy::RefillPolicy;
use hitbox_backend::composition::{Compose, CompositionBackend, CompositionPolicy};
use hitbox_core::KeyPart;
use hitbox_derive::{CacheableResponse, cached};
use hitbox_fn::{Cache, KeyExtract};
use hitbox_moka::MokaBackend;
use hitbox_redis::{ConnectionMode, RedisBackend};
use serde::{Deserialize, Serialize};

use super::{MISSING, TTL};

/// The argument of the cached function.
#[derive(Debug, Clone)]
pub(crate) struct PageKey(Arc<str>);

impl KeyExtract for PageKey {
    fn extract(&self) -> Vec<KeyPart> {
        vec![KeyPart::new("page", Some(&self.0))]
    }
}

/// What it returns; hitbox wants a trait of its own on it.
#[derive(Debug, Clone, Serialize, Deserialize, CacheableResponse)]
pub(crate) struct Response {
    page: Page,
}

impl AsRef<[u8]> for Response {
    fn as_ref(&self) -> &[u8] {
        self.page.as_ref()
    }
}

#[derive(Debug, Clone)]
pub(crate) struct NotLoaded;

#[cached(prefix = "bench", skip(loader))]
async fn page(_key: PageKey, loader: Option<Loader>) -> std::result::Result<Response, NotLoaded> {
    match loader {
        Some(loader) => Ok(Response { page: Page::new(loader.load().await) }),
        None => Err(NotLoaded),
    }
}

type Tiers = CompositionBackend<MokaBackend, RedisBackend, OffloadManager>;
type Flights = BroadcastConcurrencyManager<std::result::Result<Response, NotLoaded>>;

/// Shared hits fill the local tier, as everybody else's do; hitbox' default is not to.
#[derive(Clone)]
pub(crate) struct Hitbox {
    entries: u64,
    url: Arc<str>,
    limit: Option<NonZeroU8>,
    cache: Cache<Tiers, Flights>,
}

impl fmt::Debug for Hitbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hitbox").field("entries", &self.entries).field("limit", &self.limit).finish_non_exhaustive()
    }
}

impl Hitbox {
    /// `limit` is how many loads of one key may run at once; hitbox' default is any number.
    pub(crate) async fn connect(entries: u64, url: &str, limit: Option<NonZeroU8>) -> Result<Self> {
        let local = MokaBackend::builder().max_entries(entries).build();
        let shared = RedisBackend::builder().connection(ConnectionMode::single(url)).build()?;
        let tiers = local.compose_with(
            shared,
            OffloadManager::with_defaults(),
            CompositionPolicy::new().refill(RefillPolicy::Always),
        );
        let mut policy = PolicyConfig::builder().ttl(TTL);
        if let Some(limit) = limit {
            policy = policy.concurrency(ConcurrencyLimit::new(limit.get()).ok_or("a limit is not 0")?);
        }
        let cache = Cache::builder().backend(tiers).policy(policy.build()).concurrency_manager(Flights::new()).build();
        let mut this = Self { entries, url: url.into(), limit, cache };
        // It connects with the first call, which is not to be measured.
        this.get(&PageKey("connect".into())).await?;
        Ok(this)
    }
}

impl Contender for Hitbox {
    type Key = PageKey;
    type Value = Response;

    fn key(&self, text: &str) -> Result<PageKey> {
        Ok(PageKey(format!("hb:{text}").into()))
    }

    async fn get(&mut self, key: &PageKey) -> Result<Option<Response>> {
        Ok(page(key.clone(), None).cache(&self.cache).await.ok())
    }

    async fn set(&mut self, key: &PageKey, value: &Bytes) -> Result<()> {
        self.load(key, &Loader::new(value.clone(), std::time::Duration::ZERO)).await?;
        Ok(())
    }
}

impl CacheAside for Hitbox {
    async fn anew(&self) -> Result<Self> {
        Self::connect(self.entries, &self.url, self.limit).await
    }

    async fn load(&mut self, key: &PageKey, loader: &Loader) -> Result<Response> {
        page(key.clone(), Some(loader.clone())).cache(&self.cache).await.map_err(|NotLoaded| MISSING.into())
    }
}
