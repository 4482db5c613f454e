//! opendal over moka or over Redis; it has no tiers and no single flight.

use bytes::Bytes;
use hallway_bench::{CacheAside, Contender, Loader, Result};
use opendal::services::{Moka, Redis};
use opendal::{ErrorKind, Operator};

use super::TTL;

/// An operator on one service.
#[derive(Debug, Clone)]
pub(crate) struct OpenDal(Operator);

impl OpenDal {
    pub(crate) fn moka(entries: u64) -> Result<Self> {
        Ok(Self(Operator::new(Moka::default().max_capacity(entries).time_to_live(TTL))?))
    }

    pub(crate) fn redis(url: &str) -> Result<Self> {
        Ok(Self(Operator::new(Redis::default().endpoint(url).default_ttl(TTL))?))
    }
}

impl Contender for OpenDal {
    type Key = String;
    type Value = Bytes;

    fn key(&self, text: &str) -> Result<String> {
        Ok(format!("bench/od/{text}"))
    }

    async fn get(&mut self, key: &String) -> Result<Option<Bytes>> {
        match self.0.read(key).await {
            Ok(found) => Ok(Some(found.to_bytes())),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    async fn set(&mut self, key: &String, value: &Bytes) -> Result<()> {
        self.0.write(key, value.clone()).await?;
        Ok(())
    }
}

impl CacheAside for OpenDal {
    /// The same operator: on Redis nothing is kept in this process.
    async fn anew(&self) -> Result<Self> {
        Ok(self.clone())
    }

    async fn load(&mut self, key: &String, loader: &Loader) -> Result<Bytes> {
        if let Some(found) = self.get(key).await? {
            return Ok(found);
        }
        let value = loader.load().await;
        self.set(key, &value).await?;
        Ok(value)
    }
}
