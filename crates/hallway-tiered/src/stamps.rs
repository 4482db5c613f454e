//! Stamps: what has changed in this process's view since a fetch began.

use std::sync::atomic::{AtomicU64, Ordering};

/// Epoch and stamp, read before a fetch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp {
    epoch: u64,
    stamp: u64,
}

/// High 48 bits generation, low 16 bits local writers in flight.
#[derive(Debug)]
pub(crate) struct Stamps {
    epoch: AtomicU64,
    slots: Box<[AtomicU64]>,
}

const GENERATION: u64 = 1 << 16;

impl Stamps {
    pub(crate) fn new(slots: usize) -> Self {
        Self { epoch: AtomicU64::new(0), slots: (0..slots).map(|_| AtomicU64::new(0)).collect() }
    }
    pub(crate) fn note(&self, slot: u32) -> Stamp {
        Stamp { epoch: self.epoch.load(Ordering::SeqCst), stamp: self.slots[slot as usize].load(Ordering::SeqCst) }
    }
    pub(crate) fn is_current(&self, slot: u32, noted: Stamp) -> bool {
        noted.stamp % GENERATION == 0 && self.note(slot) == noted
    }
    pub(crate) fn begin_write(&self, slot: u32) {
        self.slots[slot as usize].fetch_add(GENERATION + 1, Ordering::SeqCst);
    }
    pub(crate) fn end_write(&self, slot: u32) {
        self.slots[slot as usize].fetch_add(GENERATION - 1, Ordering::SeqCst);
    }
    pub(crate) fn bump(&self, slot: u32) {
        self.slots[slot as usize].fetch_add(GENERATION, Ordering::SeqCst);
    }
    /// Bumps it if nothing has changed since `noted`, and says what it is now: whoever noted `noted` is outdated, and
    /// nothing else is.
    pub(crate) fn bump_from(&self, slot: u32, noted: Stamp) -> Option<Stamp> {
        let next = Stamp { epoch: noted.epoch, stamp: noted.stamp + GENERATION };
        let order = (Ordering::SeqCst, Ordering::SeqCst);
        let bumped = noted.stamp % GENERATION == 0
            && self.slots[slot as usize].compare_exchange(noted.stamp, next.stamp, order.0, order.1).is_ok();
        bumped.then_some(next)
    }
    /// As [`is_current`](Self::is_current), but for what no other process can change: epochs do not matter.
    pub(crate) fn is_same(&self, slot: u32, noted: Stamp) -> bool {
        noted.stamp % GENERATION == 0 && self.slots[slot as usize].load(Ordering::SeqCst) == noted.stamp
    }
    pub(crate) fn bump_epoch(&self) {
        self.epoch.fetch_add(1, Ordering::SeqCst);
    }
}
