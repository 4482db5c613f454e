//! foyer, its cache in memory.

use std::sync::Arc;

use bytes::Bytes;
use foyer::{Cache, CacheBuilder, CacheEntry};
use hallway_bench::{Contender, Loader, Result};

/// The in-memory cache with the default policy; foyer has no TTL.
#[derive(Debug, Clone)]
pub(crate) struct Foyer(Arc<Cache<String, Bytes>>);

impl Foyer {
    pub(crate) fn new(entries: usize) -> Self {
        Self(Arc::new(CacheBuilder::new(entries).build()))
    }

    pub(crate) async fn load(&self, key: &str, loader: &Loader) -> Result<Entry> {
        let loader = loader.clone();
        let fetch = || async move { Ok::<_, std::io::Error>(loader.load().await) };
        Ok(Entry(self.0.get_or_fetch(key, fetch).await?))
    }
}

/// A guard of an entry, which foyer hands out instead of a copy.
#[derive(Debug)]
pub(crate) struct Entry(CacheEntry<String, Bytes>);

impl AsRef<[u8]> for Entry {
    fn as_ref(&self) -> &[u8] {
        self.0.value()
    }
}

impl Contender for Foyer {
    type Key = String;
    type Value = Entry;

    fn key(&self, text: &str) -> Result<String> {
        Ok(format!("bench:fo:{text}"))
    }

    async fn get(&mut self, key: &String) -> Result<Option<Entry>> {
        Ok(self.0.get(key.as_str()).map(Entry))
    }

    async fn set(&mut self, key: &String, value: &Bytes) -> Result<()> {
        self.0.insert(key.clone(), value.clone());
        Ok(())
    }
}
