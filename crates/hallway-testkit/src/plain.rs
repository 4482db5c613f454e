//! The smallest honest store.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use hallway_core::{
    Capabilities, Capability, Clock, Cursor, DeleteIf, Entry, Error, ErrorKind, Key, KvStore, MAX_PAGE, Page, Prefix,
    Result, SetIf, SetOptions, SetOutcome, SystemClock, Timestamp, Ttl, ValueCap,
};

/// What an entry costs beside its key and value.
const OVERHEAD: usize = 128;

/// A map behind a mutex that implements the required methods and nothing else, so that the default bodies of
/// [`KvStore`] are tested as they are. For tests: every call takes the one lock.
#[derive(Clone)]
pub struct PlainStore {
    map: Arc<Mutex<Map>>,
    clock: Arc<dyn Clock>,
    cap: ValueCap,
    max_bytes: usize,
}

#[derive(Default)]
struct Map {
    entries: BTreeMap<Key, Stored>,
    bytes: usize,
}

struct Stored {
    value: Bytes,
    /// On the store's clock; `None` is forever.
    deadline: Option<u64>,
}

impl PlainStore {
    /// An empty store of at most 64 MiB on this machine's clock.
    #[must_use]
    pub fn new() -> Self {
        Self { map: Arc::default(), clock: Arc::new(SystemClock), cap: ValueCap::default(), max_bytes: 64 << 20 }
    }

    /// Decides expiry by another clock.
    #[must_use]
    pub fn with_clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Refuses values above another cap. Default: 1 MiB.
    #[must_use]
    pub fn with_value_cap(mut self, cap: ValueCap) -> Self {
        self.cap = cap;
        self
    }

    /// Holds at most this many bytes of keys, values and overhead; a write beyond answers `OutOfMemory`.
    /// Default: 64 MiB.
    #[must_use]
    pub fn with_max_bytes(mut self, bytes: usize) -> Self {
        self.max_bytes = bytes;
        self
    }

    fn lock(&self) -> MutexGuard<'_, Map> {
        // Every critical section leaves the map whole, so a panic elsewhere does not spoil it.
        self.map.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn deadline(&self, ttl: Ttl) -> Result<Option<u64>> {
        Ok(ttl.whole_millis()?.map(|millis| self.clock.now() + millis.get() * 1_000))
    }
}

impl Map {
    fn live(&mut self, key: &Key, now: u64) -> Option<&mut Stored> {
        if self.entries.get(key)?.deadline.is_some_and(|deadline| deadline <= now) {
            self.remove(key);
        }
        self.entries.get_mut(key)
    }

    fn remove(&mut self, key: &Key) {
        if let Some(stored) = self.entries.remove(key) {
            self.bytes -= weight(key, &stored.value);
        }
    }

    fn sweep(&mut self, now: u64) {
        let bytes = &mut self.bytes;
        self.entries.retain(|key, stored| {
            let live = stored.deadline.is_none_or(|deadline| now < deadline);
            if !live {
                *bytes -= weight(key, &stored.value);
            }
            live
        });
    }
}

fn weight(key: &Key, value: &Bytes) -> usize {
    key.as_bytes().len() + value.len() + OVERHEAD
}

#[async_trait]
impl KvStore for PlainStore {
    fn capabilities(&self) -> Capabilities {
        Capabilities::all().without(Capability::Durable).without(Capability::LocalRead).without(Capability::Shared)
    }

    async fn get_entry(&self, key: &Key) -> Result<Option<Entry>> {
        let now = self.clock.now();
        Ok(self.lock().live(key, now).map(|stored| {
            let remaining = match stored.deadline {
                Some(deadline) => Ttl::After(Duration::from_millis((deadline - now) / 1_000)),
                None => Ttl::Forever,
            };
            Entry::new(stored.value.clone(), remaining)
        }))
    }

    async fn set(&self, key: &Key, value: Bytes, opts: SetOptions) -> Result<SetOutcome> {
        self.cap.check(value.len()).map_err(|error| error.at("plain", "set").with_key(key))?;
        let mut map = self.lock();
        let deadline = self.deadline(opts.ttl)?;
        let now = self.clock.now();
        let old = map.live(key, now);
        let holds = match &opts.condition {
            SetIf::Absent => old.is_none(),
            SetIf::Always => true,
            SetIf::Equals(expected) => old.as_ref().is_some_and(|stored| stored.value == *expected),
            SetIf::Present => old.is_some(),
        };
        if !holds {
            return Ok(SetOutcome::ConditionNotMet);
        }
        let freed = old.map_or(0, |stored| weight(key, &stored.value));
        let added = weight(key, &value);
        if map.bytes - freed + added > self.max_bytes {
            map.sweep(now);
            if map.bytes - freed + added > self.max_bytes {
                let full =
                    format!("the store is full at {} bytes; delete entries or raise `max_bytes`", self.max_bytes);
                return Err(Error::new(ErrorKind::OutOfMemory, full).at("plain", "set").with_key(key));
            }
        }
        map.bytes = map.bytes - freed + added;
        map.entries.insert(key.clone(), Stored { value, deadline });
        Ok(SetOutcome::Written)
    }

    async fn delete_if(&self, key: &Key, when: DeleteIf) -> Result<bool> {
        let now = self.clock.now();
        let mut map = self.lock();
        let holds = match (map.live(key, now), when) {
            (None, _) => false,
            (Some(_), DeleteIf::Always) => true,
            (Some(stored), DeleteIf::Equals(expected)) => stored.value == expected,
        };
        if holds {
            map.remove(key);
        }
        Ok(holds)
    }

    async fn touch(&self, key: &Key, ttl: Ttl) -> Result<bool> {
        let mut map = self.lock();
        let deadline = self.deadline(ttl)?;
        let Some(stored) = map.live(key, self.clock.now()) else { return Ok(false) };
        stored.deadline = deadline;
        Ok(true)
    }

    async fn scan(&self, prefix: &Prefix, after: Option<Cursor>, limit: usize) -> Result<Page> {
        if limit == 0 {
            return Err(Error::invalid_input("a scan needs a limit of at least 1").at("plain", "scan"));
        }
        let limit = limit.min(MAX_PAGE);
        let now = self.clock.now();
        let first = prefix.to_physical();
        // A made-up cursor may lie before the prefix; the later of the two starts the range.
        let from = match after.as_ref().map(Cursor::as_str) {
            Some(last) if last >= first.as_str() => Bound::Excluded(last),
            _ => Bound::Included(first.as_str()),
        };
        let map = self.lock();
        let mut keys: Vec<Key> = map
            .entries
            .range::<str, _>((from, Bound::Unbounded))
            .take_while(|(key, _)| prefix.matches(key.as_str()))
            .filter(|(_, stored)| stored.deadline.is_none_or(|deadline| now < deadline))
            .map(|(key, _)| key.clone())
            .take(limit + 1)
            .collect();
        let more = keys.len() > limit;
        keys.truncate(limit);
        let next = keys.last().filter(|_| more).map(|last| Cursor::new(last.as_str()));
        Ok(Page { keys, next })
    }

    async fn time(&self) -> Result<Timestamp> {
        Ok(self.clock.timestamp())
    }

    fn with_deadline(&self, _: Duration) -> Arc<dyn KvStore> {
        // No call ever waits, so every deadline is kept.
        Arc::new(self.clone())
    }
}

impl Default for PlainStore {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for PlainStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let map = self.lock();
        f.debug_struct("PlainStore").field("entries", &map.entries.len()).field("bytes", &map.bytes).finish()
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;
    use crate::ManualClock;

    fn key(id: &str) -> Key {
        Key::from_physical(id).unwrap()
    }

    fn set(store: &PlainStore, id: &str, bytes: usize) -> Result<SetOutcome> {
        let opts = SetOptions::new(Duration::from_secs(1));
        store.set(&key(id), vec![b'x'; bytes].into(), opts).now_or_never().unwrap()
    }

    #[test]
    fn a_full_store_refuses_what_does_not_fit_and_keeps_the_rest() {
        let store = PlainStore::new().with_max_bytes(2 * (OVERHEAD + 101));
        set(&store, "a", 100).unwrap();
        set(&store, "b", 100).unwrap();
        assert_eq!(set(&store, "c", 1).unwrap_err().kind(), ErrorKind::OutOfMemory);
        assert_eq!(set(&store, "b", 101).unwrap_err().kind(), ErrorKind::OutOfMemory);
        // An overwrite counts what it frees.
        set(&store, "a", 99).unwrap();
        set(&store, "b", 101).unwrap();
        assert!(store.delete(&key("a")).now_or_never().unwrap().unwrap());
        set(&store, "c", 98).unwrap();
    }

    #[test]
    fn dead_entries_make_room() {
        let clock = ManualClock::new();
        let store = PlainStore::new().with_max_bytes(OVERHEAD + 101).with_clock(Arc::new(clock.clone()));
        set(&store, "a", 100).unwrap();
        assert_eq!(set(&store, "b", 100).unwrap_err().kind(), ErrorKind::OutOfMemory);
        clock.advance(Duration::from_secs(1));
        set(&store, "b", 100).unwrap();
        assert_eq!(store.lock().entries.len(), 1);
    }
}
