//! Stamps: what has changed in this process's view since a fetch began.
//!
//! Each key belongs to a slot by its hash. Whoever fetches notes the slot before the fetch begins, and what it brings
//! carries that note; a copy may answer only while nothing has happened in its slot since. So the order in which maps
//! insert and remove never matters, and a late fill needs no help to be refused.
//!
//! Orderings. Two things must hold, and release on every change with acquire on every look gives both:
//! - Whoever looks after a change in the sense of happens-before finds it, because a location never goes back. So a
//!   note taken before the change is outdated for everybody who can know of it.
//! - Whoever notes what a change left behind fetches what the change was about: the fetch cannot move before the note,
//!   nor the write behind the end of its marks.
//!
//! Nothing here relies on the order of two locations, with one duty left to the caller: who proves by a clock that no
//! change is missing must look at the proof first and at the stamp last (see `model.rs`).

use std::collections::HashMap;
use std::fmt::Debug;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

#[cfg(test)]
mod model;

/// Epoch and stamp, read before a fetch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stamp {
    epoch: u64,
    stamp: u64,
}

impl Stamp {
    /// Whoever notes while a write is going on cannot know what it fetches.
    fn amid_writes(self) -> bool {
        self.stamp & WRITERS != 0
    }
}

/// The table: a fixed number of slots, and an epoch for all of them.
///
/// A slot is 48 bits of generation, which every change moves on and which wraps, above 16 bits that count the writers of
/// this process in flight. A note would have to wait for 2^48 changes of one slot to be taken for current again.
#[derive(Debug)]
pub(crate) struct Stamps<A = AtomicU64> {
    epoch: A,
    slots: Box<[A]>,
    /// Writers that found the count of their slot full. While there is one, the count stays full.
    beyond: Mutex<HashMap<u32, u64>>,
}

const GENERATION: u64 = 1 << 16;
const WRITERS: u64 = GENERATION - 1;

impl<A: Atomic> Stamps<A> {
    pub(crate) fn new(slots: usize) -> Self {
        Self { epoch: A::new(0), slots: (0..slots).map(|_| A::new(0)).collect(), beyond: Mutex::new(HashMap::new()) }
    }

    /// To be read before a fetch begins.
    #[inline]
    pub(crate) fn note(&self, slot: u32) -> Stamp {
        // Not one instant, and need not be: a change between the two is before the fetch, or outdates the note.
        Stamp { epoch: self.epoch.load(), stamp: self.slot(slot).load() }
    }

    /// Whether nothing has happened since `noted`, and nobody was writing then: what was fetched since may answer.
    #[inline]
    pub(crate) fn is_current(&self, slot: u32, noted: Stamp) -> bool {
        !noted.amid_writes() && self.note(slot) == noted
    }

    /// As [`is_current`](Self::is_current), but for what no other process can change: epochs do not matter.
    #[inline]
    pub(crate) fn is_same(&self, slot: u32, noted: Stamp) -> bool {
        !noted.amid_writes() && self.slot(slot).load() == noted.stamp
    }

    /// Before a write is sent: from here to [`end_write`](Self::end_write), which must follow whatever becomes of the
    /// write, no copy of the slot may answer, and what is noted never may.
    pub(crate) fn begin_write(&self, slot: u32) {
        if self.step(slot, GENERATION + 1) {
            return;
        }
        let mut beyond = self.beyond();
        if !self.step(slot, GENERATION + 1) {
            *beyond.entry(slot).or_default() += 1;
            self.bump(slot);
        }
    }

    /// After a write took effect, failed for certain, or can no longer happen; before anybody hears of it.
    pub(crate) fn end_write(&self, slot: u32) {
        if self.step(slot, GENERATION - 1) {
            return;
        }
        let mut beyond = self.beyond();
        if self.step(slot, GENERATION - 1) {
            return;
        }
        match beyond.get_mut(&slot) {
            Some(more) => {
                *more -= 1;
                if *more == 0 {
                    beyond.remove(&slot);
                }
                self.bump(slot);
            }
            // Full and held full by the lock, so this leaves one writer less and borrows nothing.
            None => self.slot(slot).add(GENERATION - 1),
        }
    }

    /// Outdates everything of the slot.
    #[inline]
    pub(crate) fn bump(&self, slot: u32) {
        self.slot(slot).add(GENERATION);
    }

    /// Bumps it if nothing has changed since `noted`, and says what it is now: whoever noted `noted` is outdated, and
    /// nothing else is.
    pub(crate) fn bump_from(&self, slot: u32, noted: Stamp) -> Option<Stamp> {
        let next = Stamp { stamp: noted.stamp.wrapping_add(GENERATION), ..noted };
        let bumped = !noted.amid_writes() && self.slot(slot).replace(noted.stamp, next.stamp).is_ok();
        bumped.then_some(next)
    }

    /// Outdates everything.
    pub(crate) fn bump_epoch(&self) {
        self.epoch.add(1);
    }

    fn slot(&self, slot: u32) -> &A {
        &self.slots[slot as usize]
    }

    /// Adds to a slot unless its count of writers is full: then only whoever holds `beyond` may change the count.
    fn step(&self, slot: u32, by: u64) -> bool {
        let slot = self.slot(slot);
        let mut seen = slot.load();
        while seen & WRITERS != WRITERS {
            match slot.replace(seen, seen.wrapping_add(by)) {
                Ok(()) => return true,
                Err(changed) => seen = changed,
            }
        }
        false
    }

    fn beyond(&self) -> MutexGuard<'_, HashMap<u32, u64>> {
        // A blocking mutex: only counting happens under it, and only beyond 65,535 writers in one slot.
        self.beyond.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The atomics below, so that a model checker can bring its own.
pub(crate) trait Atomic: Debug {
    fn new(value: u64) -> Self;
    /// With acquire.
    fn load(&self) -> u64;
    /// Wraps; with acquire and release.
    fn add(&self, by: u64);
    /// `Err` with what was found instead of `from`; with acquire and release.
    fn replace(&self, from: u64, to: u64) -> Result<(), u64>;
}

impl Atomic for AtomicU64 {
    fn new(value: u64) -> Self {
        Self::new(value)
    }

    #[inline]
    fn load(&self) -> u64 {
        self.load(Ordering::Acquire)
    }

    #[inline]
    fn add(&self, by: u64) {
        self.fetch_add(by, Ordering::AcqRel);
    }

    #[inline]
    fn replace(&self, from: u64, to: u64) -> Result<(), u64> {
        self.compare_exchange(from, to, Ordering::AcqRel, Ordering::Acquire).map(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stamps() -> Stamps {
        Stamps::new(16)
    }

    #[test]
    fn a_note_is_current_until_its_slot_or_the_epoch_changes() {
        let stamps = stamps();
        let (here, there) = (stamps.note(3), stamps.note(4));
        assert!(stamps.is_current(3, here) && stamps.is_same(3, here));
        stamps.bump(3);
        assert!(!stamps.is_current(3, here) && !stamps.is_same(3, here));
        assert!(stamps.is_current(4, there));
        stamps.bump_epoch();
        assert!(!stamps.is_current(4, there));
        assert!(stamps.is_same(4, there), "the epoch does not matter for it");
        assert!(stamps.is_current(4, stamps.note(4)));
    }

    #[test]
    fn nothing_noted_before_or_during_a_write_is_current_after_it() {
        let stamps = stamps();
        let before = stamps.note(3);
        stamps.begin_write(3);
        let during = stamps.note(3);
        assert!(!stamps.is_current(3, before) && !stamps.is_current(3, during) && !stamps.is_same(3, during));
        stamps.begin_write(3);
        let both = stamps.note(3);
        stamps.end_write(3);
        let one = stamps.note(3);
        assert!(!stamps.is_current(3, one), "the other is still writing");
        stamps.end_write(3);
        for noted in [before, during, both, one] {
            assert!(!stamps.is_current(3, noted) && !stamps.is_same(3, noted));
        }
        assert!(stamps.is_current(3, stamps.note(3)));
    }

    #[test]
    fn a_bump_from_a_note_outdates_that_note_alone() {
        let stamps = stamps();
        let noted = stamps.note(3);
        let next = stamps.bump_from(3, noted).unwrap();
        assert!(stamps.is_current(3, next) && !stamps.is_current(3, noted));
        assert_eq!(stamps.bump_from(3, noted), None);
        stamps.begin_write(3);
        assert_eq!(stamps.bump_from(3, next), None);
        assert_eq!(stamps.bump_from(3, stamps.note(3)), None, "amid a write");
    }

    #[test]
    fn generations_wrap_and_leave_the_writers_alone() {
        let stamps = Stamps { slots: Box::new([AtomicU64::new(u64::MAX - WRITERS)]), ..stamps() };
        let last = stamps.note(0);
        assert!(stamps.is_current(0, last));
        assert!(stamps.bump_from(0, last).is_some_and(|next| next.stamp == 0));
        assert!(!stamps.is_current(0, last));
        let stamps = Stamps { slots: Box::new([AtomicU64::new(u64::MAX - WRITERS)]), ..self::stamps() };
        stamps.begin_write(0);
        assert_eq!(stamps.note(0).stamp, 1);
        stamps.end_write(0);
        assert_eq!(stamps.note(0).stamp, GENERATION);
        let stamps = Stamps { epoch: AtomicU64::new(u64::MAX), ..self::stamps() };
        let noted = stamps.note(0);
        stamps.bump_epoch();
        assert!(!stamps.is_current(0, noted));
    }

    /// More writers in one slot than its count holds: as long as one is left, nothing may answer.
    #[test]
    fn more_writers_than_can_be_counted_are_counted() {
        let stamps = stamps();
        let writers = WRITERS + 1_000;
        for _ in 0..writers {
            let noted = stamps.note(3);
            stamps.begin_write(3);
            assert!(!stamps.is_current(3, noted));
        }
        for _ in 0..writers {
            let noted = stamps.note(3);
            assert!(!stamps.is_current(3, noted));
            stamps.end_write(3);
            assert_ne!(stamps.note(3), noted, "every change shows");
        }
        assert!(stamps.is_current(3, stamps.note(3)));
        assert!(stamps.beyond().is_empty());
    }

    #[test]
    fn threads_at_the_edge_of_the_count_lose_none() {
        let stamps = stamps();
        for _ in 0..WRITERS - 2 {
            stamps.begin_write(3);
        }
        std::thread::scope(|threads| {
            for _ in 0..4 {
                threads.spawn(|| {
                    for _ in 0..20_000 {
                        stamps.begin_write(3);
                        stamps.begin_write(3);
                        assert!(!stamps.is_current(3, stamps.note(3)));
                        stamps.end_write(3);
                        stamps.end_write(3);
                    }
                });
            }
        });
        assert_eq!(stamps.note(3).stamp & WRITERS, WRITERS - 2);
        assert!(stamps.beyond().is_empty());
    }
}
