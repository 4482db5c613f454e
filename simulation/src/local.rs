//! A local tier without chance: a map that drops nothing before its deadline.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use hallway_core::{
    Capabilities, Clock, Cursor, DeleteIf, Entry, Key, KvStore, LocalTier, Object, Page, Prefix, Result, SetOptions,
    SetOutcome, Timestamp, Ttl,
};
use hallway_testkit::PlainStore;

/// Copies from which on it says that it is full.
const ROOM: usize = 4;

/// moka decides by chance and by real time what it drops, so it has no place in a run that must be the same twice.
#[derive(Debug)]
pub(crate) struct SimLocal {
    entries: PlainStore,
    copies: Mutex<Copies>,
    clock: Arc<dyn Clock>,
}

type Copies = BTreeMap<Key, Kept>;

struct Kept {
    object: Object,
    deadline: u64,
}

impl std::fmt::Debug for Kept {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Kept").field("deadline", &self.deadline).finish_non_exhaustive()
    }
}

impl SimLocal {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self { entries: PlainStore::new(), copies: Mutex::default(), clock }
    }

    fn copies(&self) -> std::sync::MutexGuard<'_, Copies> {
        self.copies.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl LocalTier for SimLocal {
    fn copy(&self, physical: &str) -> Option<Object> {
        let now = self.clock.now();
        self.copies().get(physical).filter(|kept| kept.deadline > now).map(|kept| Arc::clone(&kept.object))
    }

    fn keep(&self, key: &Key, object: Object, deadline: u64, _bytes: usize) {
        self.copies().insert(key.clone(), Kept { object, deadline });
    }

    fn forget(&self, key: &Key) {
        self.copies().remove(key);
    }

    /// Now and then full, so that both ways are taken.
    fn is_full(&self) -> bool {
        self.copies().len() > ROOM
    }

    fn clock(&self) -> Arc<dyn Clock> {
        Arc::clone(&self.clock)
    }
}

#[async_trait]
impl KvStore for SimLocal {
    fn capabilities(&self) -> Capabilities {
        self.entries.capabilities()
    }
    async fn get_entry(&self, key: &Key) -> Result<Option<Entry>> {
        self.entries.get_entry(key).await
    }
    async fn set(&self, key: &Key, value: Bytes, opts: SetOptions) -> Result<SetOutcome> {
        self.entries.set(key, value, opts).await
    }
    async fn delete_if(&self, key: &Key, when: DeleteIf) -> Result<bool> {
        self.entries.delete_if(key, when).await
    }
    async fn touch(&self, key: &Key, ttl: Ttl) -> Result<bool> {
        self.entries.touch(key, ttl).await
    }
    async fn scan(&self, prefix: &Prefix, after: Option<Cursor>, limit: usize) -> Result<Page> {
        self.entries.scan(prefix, after, limit).await
    }
    async fn time(&self) -> Result<Timestamp> {
        self.entries.time().await
    }
    fn with_deadline(&self, per_call: Duration) -> Arc<dyn KvStore> {
        self.entries.with_deadline(per_call)
    }
    fn as_local(&self) -> Option<&dyn LocalTier> {
        Some(self)
    }
}
