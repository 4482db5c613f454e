//! A sound store with one defect.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::FutureExt;
use hallway_core::{
    Capabilities, Capability, Cursor, DeleteIf, Entry, Error, ErrorKind, Key, KvStore, Page, Prefix, Result, SetIf,
    SetOptions, SetOutcome, Timestamp, Ttl,
};
use hallway_testkit::PlainStore;

/// What is wrong with a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Defect {
    ChangesAByte,
    ClaimsTouch,
    DropsFreshEntries,
    DropsTtl,
    FoldsCase,
    InsertsInTwoSteps,
    KeepsTheOldTtl,
    LeaksAcrossPrefixes,
    /// No defect, but nothing beyond get, set and delete.
    Minimal,
    /// No defect.
    None,
    /// No defect, and hits without waiting.
    ReadsLocally,
    RenewsCounters,
    ReordersGetMany,
    ServesOldCopies,
    ShowsKeys,
    SkipsInScans,
    SwapsInTwoSteps,
    TakesInTwoSteps,
    TellsLivesInSeconds,
    TouchesByWritingBack,
    TurnsErrorsIntoNone,
}

/// A [`PlainStore`] that says that it is durable and shared, which it is as far as one process can tell.
#[derive(Clone)]
pub(crate) struct Broken {
    inner: PlainStore,
    defect: Defect,
    failed: bool,
    copies: Arc<Mutex<BTreeMap<Key, Bytes>>>,
}

impl Broken {
    pub(crate) fn new(inner: PlainStore, defect: Defect) -> Self {
        Self { inner, defect, failed: false, copies: Arc::default() }
    }

    /// The same store, as it is when its backend is gone.
    pub(crate) fn failed(&self) -> Self {
        Self { failed: true, ..self.clone() }
    }

    fn is(&self, defect: Defect) -> bool {
        self.defect == defect
    }

    fn reached(&self) -> Result<()> {
        if self.failed { Err(Error::new(ErrorKind::Unavailable, "the backend is gone")) } else { Ok(()) }
    }

    fn needs(&self, capability: Capability) -> Result<()> {
        let can = self.capabilities().has(capability);
        if can { Ok(()) } else { Err(Error::unsupported(format!("this store lacks {capability:?}"))) }
    }

    fn accepts(&self, ttl: Ttl) -> Result<()> {
        ttl.whole_millis()?;
        if ttl.is_forever() { self.needs(Capability::Forever) } else { Ok(()) }
    }

    /// The key that the defect makes of a key.
    fn bent(&self, key: &Key) -> Key {
        if self.is(Defect::FoldsCase) {
            return key.namespace().key(&key.id().to_lowercase()).unwrap_or_else(|_| key.clone());
        }
        key.clone()
    }

    /// Wide enough for every other caller to come between.
    async fn gap(&self) {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

#[async_trait]
impl KvStore for Broken {
    fn capabilities(&self) -> Capabilities {
        let lasting = Capabilities::none().with(Capability::Durable).with(Capability::Shared);
        match self.defect {
            Defect::Minimal => lasting,
            Defect::ReadsLocally | Defect::ServesOldCopies => Capabilities::all(),
            _ => Capabilities::all().without(Capability::LocalRead),
        }
    }

    async fn get_entry(&self, key: &Key) -> Result<Option<Entry>> {
        if self.is(Defect::TurnsErrorsIntoNone) && self.failed {
            return Ok(None);
        }
        self.reached()?;
        let mut read = self.inner.get_entry(&self.bent(key)).await?;
        if self.is(Defect::DropsFreshEntries) && read.is_none() {
            self.gap().await;
            self.inner.delete(key).await?;
        }
        if let (Some(entry), true) = (&mut read, self.is(Defect::TellsLivesInSeconds)) {
            entry.remaining = match entry.remaining {
                Ttl::After(rest) => Ttl::After(Duration::from_secs(rest.as_secs())),
                Ttl::Forever => Ttl::Forever,
            };
        }
        if let (Some(entry), true) = (&read, self.is(Defect::ServesOldCopies)) {
            self.copies.lock().unwrap().insert(key.clone(), entry.value.clone());
        }
        Ok(read)
    }

    async fn set(&self, key: &Key, value: Bytes, mut opts: SetOptions) -> Result<SetOutcome> {
        self.accepts(opts.ttl)?;
        if opts.condition != SetIf::Always {
            self.needs(Capability::ConditionalSet)?;
        }
        self.reached()?;
        let key = &self.bent(key);
        let mut value = value;
        match (self.defect, opts.condition.clone()) {
            (Defect::ChangesAByte, _) => {
                value = value.iter().map(|byte| if *byte == 0xfe { 0xff } else { *byte }).collect();
            }
            (Defect::DropsTtl, _) => opts.ttl = Ttl::Forever,
            (Defect::KeepsTheOldTtl, _) => {
                if let Some(old) = self.inner.get_entry(key).await? {
                    opts.ttl = old.remaining;
                }
            }
            (Defect::InsertsInTwoSteps, SetIf::Absent) => {
                if self.inner.get(key).await?.is_some() {
                    return Ok(SetOutcome::ConditionNotMet);
                }
                self.gap().await;
                opts.condition = SetIf::Always;
            }
            (Defect::SwapsInTwoSteps, SetIf::Equals(expected)) => {
                if self.inner.get(key).await? != Some(expected) {
                    return Ok(SetOutcome::ConditionNotMet);
                }
                self.gap().await;
                opts.condition = SetIf::Always;
            }
            _ => {}
        }
        self.inner.set(key, value, opts).await
    }

    async fn delete_if(&self, key: &Key, when: DeleteIf) -> Result<bool> {
        if when != DeleteIf::Always {
            self.needs(Capability::ConditionalDelete)?;
        }
        self.reached()?;
        self.inner.delete_if(&self.bent(key), when).await
    }

    async fn touch(&self, key: &Key, ttl: Ttl) -> Result<bool> {
        self.needs(Capability::Touch)?;
        self.accepts(ttl)?;
        self.reached()?;
        if self.is(Defect::ClaimsTouch) {
            return Err(Error::unsupported("this store cannot touch"));
        }
        if self.is(Defect::TouchesByWritingBack) {
            let Some(value) = self.inner.get(key).await? else { return Ok(false) };
            self.gap().await;
            self.inner.set(key, value, SetOptions::new(ttl)).await?;
            return Ok(true);
        }
        self.inner.touch(&self.bent(key), ttl).await
    }

    async fn scan(&self, prefix: &Prefix, after: Option<Cursor>, limit: usize) -> Result<Page> {
        self.needs(Capability::Scan)?;
        self.reached()?;
        let first = after.is_none();
        if self.is(Defect::LeaksAcrossPrefixes) && !prefix.is_root() {
            // Everything that starts with the text of the namespace.
            let all = self.inner.scan(&Prefix::root(), after, limit).await?;
            let text = prefix.namespace().as_str();
            let keys = all.keys.into_iter().filter(|key| key.as_str().starts_with(text)).collect();
            return Ok(Page { keys, next: all.next });
        }
        let mut page = self.inner.scan(prefix, after, limit).await?;
        if self.is(Defect::SkipsInScans) && !first && !page.keys.is_empty() {
            page.keys.remove(0);
        }
        Ok(page)
    }

    async fn time(&self) -> Result<Timestamp> {
        self.reached()?;
        self.inner.time().await
    }

    fn with_deadline(&self, _: Duration) -> Arc<dyn KvStore> {
        Arc::new(self.clone())
    }

    fn try_get(&self, key: &Key) -> Option<Bytes> {
        match self.defect {
            Defect::ReadsLocally => self.inner.get(key).now_or_never()?.ok()?,
            _ => self.copies.lock().unwrap().get(key).cloned(),
        }
    }

    async fn take(&self, key: &Key) -> Result<Option<Bytes>> {
        let Some(entry) = self.get_entry(key).await? else { return self.reached().map(|()| None) };
        if self.is(Defect::TakesInTwoSteps) {
            self.gap().await;
            self.delete(key).await?;
            return Ok(Some(entry.value));
        }
        let taken = self.delete_if(key, DeleteIf::Equals(entry.value.clone())).await?;
        if taken { Ok(Some(entry.value)) } else { self.inner.take(key).await }
    }

    async fn increment(&self, key: &Key, by: i64, ttl: Ttl) -> Result<i64> {
        self.accepts(ttl)?;
        self.needs(Capability::ConditionalSet)?;
        self.reached()?;
        let sum = self.inner.increment(&self.bent(key), by, ttl).await?;
        match self.defect {
            Defect::RenewsCounters => drop(self.inner.touch(key, ttl).await?),
            Defect::DropsTtl => drop(self.inner.touch(key, Ttl::Forever).await?),
            _ => {}
        }
        Ok(sum)
    }

    async fn get_many(&self, keys: &[Key]) -> Result<Vec<Option<Bytes>>> {
        let mut sorted: Vec<_> = keys.to_vec();
        if self.is(Defect::ReordersGetMany) {
            sorted.sort();
        }
        if self.is(Defect::DropsFreshEntries) {
            // Its gap, ten thousand times, would take a minute.
            self.reached()?;
            return self.inner.get_many(&sorted).await;
        }
        let mut values = Vec::with_capacity(sorted.len());
        for key in &sorted {
            values.push(self.get(key).await?);
        }
        Ok(values)
    }
}

impl fmt::Debug for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is(Defect::ShowsKeys) {
            let page = self.inner.scan(&Prefix::root(), None, 10).now_or_never();
            let keys: Vec<_> =
                page.into_iter().flatten().flat_map(|page| page.keys).map(|key| key.as_str().to_owned()).collect();
            return f.debug_struct("Broken").field("keys", &keys).finish();
        }
        f.debug_struct("Broken").finish_non_exhaustive()
    }
}
