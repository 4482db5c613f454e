//! `MokaStore`: the contract on top of the map.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use hallway_core::{
    AuthorityTier, Capabilities, Capability, Clock, Counted, Cursor, DeleteIf, Entry, Error, Key, KvStore, LocalTier,
    Object, Page, Prefix, Result, SetOptions, SetOutcome, SharedTier, StoreUrl, TierName, Timestamp, Ttl, ValueCap,
};

use crate::MokaConfig;
use crate::config::Bound;
use crate::map::Map;
use crate::sweeper::Sweeper;

/// A bounded in-process store.
///
/// # Bounds
/// It holds at most `max` bytes, counting 128 for each entry beyond key and value. When room is needed, entries that
/// are seldom read leave first (moka's TinyLFU), whatever their deadline; a new entry may also be the one that leaves.
///
/// # Expiry
/// The deadline travels in the value and is exact to the microsecond of its [`Clock`]. Dead entries leave when somebody
/// reads them, and by a sweeper: one thread for all stores of the process, which ends with the last of them.
///
/// # Memory of values
/// A value is kept in the buffer it comes in, not copied, unless nobody else holds that buffer and it is much larger
/// than the value. A `Bytes` that is a slice of a larger buffer in use elsewhere keeps all of that buffer alive while
/// it counts for its own length: hand in `Bytes::copy_from_slice(..)` where values are cut out of network reads.
///
/// # As a local tier
/// It also keeps decoded copies of what lives elsewhere (see [`LocalTier`]), in the same map and under the same bound, but
/// under keys of their own: no verb sees, counts or clears a copy. They count like entries and leave like them.
///
/// # Cost of a scan
/// A page looks at every entry and copy in the store and does not yield: fine for administration, not for a request path.
///
/// # Cloning
/// A clone is another handle to the same data, never a copy of it.
#[derive(Clone)]
pub struct MokaStore {
    map: Arc<Map>,
}

impl MokaStore {
    /// Settings to start from.
    pub fn builder() -> MokaConfig {
        MokaConfig::default()
    }

    /// A store with these settings; the same as [`MokaConfig::build`].
    ///
    /// # Errors
    /// As there.
    pub fn new(config: MokaConfig) -> Result<Self> {
        config.build()
    }

    /// A store from a URL: `moka:?max=64MiB`.
    ///
    /// | option | meaning | default |
    /// |---|---|---|
    /// | `max` | most bytes to hold | 64 MiB |
    /// | `max_entries` | most entries to hold, instead of `max` | |
    /// | `max_value` | largest value | 1 MiB |
    /// | `deadline` | accepted as for every store; calls here never wait | |
    ///
    /// # Errors
    /// `InvalidConfig` naming the option and what it needs.
    pub fn open_url(url: StoreUrl) -> Result<Self> {
        MokaConfig::from_url(url).map_err(|error| error.at("moka", "open"))?.build()
    }

    pub(crate) fn start(bound: Bound, value_cap: ValueCap, clock: Arc<dyn Clock>) -> Result<Self> {
        let map = Arc::new(Map::new(bound, value_cap, clock));
        Sweeper::shared().watch(&map)?;
        Ok(Self { map })
    }

    /// How many entries there are, dead ones not yet removed included, copies not. Lags behind writes until
    /// [`run_pending_tasks`](Self::run_pending_tasks). Once the store held a copy, it looks at everything held.
    #[must_use]
    pub fn entry_count(&self) -> u64 {
        self.map.entry_count()
    }

    /// The bytes held as the bound counts them: keys, values, copies and 128 for each of them. Lags like
    /// [`entry_count`](Self::entry_count). With a bound in entries it looks at every one of them.
    #[must_use]
    pub fn weighted_bytes(&self) -> u64 {
        self.map.weighted_bytes()
    }

    /// Applies writes to the bound now: evicts what is over it and brings the counts up to date.
    pub fn run_pending_tasks(&self) {
        self.map.run_pending_tasks();
    }

    /// Removes dead entries and copies now, as the sweeper does in the background, and says how many.
    pub fn sweep(&self) -> u64 {
        self.map.sweep(|| std::ops::ControlFlow::Continue(()))
    }
}

fn place<T>(result: Result<T>, operation: &'static str, key: &Key) -> Result<T> {
    result.map_err(|error| error.at("moka", operation).with_key(key))
}

#[deny(clippy::missing_trait_methods)]
#[async_trait]
impl KvStore for MokaStore {
    fn capabilities(&self) -> Capabilities {
        Capabilities::all().without(Capability::Durable).without(Capability::Shared)
    }

    async fn get_entry(&self, key: &Key) -> Result<Option<Entry>> {
        Ok(self.map.get_entry(key))
    }

    async fn set(&self, key: &Key, value: Bytes, opts: SetOptions) -> Result<SetOutcome> {
        place(self.map.set(key, value, &opts), "set", key)
    }

    async fn delete_if(&self, key: &Key, when: DeleteIf) -> Result<bool> {
        Ok(self.map.delete_if(key, &when))
    }

    async fn touch(&self, key: &Key, ttl: Ttl) -> Result<bool> {
        place(self.map.touch(key, ttl), "touch", key)
    }

    async fn scan(&self, prefix: &Prefix, after: Option<Cursor>, limit: usize) -> Result<Page> {
        self.map.scan(prefix, after.as_ref(), limit).map_err(|error| error.at("moka", "scan"))
    }

    async fn time(&self) -> Result<Timestamp> {
        Ok(self.map.timestamp())
    }

    // Calls never wait, so any deadline is kept.
    fn with_deadline(&self, _per_call: Duration) -> Arc<dyn KvStore> {
        Arc::new(self.clone())
    }

    fn try_get(&self, key: &Key) -> Option<Bytes> {
        self.map.get(key)
    }

    // What is here is no copy of something else.
    fn direct(&self) -> Option<Arc<dyn KvStore>> {
        None
    }

    fn tier(&self, _: TierName) -> Option<Arc<dyn KvStore>> {
        None
    }

    fn as_local(&self) -> Option<&dyn LocalTier> {
        Some(self)
    }

    fn as_shared(&self) -> Option<&dyn SharedTier> {
        None
    }

    fn as_authority(&self) -> Option<&dyn AuthorityTier> {
        None
    }

    fn as_counted(&self) -> Option<&dyn Counted> {
        None
    }

    async fn get(&self, key: &Key) -> Result<Option<Bytes>> {
        Ok(self.map.get(key))
    }

    async fn delete(&self, key: &Key) -> Result<bool> {
        Ok(self.map.delete_if(key, &DeleteIf::Always))
    }

    async fn take(&self, key: &Key) -> Result<Option<Bytes>> {
        Ok(self.map.take(key))
    }

    async fn increment(&self, key: &Key, by: i64, ttl: Ttl) -> Result<i64> {
        place(self.map.increment(key, by, ttl), "increment", key)
    }

    async fn get_many(&self, keys: &[Key]) -> Result<Vec<Option<Bytes>>> {
        Ok(keys.iter().map(|key| self.map.get(key)).collect())
    }

    async fn get_entries(&self, keys: &[Key]) -> Result<Vec<Option<Entry>>> {
        Ok(keys.iter().map(|key| self.map.get_entry(key)).collect())
    }

    async fn set_many(&self, items: &[(Key, Bytes, Ttl)]) -> Result<()> {
        for (key, value, ttl) in items {
            place(self.map.check(value.len(), *ttl), "set_many", key)?;
        }
        // In order, so that of two items with the same key the last wins.
        for (key, value, ttl) in items {
            place(self.map.set(key, value.clone(), &SetOptions::new(*ttl)), "set_many", key)?;
        }
        Ok(())
    }

    async fn delete_many(&self, keys: &[Key]) -> Result<u64> {
        Ok(keys.iter().map(|key| u64::from(self.map.delete_if(key, &DeleteIf::Always))).sum())
    }

    async fn clear(&self, prefix: &Prefix) -> Result<u64> {
        self.map.clear(prefix).map_err(|error: Error| error.at("moka", "clear"))
    }

    async fn ping(&self) -> Result<()> {
        Ok(())
    }
}

impl LocalTier for MokaStore {
    fn copy(&self, physical: &str) -> Option<Object> {
        self.map.get_copy(physical)
    }

    fn keep(&self, key: &Key, copy: Object, deadline: u64, bytes: usize) {
        self.map.keep_copy(key, copy, deadline, bytes);
    }

    fn forget(&self, key: &Key) {
        self.map.forget_copy(key);
    }

    fn is_full(&self) -> bool {
        self.map.is_full()
    }

    fn clock(&self) -> Arc<dyn Clock> {
        self.map.clock().clone()
    }
}

impl fmt::Debug for MokaStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MokaStore").field("bound", &self.map.bound()).field("held", &self.map.held()).finish()
    }
}
