//! How often moka hits: measured on the crate itself, not on a model of it.

use std::hash::{BuildHasherDefault, DefaultHasher};

use moka::sync::Cache;

use super::log::Log;
use super::request::{KeyId, OnWrite, Op};

/// Requests between two looks at progress.
pub(super) const BREATH: u64 = 1 << 14;

/// At most so many requests between two rounds of moka's own housekeeping. It does most of its work by itself after
/// some hundred operations or a third of a second; asked for more often, what it decides depends less on the clock.
const HOUSEKEEPING: u64 = 64;

/// Until its housekeeping moka may hold more than its capacity: at most by one part in so many.
const OVERSHOOT: u64 = 16;

/// moka as it is put through a stream with one thread.
#[derive(Debug)]
pub(super) struct Moka {
    // Seeded alike in every run: the policy's sketch of frequencies goes by these hashes.
    cache: Cache<KeyId, (), BuildHasherDefault<DefaultHasher>>,
    housekeeping: u64,
    requests: u64,
}

impl Moka {
    pub(super) fn new(entries: u64) -> Self {
        let cache = Cache::builder().max_capacity(entries).build_with_hasher(BuildHasherDefault::default());
        Self { cache, housekeeping: (entries / OVERSHOOT).clamp(1, HOUSEKEEPING), requests: 0 }
    }

    /// Before each request.
    fn tick(&mut self) {
        if self.requests.is_multiple_of(self.housekeeping) {
            self.cache.run_pending_tasks();
        }
        self.requests += 1;
    }

    /// Whether it holds the key, which is asked for.
    pub(super) fn get(&mut self, key: KeyId) -> bool {
        self.tick();
        self.cache.get(&key).is_some()
    }

    pub(super) fn insert(&mut self, key: KeyId) {
        self.cache.insert(key, ());
    }

    pub(super) fn remove(&mut self, key: KeyId) {
        self.cache.invalidate(&key);
    }
}

/// Reads of the log that hit in a moka cache of so many entries, each request a get and, on a miss, an insert.
///
/// That is moka's TinyLFU with one thread; with more of them it sees requests later and in another order, and figures
/// differ in the third place. `progress` is told now and then how many requests are done.
#[must_use]
pub fn moka_hits(log: &Log, entries: u64, on_write: OnWrite, progress: &mut dyn FnMut(u64)) -> u64 {
    let mut cache = Moka::new(entries);
    let mut hits = 0;
    for (now, request) in (0_u64..).zip(log.iter()) {
        if now.is_multiple_of(BREATH) {
            progress(now);
        }
        match (request.op, on_write) {
            (Op::Read, _) if cache.get(request.key) => hits += 1,
            (Op::Read, _) => cache.insert(request.key),
            (Op::Write, OnWrite::Keep) => {
                cache.tick();
                cache.insert(request.key);
            }
            (Op::Write, OnWrite::Invalidate) | (Op::Delete, _) => {
                cache.tick();
                cache.remove(request.key);
            }
        }
    }
    hits
}
