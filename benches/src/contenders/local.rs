//! moka used plainly.

use std::sync::Arc;

use bytes::Bytes;

use crate::{Contender, Result};

/// A `moka::sync::Cache` bounded by a number of entries, without expiry: the least it can do.
#[derive(Debug, Clone)]
pub struct RawMoka(moka::sync::Cache<Arc<str>, Bytes>);

impl RawMoka {
    /// A cache with room for that many entries.
    #[must_use]
    pub fn new(entries: u64) -> Self {
        Self(moka::sync::Cache::new(entries))
    }
}

impl Contender for RawMoka {
    type Key = Arc<str>;
    type Value = Bytes;

    fn key(&self, text: &str) -> Result<Arc<str>> {
        // As long as hallway's physical key.
        Ok(format!("bench:kv:{text}").into())
    }

    async fn get(&mut self, key: &Arc<str>) -> Result<Option<Bytes>> {
        Ok(self.0.get(&**key))
    }

    async fn set(&mut self, key: &Arc<str>, value: &Bytes) -> Result<()> {
        self.0.insert(key.clone(), value.clone());
        Ok(())
    }
}
