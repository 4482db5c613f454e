//! redis-rs used plainly: one multiplexed connection, one command per call.

use bytes::Bytes;
use redis::aio::MultiplexedConnection;

use crate::{CacheAside, Contender, Loader, Result};
use hallway_study::load::contenders::TTL;

/// A `MultiplexedConnection` with the client's defaults; each task has a handle of its own.
#[derive(Debug, Clone)]
pub struct RawRedis(MultiplexedConnection);

impl RawRedis {
    /// Connects.
    ///
    /// # Errors
    /// If the server does not answer.
    pub async fn connect(url: &str) -> Result<Self> {
        Ok(Self(redis::Client::open(url)?.get_multiplexed_async_connection().await?))
    }
}

impl Contender for RawRedis {
    type Key = String;
    type Value = Vec<u8>;

    fn key(&self, text: &str) -> Result<String> {
        // As long as hallway's physical key, and not the same.
        Ok(format!("bench:rw:{text}"))
    }

    async fn get(&mut self, key: &String) -> Result<Option<Vec<u8>>> {
        Ok(redis::cmd("GET").arg(key).query_async(&mut self.0).await?)
    }

    async fn set(&mut self, key: &String, value: &Bytes) -> Result<()> {
        let ttl = TTL.as_millis() as u64;
        Ok(redis::cmd("SET").arg(key).arg(&value[..]).arg("PX").arg(ttl).query_async(&mut self.0).await?)
    }

    async fn get_many(&mut self, keys: &[String]) -> Result<Vec<Option<Vec<u8>>>> {
        Ok(redis::cmd("MGET").arg(keys).query_async(&mut self.0).await?)
    }
}

impl CacheAside for RawRedis {
    /// The same connection: nothing is kept in this process.
    async fn anew(&self) -> Result<Self> {
        Ok(self.clone())
    }

    /// A `GET`, and a `PSETEX` on a miss: no single flight, no protection against a write in between.
    async fn load(&mut self, key: &String, loader: &Loader) -> Result<Vec<u8>> {
        if let Some(found) = self.get(key).await? {
            return Ok(found);
        }
        let value = loader.load().await;
        let ttl = TTL.as_millis() as u64;
        let () = redis::cmd("PSETEX").arg(key).arg(ttl).arg(&value[..]).query_async(&mut self.0).await?;
        Ok(value.into())
    }
}
