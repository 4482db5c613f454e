//! An `Arc` of a store is that store.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use crate::{
    AuthorityTier, Capabilities, Cursor, DeleteIf, Entry, Key, KvStore, Page, Prefix, Result, SetOptions, SetOutcome,
    SharedTier, Timestamp, Ttl,
};

#[deny(clippy::missing_trait_methods)]
#[async_trait]
impl<S: KvStore + ?Sized> KvStore for Arc<S> {
    fn capabilities(&self) -> Capabilities {
        (**self).capabilities()
    }
    async fn get_entry(&self, key: &Key) -> Result<Option<Entry>> {
        (**self).get_entry(key).await
    }
    async fn set(&self, key: &Key, value: Bytes, opts: SetOptions) -> Result<SetOutcome> {
        (**self).set(key, value, opts).await
    }
    async fn delete_if(&self, key: &Key, when: DeleteIf) -> Result<bool> {
        (**self).delete_if(key, when).await
    }
    async fn touch(&self, key: &Key, ttl: Ttl) -> Result<bool> {
        (**self).touch(key, ttl).await
    }
    async fn scan(&self, prefix: &Prefix, after: Option<Cursor>, limit: usize) -> Result<Page> {
        (**self).scan(prefix, after, limit).await
    }
    async fn time(&self) -> Result<Timestamp> {
        (**self).time().await
    }
    fn with_deadline(&self, per_call: Duration) -> Arc<dyn KvStore> {
        (**self).with_deadline(per_call)
    }
    fn try_get(&self, key: &Key) -> Option<Bytes> {
        (**self).try_get(key)
    }
    fn direct(&self) -> Option<Arc<dyn KvStore>> {
        (**self).direct()
    }
    fn as_shared(&self) -> Option<&dyn SharedTier> {
        (**self).as_shared()
    }
    fn as_authority(&self) -> Option<&dyn AuthorityTier> {
        (**self).as_authority()
    }
    async fn get(&self, key: &Key) -> Result<Option<Bytes>> {
        (**self).get(key).await
    }
    async fn delete(&self, key: &Key) -> Result<bool> {
        (**self).delete(key).await
    }
    async fn take(&self, key: &Key) -> Result<Option<Bytes>> {
        (**self).take(key).await
    }
    async fn increment(&self, key: &Key, by: i64, ttl: Ttl) -> Result<i64> {
        (**self).increment(key, by, ttl).await
    }
    async fn get_many(&self, keys: &[Key]) -> Result<Vec<Option<Bytes>>> {
        (**self).get_many(keys).await
    }
    async fn set_many(&self, items: &[(Key, Bytes, Ttl)]) -> Result<()> {
        (**self).set_many(items).await
    }
    async fn delete_many(&self, keys: &[Key]) -> Result<u64> {
        (**self).delete_many(keys).await
    }
    async fn clear(&self, prefix: &Prefix) -> Result<u64> {
        (**self).clear(prefix).await
    }
    async fn ping(&self) -> Result<()> {
        (**self).ping().await
    }
}
