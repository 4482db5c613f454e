//! Stores that make a mistake which session stores are known for.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use hallway_core::{
    Capabilities, Cursor, DeleteIf, Entry, Key, KvStore, Page, Prefix, Result, SetIf, SetOptions, SetOutcome,
    Timestamp, Ttl,
};

/// A mistake of a session store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Slip {
    /// A save writes whatever is there, or is not.
    SavesAnyway,
    /// Removing "if it is still this" removes anything, and says that it did.
    RemovesAnyway,
    /// A session is answered from a copy in the process.
    KeepsCopies,
    /// Of a batch of sessions to end, the last stays.
    ForgetsOne,
}

impl Slip {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::SavesAnyway, Self::RemovesAnyway, Self::KeepsCopies, Self::ForgetsOne];
}

/// A store with a slip, or with none.
#[derive(Debug, Clone)]
pub(super) struct Slippery {
    inner: Arc<dyn KvStore>,
    slip: Option<Slip>,
    copies: Arc<Mutex<BTreeMap<Key, Entry>>>,
}

impl Slippery {
    pub(super) fn new(inner: Arc<dyn KvStore>, slip: Option<Slip>) -> Self {
        Self { inner, slip, copies: Arc::default() }
    }

    fn slips(&self, slip: Slip) -> bool {
        self.slip == Some(slip)
    }
}

#[async_trait]
impl KvStore for Slippery {
    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    async fn get_entry(&self, key: &Key) -> Result<Option<Entry>> {
        if !self.slips(Slip::KeepsCopies) {
            return self.inner.get_entry(key).await;
        }
        let copy = self.copies.lock().unwrap_or_else(PoisonError::into_inner).get(key).cloned();
        if copy.is_some() {
            return Ok(copy);
        }
        let entry = self.inner.get_entry(key).await?;
        if let Some(entry) = &entry {
            self.copies.lock().unwrap_or_else(PoisonError::into_inner).insert(key.clone(), entry.clone());
        }
        Ok(entry)
    }

    async fn set(&self, key: &Key, value: Bytes, mut opts: SetOptions) -> Result<SetOutcome> {
        if self.slips(Slip::SavesAnyway) && matches!(opts.condition, SetIf::Equals(_)) {
            opts.condition = SetIf::Always;
        }
        self.inner.set(key, value, opts).await
    }

    async fn delete_if(&self, key: &Key, when: DeleteIf) -> Result<bool> {
        if self.slips(Slip::RemovesAnyway) && when != DeleteIf::Always {
            self.inner.delete(key).await?;
            return Ok(true);
        }
        self.inner.delete_if(key, when).await
    }

    async fn delete_many(&self, keys: &[Key]) -> Result<u64> {
        let keys = match keys {
            [first @ .., _] if self.slips(Slip::ForgetsOne) => first,
            keys => keys,
        };
        self.inner.delete_many(keys).await
    }

    async fn take(&self, key: &Key) -> Result<Option<Bytes>> {
        self.inner.take(key).await
    }

    async fn touch(&self, key: &Key, ttl: Ttl) -> Result<bool> {
        self.inner.touch(key, ttl).await
    }

    async fn scan(&self, prefix: &Prefix, after: Option<Cursor>, limit: usize) -> Result<Page> {
        self.inner.scan(prefix, after, limit).await
    }

    async fn time(&self) -> Result<Timestamp> {
        self.inner.time().await
    }

    async fn get_many(&self, keys: &[Key]) -> Result<Vec<Option<Bytes>>> {
        self.inner.get_many(keys).await
    }

    async fn get_entries(&self, keys: &[Key]) -> Result<Vec<Option<Entry>>> {
        self.inner.get_entries(keys).await
    }

    fn with_deadline(&self, per_call: Duration) -> Arc<dyn KvStore> {
        Arc::new(Self { inner: self.inner.with_deadline(per_call), ..self.clone() })
    }
}
