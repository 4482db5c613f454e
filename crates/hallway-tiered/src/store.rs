//! `TieredStore`: the contract over tiers.

mod batches;
mod copies;
mod listing;
mod truth;
mod writes;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use hallway_core::mutant::Mutant;
use hallway_core::{
    AuthorityTier, Capabilities, Capability, Counted, Cursor, DeleteIf, Entry, Error, ErrorKind, Key, KvStore,
    LocalTier, Page, Prefix, Result, SetIf, SetOptions, SetOutcome, SharedTier, TierName, Timestamp, Ttl,
};

pub(crate) use self::copies::RawCopy;
use crate::builder::TieredBuilder;
use crate::engine::Engine;
use crate::health::Health;
use crate::settings::Rules;
use crate::stats::TieredStats;
use crate::table::Authority;
use crate::{Mode, TierSet};

/// Local, shared and consistent tiers behind one `KvStore`: each namespace is read at the speed of the nearest tier that
/// keeps its promise, and written to its authority.
///
/// The authority of a namespace is the consistent tier if there is one, else the shared tier, else the local one; a
/// namespace of [`Mode::Local`] never leaves the process. Conditions, increments, takes, touches and deletes run on the
/// authority only, and so does everything that must be exact: `get_entry`, `scan`, `clear`, `time`.
///
/// # Errors
/// As those of the authority. A tier that holds copies never fails a call unless going on without it would break the
/// promise: a write under [`OnSharedDown::Fail`](crate::OnSharedDown::Fail) is `Unavailable` before anything is written.
///
/// # Cancel safety
/// A write goes on when its future is dropped: its copies are made unusable whatever becomes of the caller.
///
/// # Consistency
/// See `docs/coherence.md`; [`bound`](Self::bound) says the figure. A caller always reads what it has itself written.
///
/// # Cloning
/// A clone is another handle to the same tiers.
///
/// # Examples
/// ```
/// # use std::time::Duration;
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> hallway_core::Result<()> {
/// use hallway_core::{Bytes, Key, KvStore, SetOptions};
/// use hallway_moka::MokaStore;
/// use hallway_tiered::TieredStore;
///
/// let tiers = TieredStore::builder().local(MokaStore::builder().build()?).build()?;
/// let key = Key::from_physical("user:profile:42")?;
/// tiers.set(&key, Bytes::from("Ada"), SetOptions::new(Duration::from_secs(60))).await?;
/// assert_eq!(tiers.try_get(&key).as_deref(), Some(&b"Ada"[..]));
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct TieredStore {
    engine: Arc<Engine>,
    stores: Stores,
    /// The least that every call is promised.
    floor: Mode,
    /// Never answers from a copy.
    direct: bool,
    deadline: Option<Duration>,
}

/// The tiers under the deadline of this view.
#[derive(Clone)]
struct Stores {
    local: Option<Arc<dyn KvStore>>,
    shared: Option<Arc<dyn KvStore>>,
    consistent: Option<Arc<dyn KvStore>>,
}

impl Stores {
    fn map(&self, view: impl Fn(&Arc<dyn KvStore>) -> Arc<dyn KvStore>) -> Self {
        Self {
            local: self.local.as_ref().map(&view),
            shared: self.shared.as_ref().map(&view),
            consistent: self.consistent.as_ref().map(&view),
        }
    }

    fn authority(&self, authority: Authority) -> Result<&Arc<dyn KvStore>> {
        let store = match authority {
            Authority::Local => &self.local,
            Authority::Shared => &self.shared,
            Authority::Consistent => &self.consistent,
        };
        // Plans only name tiers that there are; this says so instead of panicking.
        store.as_ref().ok_or_else(|| Error::invalid_config("the tier of this namespace is missing"))
    }
}

impl TieredStore {
    /// Tiers to start from. Any of the three may be left out, but not all.
    pub fn builder() -> TieredBuilder {
        TieredBuilder::new()
    }

    pub(crate) fn from_engine(engine: Arc<Engine>) -> Self {
        let stores = Stores {
            local: engine.local.clone(),
            shared: engine.shared.clone(),
            consistent: engine.consistent.clone(),
        };
        Self { engine, stores, floor: Mode::Local, direct: false, deadline: None }
    }

    pub(crate) fn engine(&self) -> &Arc<Engine> {
        &self.engine
    }

    pub(crate) fn floor(&self) -> Mode {
        self.floor
    }

    /// A view that promises at least `mode`. A namespace that promises more keeps doing so; one of [`Mode::Local`] has
    /// nothing stronger to offer, and its calls through the view are `Unsupported`.
    ///
    /// # Errors
    /// `InvalidConfig` if no tier can keep the promise.
    pub fn at(&self, mode: Mode) -> Result<Self> {
        let tiers = self.engine.settings.tiers;
        tiers.plan(mode, self.engine.settings.single_instance)?;
        Ok(Self { floor: self.floor.max(mode), ..self.clone() })
    }

    /// Which tiers there are.
    #[must_use]
    pub fn tiers(&self) -> TierSet {
        self.engine.settings.tiers
    }

    /// How each tier is, and the bound in force now.
    #[must_use]
    pub fn health(&self) -> Health {
        Health::of(&self.engine)
    }

    /// What is promised about staleness, per mode, by this configuration.
    #[must_use]
    pub fn bound(&self) -> crate::Bound {
        crate::Bound::of(&self.engine, &self.engine.settings.others)
    }

    /// The promise of one namespace.
    #[must_use]
    pub fn bound_of(&self, namespace: &hallway_core::Namespace) -> crate::Bound {
        crate::Bound::of(&self.engine, self.engine.settings.rules(namespace.as_str()))
    }

    /// What has been counted since the store was built.
    #[must_use]
    pub fn stats(&self) -> TieredStats {
        self.engine.stats()
    }

    /// Makes good what is still owed to the shared tier, waits for copies that caches are still writing, and ends the
    /// background work, within `deadline`. For SIGTERM, after the last request. Says whether nothing is owed any more; what is
    /// owed by the consistent tier's outbox, other instances make good, and a copy that was not written is no debt.
    pub async fn shutdown(&self, deadline: Duration) -> bool {
        self.engine.shutdown(deadline).await
    }

    /// The rules of a key and whether copies may answer it.
    #[inline]
    fn rules(&self, key: &Key) -> Result<(&Arc<Rules>, bool)> {
        self.rules_of(key.namespace_str())
    }

    #[inline]
    fn rules_of(&self, namespace: &str) -> Result<(&Arc<Rules>, bool)> {
        let rules = self.engine.settings.rules(namespace);
        if self.floor > rules.plan.mode && rules.plan.mode == Mode::Local && rules.plan.authority == Authority::Local {
            return Err(Error::unsupported(format!(
                "a namespace of mode `local` never leaves the process, so a view at `{}` has nothing to answer from",
                self.floor
            )));
        }
        let copies = !self.direct && self.floor != Mode::Consistent;
        Ok((rules, copies))
    }

    fn authority(&self, rules: &Rules) -> Result<&Arc<dyn KvStore>> {
        self.stores.authority(rules.plan.authority)
    }

    /// Ends a read by the deadline of this view, whatever tiers it goes through.
    async fn in_time<T>(&self, operation: &'static str, read: impl Future<Output = Result<T>> + Send) -> Result<T> {
        let Some(deadline) = self.deadline else { return read.await };
        match tokio::time::timeout(deadline, read).await {
            Ok(answer) => answer,
            Err(_) => Err(late(ErrorKind::Unavailable, deadline).at("tiered", operation)),
        }
    }
}

fn late(kind: ErrorKind, deadline: Duration) -> Error {
    Error::new(kind, format!("no answer within {deadline:?}"))
}

#[deny(clippy::missing_trait_methods)]
#[async_trait]
impl KvStore for TieredStore {
    fn capabilities(&self) -> Capabilities {
        listing::capabilities(self)
    }

    async fn get_entry(&self, key: &Key) -> Result<Option<Entry>> {
        // The life of a copy is capped, so only the authority knows the rest of the entry's.
        let (rules, _) = self.rules(key)?;
        self.exact(rules, std::slice::from_ref(key), self.authority(rules)?.get_entry(key)).await
    }

    async fn set(&self, key: &Key, value: Bytes, mut opts: SetOptions) -> Result<SetOutcome> {
        if Mutant::SessionUpsert.is_on() {
            opts.condition = SetIf::Always;
        }
        let (rules, _) = self.rules(key)?;
        if writes::is_plain(rules) {
            return self.authority(rules)?.set(key, value, opts).await;
        }
        let owned = key.clone();
        self.write("set", std::slice::from_ref(key), rules, move |store| {
            Box::pin(async move { store.set(&owned, value, opts).await })
        })
        .await
    }

    async fn delete_if(&self, key: &Key, when: DeleteIf) -> Result<bool> {
        let (rules, _) = self.rules(key)?;
        if writes::is_plain(rules) {
            return self.authority(rules)?.delete_if(key, when).await;
        }
        let owned = key.clone();
        self.write("delete", std::slice::from_ref(key), rules, move |store| {
            Box::pin(async move { store.delete_if(&owned, when).await })
        })
        .await
    }

    async fn touch(&self, key: &Key, ttl: Ttl) -> Result<bool> {
        let (rules, _) = self.rules(key)?;
        if writes::is_plain(rules) {
            return self.authority(rules)?.touch(key, ttl).await;
        }
        let owned = key.clone();
        self.write("touch", std::slice::from_ref(key), rules, move |store| {
            Box::pin(async move { store.touch(&owned, ttl).await })
        })
        .await
    }

    async fn scan(&self, prefix: &Prefix, after: Option<Cursor>, limit: usize) -> Result<Page> {
        listing::scan(self, prefix, after, limit).await
    }

    async fn time(&self) -> Result<Timestamp> {
        self.authority(&self.engine.settings.others)?.time().await
    }

    fn with_deadline(&self, per_call: Duration) -> Arc<dyn KvStore> {
        let stores = self.stores.map(|store| store.with_deadline(per_call));
        Arc::new(Self { stores, deadline: Some(per_call), ..self.clone() })
    }

    fn try_get(&self, key: &Key) -> Option<Bytes> {
        let (rules, copies) = self.rules(key).ok()?;
        match rules.plan.authority {
            Authority::Local => self.stores.local.as_ref()?.try_get(key),
            _ if copies && rules.plan.local_copies => self.local_copy(key, rules),
            _ => None,
        }
    }

    fn direct(&self) -> Option<Arc<dyn KvStore>> {
        Some(Arc::new(Self { direct: true, ..self.clone() }))
    }

    fn tier(&self, name: TierName) -> Option<Arc<dyn KvStore>> {
        match name {
            TierName::Consistent => self.stores.consistent.clone(),
            TierName::Local => self.stores.local.clone(),
            TierName::Shared => self.stores.shared.clone(),
        }
    }

    // A store over tiers is itself no tier.
    fn as_local(&self) -> Option<&dyn LocalTier> {
        None
    }

    fn as_shared(&self) -> Option<&dyn SharedTier> {
        None
    }

    fn as_authority(&self) -> Option<&dyn AuthorityTier> {
        None
    }

    // `metrics::Exporter` tells of it, and of the stores below.
    fn as_counted(&self) -> Option<&dyn Counted> {
        None
    }

    async fn get(&self, key: &Key) -> Result<Option<Bytes>> {
        let (rules, copies) = self.rules(key)?;
        if !copies || writes::is_plain(rules) {
            return self.exact(rules, std::slice::from_ref(key), self.authority(rules)?.get(key)).await;
        }
        if rules.plan.local_copies
            && let Some(hit) = self.local_copy(key, rules)
        {
            return Ok(Some(hit));
        }
        self.in_time("get", self.get_far(key, rules)).await
    }

    async fn delete(&self, key: &Key) -> Result<bool> {
        self.delete_if(key, DeleteIf::Always).await
    }

    async fn take(&self, key: &Key) -> Result<Option<Bytes>> {
        let (rules, _) = self.rules(key)?;
        if writes::is_plain(rules) {
            return self.authority(rules)?.take(key).await;
        }
        let owned = key.clone();
        self.write("take", std::slice::from_ref(key), rules, move |store| {
            Box::pin(async move { store.take(&owned).await })
        })
        .await
    }

    async fn increment(&self, key: &Key, by: i64, ttl: Ttl) -> Result<i64> {
        let (rules, _) = self.rules(key)?;
        if writes::is_plain(rules) {
            return self.authority(rules)?.increment(key, by, ttl).await;
        }
        let owned = key.clone();
        self.write("increment", std::slice::from_ref(key), rules, move |store| {
            Box::pin(async move {
                match store.increment(&owned, by, ttl).await {
                    Err(error) if Mutant::RetryWrite.is_on() && error.kind() == ErrorKind::Indeterminate => {
                        store.increment(&owned, by, ttl).await
                    }
                    answer => answer,
                }
            })
        })
        .await
    }

    async fn get_many(&self, keys: &[Key]) -> Result<Vec<Option<Bytes>>> {
        self.in_time("get_many", self.get_all(keys)).await
    }

    async fn get_entries(&self, keys: &[Key]) -> Result<Vec<Option<Entry>>> {
        self.entries_of_authorities(keys).await
    }

    async fn set_many(&self, items: &[(Key, Bytes, Ttl)]) -> Result<()> {
        self.set_all(items).await
    }

    async fn delete_many(&self, keys: &[Key]) -> Result<u64> {
        self.delete_all(keys).await
    }

    async fn clear(&self, prefix: &Prefix) -> Result<u64> {
        listing::clear(self, prefix).await
    }

    async fn ping(&self) -> Result<()> {
        self.authority(&self.engine.settings.others)?.ping().await
    }
}

impl fmt::Debug for TieredStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut out = f.debug_struct("TieredStore");
        for (name, store) in
            [("local", &self.stores.local), ("shared", &self.stores.shared), ("consistent", &self.stores.consistent)]
        {
            if let Some(store) = store {
                out.field(name, store);
            }
        }
        out.field("floor", &self.floor).field("direct", &self.direct).finish_non_exhaustive()
    }
}

/// Whether this view can hit in the process.
impl TieredStore {
    fn reads_locally(&self, rules: &Rules) -> bool {
        let local = rules.plan.authority == Authority::Local;
        let can = |store: &Option<Arc<dyn KvStore>>| {
            store.as_ref().is_some_and(|store| store.capabilities().has(Capability::LocalRead))
        };
        local && can(&self.stores.local) || rules.plan.local_copies && !self.direct && self.floor != Mode::Consistent
    }
}
