//! A store of bytes behind which every read decodes, as an application without a typed cache does.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use hallway::{Json, Key, KvStore, KvStoreExt as _, Namespace, SetOptions, Ttl};

use crate::Result;
use crate::load::contenders::TTL;
use crate::load::{Contender, Page};

/// A store whose values are pages in JSON, decoded by each read.
pub struct Typed<S: ?Sized> {
    store: Arc<S>,
    namespace: Arc<str>,
}

impl<S: ?Sized> Typed<S> {
    /// The store, with keys of its own in a namespace.
    #[must_use]
    pub fn new(store: Arc<S>, namespace: impl Into<Arc<str>>) -> Self {
        Self { store, namespace: namespace.into() }
    }
}

impl<S: ?Sized> Clone for Typed<S> {
    fn clone(&self) -> Self {
        Self { store: self.store.clone(), namespace: self.namespace.clone() }
    }
}

impl<S: KvStore + ?Sized> fmt::Debug for Typed<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Typed").field("store", &self.store).field("namespace", &self.namespace).finish()
    }
}

impl<S: KvStore> Contender for Typed<S> {
    type Key = Key;
    type Value = Page;

    fn key(&self, text: &str) -> Result<Key> {
        Ok(Namespace::new(&self.namespace)?.key(text)?)
    }

    async fn get(&mut self, key: &Key) -> Result<Option<Page>> {
        Ok(self.store.get_as::<Json, Page>(key).await?)
    }

    async fn set(&mut self, key: &Key, value: &Bytes) -> Result<()> {
        self.store.set_as::<Json, _>(key, &Page::new(value.clone()), SetOptions::new(Ttl::After(TTL))).await?;
        Ok(())
    }
}
