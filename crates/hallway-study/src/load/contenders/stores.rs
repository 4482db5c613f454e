//! hallway's stores.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hallway::{Key, KvStore, Namespace, SetOptions, Ttl};

use crate::Result;
use crate::load::Contender;

/// How long entries live here and in the libraries that are given a TTL: longer than any measurement.
pub const TTL: Duration = Duration::from_secs(3600);

/// A store through its own type, or as `dyn KvStore`.
pub struct Ours<S: ?Sized> {
    store: Arc<S>,
    namespace: Arc<str>,
}

impl<S: ?Sized> Ours<S> {
    /// The store, with keys of its own in a namespace.
    #[must_use]
    pub fn new(store: Arc<S>, namespace: impl Into<Arc<str>>) -> Self {
        Self { store, namespace: namespace.into() }
    }
}

impl<S: ?Sized> Clone for Ours<S> {
    fn clone(&self) -> Self {
        Self { store: self.store.clone(), namespace: self.namespace.clone() }
    }
}

impl<S: KvStore + ?Sized> fmt::Debug for Ours<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ours").field("store", &self.store).field("namespace", &self.namespace).finish()
    }
}

impl<S: KvStore + ?Sized> Contender for Ours<S> {
    type Key = Key;
    type Value = Bytes;

    fn key(&self, text: &str) -> Result<Key> {
        Ok(Namespace::new(&self.namespace)?.key(text)?)
    }

    async fn get(&mut self, key: &Key) -> Result<Option<Bytes>> {
        Ok(self.store.get(key).await?)
    }

    async fn set(&mut self, key: &Key, value: &Bytes) -> Result<()> {
        self.store.set(key, value.clone(), SetOptions::new(Ttl::After(TTL))).await?;
        Ok(())
    }

    async fn get_many(&mut self, keys: &[Key]) -> Result<Vec<Option<Bytes>>> {
        Ok(self.store.get_many(keys).await?)
    }
}

/// A store asked with `try_get`, without waiting.
#[derive(Debug)]
pub struct OursAtOnce<S: KvStore + ?Sized>(pub Ours<S>);

impl<S: KvStore + ?Sized> Clone for OursAtOnce<S> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<S: KvStore + ?Sized> Contender for OursAtOnce<S> {
    type Key = Key;
    type Value = Bytes;

    fn key(&self, text: &str) -> Result<Key> {
        self.0.key(text)
    }

    async fn get(&mut self, key: &Key) -> Result<Option<Bytes>> {
        Ok(self.0.store.try_get(key))
    }

    async fn set(&mut self, key: &Key, value: &Bytes) -> Result<()> {
        self.0.set(key, value).await
    }
}
