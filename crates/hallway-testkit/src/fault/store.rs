//! A store that fails on demand.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use hallway_core::{
    AuthorityTier, Capabilities, Counted, Cursor, DeleteIf, Entry, Error, Key, KvStore, LinkOptions, LocalTier,
    OutboxId, OutboxRow, Page, Prefix, Result, SetOptions, SetOutcome, SharedLink, SharedTier, TierName, Timestamp,
    Ttl,
};

use super::call::judged;
use super::link::FaultLink;
use super::{Access, Faults};

/// How long a call hangs in a black hole where [`KvStore::with_deadline`] does not say.
const DEADLINE: Duration = Duration::from_millis(250);

/// A store whose calls go wrong on demand: wrap any store in it and see how your code takes it.
///
/// It forwards everything else untouched, the tier seams included, and is a [`KvStore`] like any other. The faults are
/// switched by a [`Faults`] handle while the store is in use. [`try_get`](KvStore::try_get) answers `None` while a
/// fault in force could hit a read. Needs a tokio runtime with time; a paused clock is fine.
///
/// # Examples
/// What does the code under test do when Redis is down?
/// ```
/// use hallway_core::{ErrorKind, Key, KvStore, KvStoreExt};
/// use hallway_testkit::{Fault, FaultStore, Faults, PlainStore};
///
/// /// Feature switches default to off when the store cannot say.
/// async fn is_enabled(store: &dyn KvStore, name: &str) -> bool {
///     let Ok(key) = Key::from_physical(name) else { return false };
///     store.get(&key).await.is_ok_and(|value| value.is_some_and(|value| value == "on"))
/// }
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> hallway_core::Result<()> {
/// let faults = Faults::new();
/// let store = FaultStore::new(PlainStore::new(), faults.clone());
/// let key = Key::from_physical("switch")?;
/// store.insert_if_absent(&key, "on".into(), hallway_core::Ttl::Forever).await?;
/// assert!(is_enabled(&store, "switch").await);
///
/// faults.inject(Fault::error(ErrorKind::Unavailable));
/// assert!(!is_enabled(&store, "switch").await);
///
/// faults.heal();
/// faults.inject(Fault::lost_reply().on_writes().times(1));
/// assert_eq!(store.delete(&key).await.unwrap_err().kind(), ErrorKind::Indeterminate);
/// assert!(!is_enabled(&store, "switch").await); // it was deleted all the same
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct FaultStore<S> {
    inner: S,
    faults: Faults,
    deadline: Duration,
}

impl<S: KvStore> FaultStore<S> {
    /// Wraps a store. Its calls hang 250 ms in a black hole; [`with_deadline`](KvStore::with_deadline) or
    /// [`with_patience`](Self::with_patience) change that.
    pub fn new(inner: S, faults: Faults) -> Self {
        Self { inner, faults, deadline: DEADLINE }
    }

    /// How long a call hangs in a black hole, without touching the deadline of the store inside.
    ///
    /// Default: 250 ms.
    #[must_use]
    pub fn with_patience(mut self, patience: Duration) -> Self {
        self.deadline = patience;
        self
    }

    /// The switch.
    #[must_use]
    pub fn faults(&self) -> &Faults {
        &self.faults
    }

    /// The store inside.
    #[must_use]
    pub fn inner(&self) -> &S {
        &self.inner
    }

    async fn read<T>(&self, operation: &'static str, call: impl Future<Output = Result<T>> + Send) -> Result<T> {
        judged(&self.faults, self.deadline, Access::Read, operation, call).await
    }

    async fn write<T>(&self, operation: &'static str, call: impl Future<Output = Result<T>> + Send) -> Result<T> {
        judged(&self.faults, self.deadline, Access::Write, operation, call).await
    }
}

#[deny(clippy::missing_trait_methods)]
#[async_trait]
impl<S: KvStore> KvStore for FaultStore<S> {
    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }
    async fn get_entry(&self, key: &Key) -> Result<Option<Entry>> {
        self.read("get_entry", self.inner.get_entry(key)).await
    }
    async fn set(&self, key: &Key, value: Bytes, opts: SetOptions) -> Result<SetOutcome> {
        self.write("set", self.inner.set(key, value, opts)).await
    }
    async fn delete_if(&self, key: &Key, when: DeleteIf) -> Result<bool> {
        self.write("delete_if", self.inner.delete_if(key, when)).await
    }
    async fn touch(&self, key: &Key, ttl: Ttl) -> Result<bool> {
        self.write("touch", self.inner.touch(key, ttl)).await
    }
    async fn scan(&self, prefix: &Prefix, after: Option<Cursor>, limit: usize) -> Result<Page> {
        self.read("scan", self.inner.scan(prefix, after, limit)).await
    }
    async fn time(&self) -> Result<Timestamp> {
        self.read("time", self.inner.time()).await
    }
    fn with_deadline(&self, per_call: Duration) -> Arc<dyn KvStore> {
        let inner = self.inner.with_deadline(per_call);
        Arc::new(FaultStore { inner, faults: self.faults.clone(), deadline: per_call })
    }
    fn try_get(&self, key: &Key) -> Option<Bytes> {
        if self.faults.could_hit_reads() { None } else { self.inner.try_get(key) }
    }
    fn direct(&self) -> Option<Arc<dyn KvStore>> {
        let inner = self.inner.direct()?;
        Some(Arc::new(FaultStore { inner, faults: self.faults.clone(), deadline: self.deadline }))
    }
    fn tier(&self, name: TierName) -> Option<Arc<dyn KvStore>> {
        let inner = self.inner.tier(name)?;
        Some(Arc::new(FaultStore { inner, faults: self.faults.clone(), deadline: self.deadline }))
    }
    // A map in this process does not fail.
    fn as_local(&self) -> Option<&dyn LocalTier> {
        self.inner.as_local()
    }
    fn as_shared(&self) -> Option<&dyn SharedTier> {
        self.inner.as_shared().map(|_| self as &dyn SharedTier)
    }
    fn as_authority(&self) -> Option<&dyn AuthorityTier> {
        self.inner.as_authority().map(|_| self as &dyn AuthorityTier)
    }
    fn as_counted(&self) -> Option<&dyn Counted> {
        self.inner.as_counted()
    }
    async fn get(&self, key: &Key) -> Result<Option<Bytes>> {
        self.read("get", self.inner.get(key)).await
    }
    async fn delete(&self, key: &Key) -> Result<bool> {
        self.write("delete", self.inner.delete(key)).await
    }
    async fn take(&self, key: &Key) -> Result<Option<Bytes>> {
        self.write("take", self.inner.take(key)).await
    }
    async fn increment(&self, key: &Key, by: i64, ttl: Ttl) -> Result<i64> {
        self.write("increment", self.inner.increment(key, by, ttl)).await
    }
    async fn get_many(&self, keys: &[Key]) -> Result<Vec<Option<Bytes>>> {
        self.read("get_many", self.inner.get_many(keys)).await
    }
    async fn get_entries(&self, keys: &[Key]) -> Result<Vec<Option<Entry>>> {
        self.read("get_entries", self.inner.get_entries(keys)).await
    }
    async fn set_many(&self, items: &[(Key, Bytes, Ttl)]) -> Result<()> {
        self.write("set_many", self.inner.set_many(items)).await
    }
    async fn delete_many(&self, keys: &[Key]) -> Result<u64> {
        self.write("delete_many", self.inner.delete_many(keys)).await
    }
    async fn clear(&self, prefix: &Prefix) -> Result<u64> {
        self.write("clear", self.inner.clear(prefix)).await
    }
    async fn ping(&self) -> Result<()> {
        self.read("ping", self.inner.ping()).await
    }
}

/// Reached through [`KvStore::as_shared`], which answers only where the store inside does.
impl<S: KvStore> SharedTier for FaultStore<S> {
    fn link(&self, options: LinkOptions) -> Arc<dyn SharedLink> {
        let shared = self.inner.as_shared().expect("`as_shared` answers only where the store inside does");
        Arc::new(FaultLink::new(shared.link(options), self.faults.clone()))
    }
}

/// Reached through [`KvStore::as_authority`], which answers only where the store inside does.
#[async_trait]
impl<S: KvStore> AuthorityTier for FaultStore<S> {
    fn enlisting(&self) -> Arc<dyn KvStore> {
        let authority = self.inner.as_authority().expect("`as_authority` answers only where the store inside does");
        Arc::new(FaultStore { inner: authority.enlisting(), faults: self.faults.clone(), deadline: self.deadline })
    }
    fn write_limit(&self) -> Option<Duration> {
        self.inner.as_authority()?.write_limit()
    }
    async fn pending(&self, limit: usize) -> Result<Vec<OutboxRow>> {
        self.read("pending", self.authority()?.pending(limit)).await
    }
    async fn settle(&self, rows: &[OutboxId]) -> Result<()> {
        self.write("settle", self.authority()?.settle(rows)).await
    }
}

impl<S: KvStore> FaultStore<S> {
    fn authority(&self) -> Result<&dyn AuthorityTier> {
        self.inner.as_authority().ok_or_else(|| Error::unsupported("the store inside is no authority"))
    }
}
