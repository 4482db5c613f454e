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

/// Reads of the log that hit in a moka cache of so many entries, each request a get and, on a miss, an insert.
///
/// That is moka's TinyLFU with one thread; with more of them it sees requests later and in another order, and figures
/// differ in the third place. `progress` is told now and then how many requests are done.
#[must_use]
pub fn moka_hits(log: &Log, entries: u64, on_write: OnWrite, progress: &mut dyn FnMut(u64)) -> u64 {
    // Seeded alike in every run: the policy's sketch of frequencies goes by these hashes.
    let cache: Cache<KeyId, (), _> =
        Cache::builder().max_capacity(entries).build_with_hasher(BuildHasherDefault::<DefaultHasher>::default());
    let housekeeping = (entries / OVERSHOOT).clamp(1, HOUSEKEEPING);
    let mut hits = 0;
    for (now, request) in (0_u64..).zip(log.iter()) {
        if now.is_multiple_of(housekeeping) {
            cache.run_pending_tasks();
        }
        if now.is_multiple_of(BREATH) {
            progress(now);
        }
        match (request.op, on_write) {
            (Op::Read, _) if cache.get(&request.key).is_some() => hits += 1,
            (Op::Read, _) | (Op::Write, OnWrite::Keep) => cache.insert(request.key, ()),
            (Op::Write, OnWrite::Invalidate) | (Op::Delete, _) => cache.invalidate(&request.key),
        }
    }
    hits
}
