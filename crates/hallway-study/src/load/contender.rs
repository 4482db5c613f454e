//! A store used in one way.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;

use crate::Result;

/// A store used in one way. Each task works on a clone of its own, so a connection handle can be part of it.
///
/// Static dispatch: the loop around an in-process hit must not cost more than the hit.
pub trait Contender: Clone + Send + Sync + 'static {
    /// How this contender wants its keys; built before anything is timed.
    type Key: Send + Sync + 'static;
    /// What a read returns.
    type Value: AsRef<[u8]> + Send;

    /// Builds a key.
    ///
    /// # Errors
    /// If the text is no key here.
    fn key(&self, text: &str) -> Result<Self::Key>;

    /// Reads one value.
    fn get(&mut self, key: &Self::Key) -> impl Future<Output = Result<Option<Self::Value>>> + Send;

    /// Writes one value.
    fn set(&mut self, key: &Self::Key, value: &Bytes) -> impl Future<Output = Result<()>> + Send;

    /// Reads many values in the order of the keys. Default: one after the other, as code does that never heard of
    /// batches.
    fn get_many(&mut self, keys: &[Self::Key]) -> impl Future<Output = Result<Vec<Option<Self::Value>>>> + Send {
        async move {
            let mut values = Vec::with_capacity(keys.len());
            for key in keys {
                values.push(self.get(key).await?);
            }
            Ok(values)
        }
    }
}

/// A contender that asks a source for what it does not find.
pub trait CacheAside: Contender {
    /// The same contender with nothing in this process yet; what servers hold is kept.
    fn anew(&self) -> impl Future<Output = Result<Self>> + Send;

    /// Reads a value; if it is nowhere, loads it, keeps it and returns it.
    fn load(&mut self, key: &Self::Key, loader: &Loader) -> impl Future<Output = Result<Self::Value>> + Send;
}

/// The source behind a cache; a clone is the same source.
#[derive(Debug, Clone)]
pub struct Loader {
    value: Bytes,
    takes: Duration,
    loads: Arc<AtomicU64>,
}

impl Loader {
    /// A source that answers with this value after a while.
    #[must_use]
    pub fn new(value: Bytes, takes: Duration) -> Self {
        Self { value, takes, loads: Arc::default() }
    }

    /// The same source for another value.
    #[must_use]
    pub fn of(&self, value: Bytes) -> Self {
        Self { value, takes: self.takes, loads: self.loads.clone() }
    }

    /// What a contender does on a miss.
    pub async fn load(&self) -> Bytes {
        self.loads.fetch_add(1, Ordering::Relaxed);
        if !self.takes.is_zero() {
            tokio::time::sleep(self.takes).await;
        }
        self.value.clone()
    }

    /// How often it was asked.
    #[must_use]
    pub fn loads(&self) -> u64 {
        self.loads.load(Ordering::Relaxed)
    }
}
