//! The map: moka below, deadlines and atomicity above.
//!
//! moka bounds the map and picks what leaves; it knows nothing of deadlines. Each value carries its own, and whatever is
//! past it is treated as absent, then removed by whoever met it or by the sweeper.

mod copies;

use std::collections::BinaryHeap;
use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, TryLockError};
use std::time::Duration;

use bytes::Bytes;
use hallway_core::{
    Clock, Cursor, DeleteIf, Entry, Error, Key, MAX_PAGE, Object, Page, Prefix, Result, SetIf, SetOptions, SetOutcome,
    Timestamp, Ttl, ValueCap, parse_canonical_i64,
};
use moka::sync::Cache;

use crate::config::{Bound, ENTRY_OVERHEAD};
use crate::hashed::{Hashed, HashedKey, PassThrough};

const STRIPES: usize = 1_024;

/// The deadline of an entry that never expires.
const NEVER: u64 = u64::MAX;

/// moka applies writes to its bound when 64 are waiting, and lets at most 384 wait. Entries whose 384 fit into a quarter
/// of the bound are therefore left to it; of heavier ones an eighth of the bound may wait.
const LEFT_TO_MOKA: u64 = 4 * 384;
const MAY_WAIT: u64 = 8;

/// Spare memory of a buffer that a value may keep alive beyond a quarter of its length, see [`own`].
const SPARE: usize = 64;

/// Entries that the sweeper looks at between two pauses.
const SLICE: usize = 1_024;

#[derive(Clone)]
struct Stored {
    content: Content,
    /// On the clock of the map; the entry or copy is live strictly before it.
    deadline: u64,
}

/// Which of the two it is, its key tells too, see [`HashedKey::is_copy`].
#[derive(Clone)]
enum Content {
    Entry(Bytes),
    /// What lives elsewhere, decoded, see [`LocalTier`](hallway_core::LocalTier).
    Copy {
        object: Object,
        /// What it counts for; moka's weights end at 4 GiB anyway.
        bytes: u32,
    },
}

impl Stored {
    fn into_value(self) -> Option<Bytes> {
        match self.content {
            Content::Entry(value) => Some(value),
            Content::Copy { .. } => None,
        }
    }

    fn value(&self) -> Option<&Bytes> {
        match &self.content {
            Content::Entry(value) => Some(value),
            Content::Copy { .. } => None,
        }
    }
}

pub(crate) struct Map {
    entries: Cache<HashedKey, Stored, PassThrough>,
    hasher: RandomState,
    /// Every change of a key holds its stripe, because moka's insert takes no lock that a compare-and-set could share.
    /// Blocking mutexes: nothing waits while holding one but for moka's own bookkeeping, and nobody holds two.
    stripes: Box<[Mutex<()>]>,
    clock: Arc<dyn Clock>,
    value_cap: ValueCap,
    bound: Bound,
    /// Weight of heavy entries written since the bound was last enforced.
    waiting: AtomicU64,
    /// No entry's deadline is earlier, so that the sweeper need not look before it.
    earliest: AtomicU64,
    /// Whether there ever was a copy, so that counting entries stays cheap where there is none.
    holds_copies: AtomicBool,
}

impl Map {
    pub(crate) fn new(bound: Bound, value_cap: ValueCap, clock: Arc<dyn Clock>) -> Self {
        let builder = Cache::builder();
        let builder = match bound {
            Bound::Bytes(max) => {
                builder.max_capacity(max).weigher(|key: &HashedKey, stored: &Stored| weight(key.as_key(), stored))
            }
            Bound::Entries(max) => builder.max_capacity(max),
        };
        Self {
            entries: builder.build_with_hasher(PassThrough),
            hasher: RandomState::new(),
            stripes: (0..STRIPES).map(|_| Mutex::new(())).collect(),
            clock,
            value_cap,
            bound,
            waiting: AtomicU64::new(0),
            earliest: AtomicU64::new(NEVER),
            holds_copies: AtomicBool::new(false),
        }
    }

    #[inline]
    pub(crate) fn get(&self, key: &Key) -> Option<Bytes> {
        self.read(self.entry(key)).and_then(Stored::into_value)
    }

    pub(crate) fn get_entry(&self, key: &Key) -> Option<Entry> {
        let stored = self.read(self.entry(key))?;
        if stored.deadline == NEVER {
            return stored.into_value().map(|value| Entry::new(value, Ttl::Forever));
        }
        // The clock may have passed the deadline since `read` looked at it.
        let remaining = stored.deadline.checked_sub(self.clock.now()).filter(|remaining| *remaining > 0)?;
        Some(Entry::new(stored.into_value()?, Ttl::After(Duration::from_millis(remaining / 1_000))))
    }

    pub(crate) fn set(&self, key: &Key, value: Bytes, opts: &SetOptions) -> Result<SetOutcome> {
        self.value_cap.check(value.len())?;
        let stored = Stored { deadline: self.deadline(opts.ttl)?, content: Content::Entry(own(value)) };
        let weight = weight(key, &stored);
        let hashed = self.entry(key);
        {
            let _stripe = self.lock(hashed);
            let holds = match &opts.condition {
                SetIf::Always => true,
                SetIf::Absent => self.live(hashed).is_none(),
                SetIf::Present => self.live(hashed).is_some(),
                SetIf::Equals(expected) => self.live(hashed).is_some_and(|seen| seen.value() == Some(expected)),
            };
            if !holds {
                return Ok(SetOutcome::ConditionNotMet);
            }
            self.put(key, hashed, stored);
        }
        self.settle(weight.into());
        Ok(SetOutcome::Written)
    }

    pub(crate) fn delete_if(&self, key: &Key, when: &DeleteIf) -> bool {
        self.delete_hashed(self.entry(key), when)
    }

    pub(crate) fn take(&self, key: &Key) -> Option<Bytes> {
        let hashed = self.entry(key);
        let _stripe = self.lock(hashed);
        self.remove_live(hashed)
    }

    pub(crate) fn touch(&self, key: &Key, ttl: Ttl) -> Result<bool> {
        let deadline = self.deadline(ttl)?;
        let hashed = self.entry(key);
        let _stripe = self.lock(hashed);
        let Some(stored) = self.live(hashed) else { return Ok(false) };
        self.put(key, hashed, Stored { deadline, ..stored });
        Ok(true)
    }

    pub(crate) fn increment(&self, key: &Key, by: i64, ttl: Ttl) -> Result<i64> {
        let created = self.deadline(ttl)?;
        let hashed = self.entry(key);
        let _stripe = self.lock(hashed);
        let live = self.live(hashed);
        let (sum, deadline) = match live.as_ref().and_then(|stored| Some((stored.value()?, stored.deadline))) {
            None => (by, created),
            Some((value, deadline)) => {
                let sum = parse_canonical_i64(value)?.checked_add(by).ok_or_else(|| {
                    Error::invalid_input("the sum does not fit a 64-bit integer; the counter keeps its value")
                })?;
                (sum, deadline)
            }
        };
        let value = Bytes::from(sum.to_string());
        self.value_cap.check(value.len())?;
        self.put(key, hashed, Stored { content: Content::Entry(own(value)), deadline });
        Ok(sum)
    }

    pub(crate) fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    /// Checks what a write asks for, before any write of a batch is done.
    pub(crate) fn check(&self, length: usize, ttl: Ttl) -> Result<()> {
        self.value_cap.check(length)?;
        ttl.whole_millis().map(drop)
    }

    /// The smallest live keys after the cursor. Looks at every entry, holds no more than a page and what moka's iterator
    /// holds: the keys of one of its 64 segments.
    pub(crate) fn scan(&self, prefix: &Prefix, after: Option<&Cursor>, limit: usize) -> Result<Page> {
        if limit == 0 {
            return Err(Error::invalid_input("a scan needs a limit of at least 1"));
        }
        let limit = limit.min(MAX_PAGE);
        let after = after.map_or("", Cursor::as_str);
        let now = self.clock.now();
        let mut smallest: BinaryHeap<Key> = BinaryHeap::new();
        let mut more = false;
        for (key, stored) in self.entries.iter().filter(|(key, _)| !key.is_copy()) {
            let key = key.as_key();
            if key.as_str() <= after || stored.deadline <= now || !prefix.matches(key.as_str()) {
                continue;
            }
            if smallest.len() < limit {
                smallest.push(key.clone());
                continue;
            }
            more = true;
            if let Some(mut largest) = smallest.peek_mut()
                && *key < *largest
            {
                *largest = key.clone();
            }
        }
        let mut keys = smallest.into_sorted_vec();
        // A key deleted and written again meanwhile may come twice.
        keys.dedup();
        let next = keys.last().filter(|_| more).map(|last| Cursor::new(last.as_str()));
        Ok(Page { keys, next })
    }

    pub(crate) fn clear(&self, prefix: &Prefix) -> Result<u64> {
        if prefix.is_root() {
            return Err(Error::invalid_input("clear needs a prefix; it never empties a whole store"));
        }
        let mut cleared = 0;
        let mine = |key: &HashedKey| !key.is_copy() && prefix.matches(key.as_key().as_str());
        for (key, _) in self.entries.iter().filter(|(key, _)| mine(key)) {
            cleared += u64::from(self.delete_hashed(key.as_hashed(), &DeleteIf::Always));
        }
        Ok(cleared)
    }

    pub(crate) fn timestamp(&self) -> Timestamp {
        self.clock.timestamp()
    }

    pub(crate) fn bound(&self) -> Bound {
        self.bound
    }

    pub(crate) fn entry_count(&self) -> u64 {
        if self.holds_copies.load(Ordering::Relaxed) {
            return self.entries.iter().filter(|(key, _)| !key.is_copy()).count() as u64;
        }
        self.held()
    }

    /// Entries and copies.
    pub(crate) fn held(&self) -> u64 {
        self.entries.entry_count()
    }

    /// Whether what is new pushes something out, or soon will: what waits to be counted may have filled the rest.
    pub(crate) fn is_full(&self) -> bool {
        let (held, max) = match self.bound {
            Bound::Bytes(max) => (self.entries.weighted_size(), max),
            Bound::Entries(max) => (self.entries.entry_count(), max),
        };
        held >= max - max / 32
    }

    pub(crate) fn weighted_bytes(&self) -> u64 {
        match self.bound {
            Bound::Bytes(_) => self.entries.weighted_size(),
            Bound::Entries(_) => {
                self.entries.iter().map(|(key, stored)| u64::from(weight(key.as_key(), &stored))).sum()
            }
        }
    }

    pub(crate) fn run_pending_tasks(&self) {
        self.entries.run_pending_tasks();
    }

    /// Whether an entry may be dead by now. It reads the clock, which the sweeper does at a steady pace also for its own
    /// sake: that is how cheap readings learn of a suspend.
    pub(crate) fn needs_sweep(&self) -> bool {
        self.clock.now() >= self.earliest.load(Ordering::SeqCst)
    }

    /// Removes dead entries and says how many; pauses between slices and stops when told so.
    pub(crate) fn sweep(&self, mut pause: impl FnMut() -> ControlFlow<()>) -> u64 {
        // Deadlines set from here on count for the next pass, those found alive are put back.
        self.earliest.store(NEVER, Ordering::SeqCst);
        let mut removed = 0;
        let mut left = SLICE;
        for (key, stored) in &self.entries {
            if stored.deadline <= self.clock.now() {
                let _stripe = self.lock(key.as_hashed());
                removed += u64::from(self.remove_if_dead(key.as_hashed()));
            } else {
                self.earliest.fetch_min(stored.deadline, Ordering::SeqCst);
            }
            left -= 1;
            if left == 0 {
                left = SLICE;
                if pause().is_break() {
                    self.earliest.store(0, Ordering::SeqCst);
                    break;
                }
            }
        }
        removed
    }

    fn delete_hashed(&self, key: Hashed<'_>, when: &DeleteIf) -> bool {
        let _stripe = self.lock(key);
        if let DeleteIf::Equals(expected) = when
            && self.live(key).is_none_or(|seen| seen.value() != Some(expected))
        {
            return false;
        }
        self.remove_live(key).is_some()
    }

    /// The live entry, on the hot path: no lock, no allocation, and the cheap clock unless the deadline is near.
    #[inline]
    fn read(&self, key: Hashed<'_>) -> Option<Stored> {
        let stored = self.entries.get(&key)?;
        if stored.deadline > self.clock.now_at_most() { Some(stored) } else { self.read_exactly(key, stored) }
    }

    #[cold]
    fn read_exactly(&self, key: Hashed<'_>, stored: Stored) -> Option<Stored> {
        if stored.deadline > self.clock.now() {
            return Some(stored);
        }
        // Readers never wait: if somebody is changing a key of this stripe, the sweeper removes the entry later.
        let stripe = match self.stripe(key).try_lock() {
            Ok(stripe) => Some(stripe),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        };
        if stripe.is_some() {
            self.remove_if_dead(key);
        }
        None
    }

    /// Under the stripe of `key`: what a condition sees.
    fn live(&self, key: Hashed<'_>) -> Option<Stored> {
        self.entries.get(&key).filter(|stored| stored.deadline > self.clock.now())
    }

    /// Under the stripe of `key`.
    fn remove_live(&self, key: Hashed<'_>) -> Option<Bytes> {
        let stored = self.entries.remove(&key)?;
        if stored.deadline > self.clock.now() { stored.into_value() } else { None }
    }

    /// Under the stripe of `key`: looks again, because a fresh entry may have taken the dead one's place.
    fn remove_if_dead(&self, key: Hashed<'_>) -> bool {
        let dead = self.entries.get(&key).is_some_and(|stored| stored.deadline <= self.clock.now());
        if dead {
            self.entries.invalidate(&key);
        }
        dead
    }

    /// Under the stripe of `key`.
    fn put(&self, key: &Key, hashed: Hashed<'_>, stored: Stored) {
        let deadline = stored.deadline;
        self.entries.insert(HashedKey::new(key, hashed), stored);
        // After the insert: either the pass that forgets `earliest` finds the entry, or this comes after it.
        if deadline < self.earliest.load(Ordering::SeqCst) {
            self.earliest.fetch_min(deadline, Ordering::SeqCst);
        }
    }

    fn deadline(&self, ttl: Ttl) -> Result<u64> {
        let millis = ttl.whole_millis()?;
        Ok(millis.map_or(NEVER, |millis| self.clock.now().saturating_add(millis.get() * 1_000)))
    }

    /// Keeps a storm of heavy writes from running away from the bound.
    fn settle(&self, weight: u64) {
        let Bound::Bytes(max) = self.bound else { return };
        if weight > max / LEFT_TO_MOKA && self.waiting.fetch_add(weight, Ordering::Relaxed) + weight > max / MAY_WAIT {
            self.waiting.store(0, Ordering::Relaxed);
            self.entries.run_pending_tasks();
        }
    }

    #[inline]
    fn entry<'a>(&self, key: &'a Key) -> Hashed<'a> {
        Hashed::of_entry(key.as_str(), self.hasher.hash_one(key))
    }

    #[inline]
    fn copy<'a>(&self, physical: &'a str) -> Hashed<'a> {
        Hashed::of_copy(physical, self.hasher.hash_one(physical))
    }

    fn stripe(&self, key: Hashed<'_>) -> &Mutex<()> {
        // Bits that moka uses neither to choose a segment (the highest) nor, in all but huge maps, a bucket (the lowest).
        &self.stripes[(key.hash >> 32) as usize % STRIPES]
    }

    fn lock(&self, key: Hashed<'_>) -> MutexGuard<'_, ()> {
        // The lock guards no data of its own, so a panic elsewhere leaves nothing half-done in it.
        self.stripe(key).lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Map {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Map").field("bound", &self.bound).field("held", &self.held()).finish_non_exhaustive()
    }
}

fn weight(key: &Key, stored: &Stored) -> u32 {
    let length = match &stored.content {
        Content::Entry(value) => value.len() as u64,
        Content::Copy { bytes, .. } => u64::from(*bytes),
    };
    u32::try_from(key.as_bytes().len() as u64 + length + ENTRY_OVERHEAD).unwrap_or(u32::MAX)
}

/// The value as it is kept: in a buffer about its own size, where that can be seen.
///
/// The first clone of a `Bytes` may allocate its counter. moka makes that clone when it inserts, so no hit does.
fn own(value: Bytes) -> Bytes {
    match value.try_into_mut() {
        // Nobody else holds the buffer, so it is us who would keep all of it alive.
        Ok(buffer) if buffer.capacity() > buffer.len() + buffer.len() / 4 + SPARE => Bytes::copy_from_slice(&buffer),
        Ok(buffer) => buffer.freeze(),
        Err(shared) => shared,
    }
}
