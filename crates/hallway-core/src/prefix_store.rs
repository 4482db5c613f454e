//! A view of a store below one namespace.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use crate::{
    AuthorityTier, Capabilities, Counted, Cursor, DeleteIf, Entry, Error, Key, KvStore, LocalTier, Namespace, Page,
    Prefix, Result, SetOptions, SetOutcome, SharedTier, TierName, Timestamp, Ttl,
};

/// A store whose keys all lie below one namespace of another store: the key `42` seen through the view
/// `user:profile` is `user:profile:42` below it. Nothing outside the namespace can be read, changed or cleared.
#[derive(Debug, Clone)]
pub struct PrefixStore<S> {
    inner: S,
    namespace: Namespace,
}

impl<S: KvStore> PrefixStore<S> {
    /// A view of `inner` below `namespace`.
    pub fn new(inner: S, namespace: Namespace) -> Self {
        Self { inner, namespace }
    }

    /// The namespace all keys lie below.
    #[must_use]
    pub fn namespace(&self) -> &Namespace {
        &self.namespace
    }

    fn outer(&self, key: &Key) -> Result<Key> {
        key.within(&self.namespace)
    }

    fn outer_all(&self, keys: &[Key]) -> Result<Vec<Key>> {
        keys.iter().map(|key| self.outer(key)).collect()
    }

    fn outer_prefix(&self, prefix: &Prefix) -> Result<Prefix> {
        Ok(prefix.namespace().within(&self.namespace)?.prefix())
    }
}

#[deny(clippy::missing_trait_methods)]
#[async_trait]
impl<S: KvStore> KvStore for PrefixStore<S> {
    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }
    async fn get_entry(&self, key: &Key) -> Result<Option<Entry>> {
        self.inner.get_entry(&self.outer(key)?).await
    }
    async fn set(&self, key: &Key, value: Bytes, opts: SetOptions) -> Result<SetOutcome> {
        self.inner.set(&self.outer(key)?, value, opts).await
    }
    async fn delete_if(&self, key: &Key, when: DeleteIf) -> Result<bool> {
        self.inner.delete_if(&self.outer(key)?, when).await
    }
    async fn touch(&self, key: &Key, ttl: Ttl) -> Result<bool> {
        self.inner.touch(&self.outer(key)?, ttl).await
    }
    async fn scan(&self, prefix: &Prefix, after: Option<Cursor>, limit: usize) -> Result<Page> {
        let page = self.inner.scan(&self.outer_prefix(prefix)?, after, limit).await?;
        let keys = page.keys.iter().filter_map(|key| key.strip(&self.namespace)).collect();
        Ok(Page { keys, next: page.next })
    }
    async fn time(&self) -> Result<Timestamp> {
        self.inner.time().await
    }
    fn with_deadline(&self, per_call: Duration) -> Arc<dyn KvStore> {
        Arc::new(PrefixStore::new(self.inner.with_deadline(per_call), self.namespace.clone()))
    }
    fn try_get(&self, key: &Key) -> Option<Bytes> {
        // A key too long for the view cannot be in it; `get` says why.
        self.inner.try_get(&self.outer(key).ok()?)
    }
    fn direct(&self) -> Option<Arc<dyn KvStore>> {
        let direct = self.inner.direct()?;
        Some(Arc::new(PrefixStore::new(direct, self.namespace.clone())))
    }
    fn tier(&self, name: TierName) -> Option<Arc<dyn KvStore>> {
        Some(Arc::new(PrefixStore::new(self.inner.tier(name)?, self.namespace.clone())))
    }
    // Tiers speak of whole keys, which a view must not hand out.
    fn as_local(&self) -> Option<&dyn LocalTier> {
        None
    }
    fn as_shared(&self) -> Option<&dyn SharedTier> {
        None
    }
    fn as_authority(&self) -> Option<&dyn AuthorityTier> {
        None
    }
    fn as_counted(&self) -> Option<&dyn Counted> {
        self.inner.as_counted()
    }
    async fn get(&self, key: &Key) -> Result<Option<Bytes>> {
        self.inner.get(&self.outer(key)?).await
    }
    async fn delete(&self, key: &Key) -> Result<bool> {
        self.inner.delete(&self.outer(key)?).await
    }
    async fn take(&self, key: &Key) -> Result<Option<Bytes>> {
        self.inner.take(&self.outer(key)?).await
    }
    async fn increment(&self, key: &Key, by: i64, ttl: Ttl) -> Result<i64> {
        self.inner.increment(&self.outer(key)?, by, ttl).await
    }
    async fn get_many(&self, keys: &[Key]) -> Result<Vec<Option<Bytes>>> {
        self.inner.get_many(&self.outer_all(keys)?).await
    }
    async fn get_entries(&self, keys: &[Key]) -> Result<Vec<Option<Entry>>> {
        self.inner.get_entries(&self.outer_all(keys)?).await
    }
    async fn set_many(&self, items: &[(Key, Bytes, Ttl)]) -> Result<()> {
        let items: Result<Vec<_>> =
            items.iter().map(|(key, value, ttl)| Ok((self.outer(key)?, value.clone(), *ttl))).collect();
        self.inner.set_many(&items?).await
    }
    async fn delete_many(&self, keys: &[Key]) -> Result<u64> {
        self.inner.delete_many(&self.outer_all(keys)?).await
    }
    async fn clear(&self, prefix: &Prefix) -> Result<u64> {
        // Contract first: no store is emptied as a whole, and a view is a store.
        if prefix.is_root() {
            return Err(Error::invalid_input("clear needs a prefix; it never empties a whole store"));
        }
        self.inner.clear(&self.outer_prefix(prefix)?).await
    }
    async fn ping(&self) -> Result<()> {
        self.inner.ping().await
    }
}
