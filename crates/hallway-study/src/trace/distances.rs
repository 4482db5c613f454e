//! Exact reuse distances, and with them the LRU hit ratio at every capacity at once (Mattson and others 1970).
//!
//! The distance of a read is how many different keys were asked for since the last request of its key, itself
//! included. An LRU cache of that many entries or more still holds the key, and no smaller one does.
//!
//! Keys sit in slots by their last request, the latest in the highest one, and a Fenwick tree counts live slots above.
//!
//! A key that is taken away leaves a hole: every cache that held it has a place free until it takes in a key that it
//! does not hold. So holes count like keys. A request that goes deeper than a hole fills the uppermost one, and leaves
//! a hole in the place of its own key: caches that reach down to it had hit, and still have a place free.

use std::collections::BinaryHeap;

use super::fenwick::Fenwick;
use super::request::{KeyId, OnWrite, Op, Request};
use crate::formulas::conditional_hit_ratio;

const EMPTY: u32 = u32::MAX;
const HOLE: u32 = u32::MAX - 1;
/// In the place of a key that was never there.
const NEVER: u32 = u32::MAX - 1;

/// Slots at the beginning; they double when more than half of them are live.
const FIRST_SLOTS: usize = 1 << 10;

/// The reuse distances of a stream, while it goes on. About 40 bytes a key, nothing a request.
#[derive(Debug)]
pub struct Distances {
    slots: Vec<u32>,
    live: Fenwick,
    next: usize,
    /// Live slots: keys and holes.
    len: usize,
    holes: BinaryHeap<usize>,
    /// The slot of each key; [`EMPTY`] for a key that is not there any more, [`NEVER`] for one that never was.
    place: Vec<u32>,
    keys: u64,
    reads: u64,
    /// `found[d]` reads had the distance `d`.
    found: Vec<u64>,
}

impl Default for Distances {
    fn default() -> Self {
        let live = Fenwick::new(FIRST_SLOTS);
        Self {
            slots: vec![EMPTY; live.places()],
            live,
            next: 0,
            len: 0,
            holes: BinaryHeap::new(),
            place: Vec::new(),
            keys: 0,
            reads: 0,
            found: vec![0],
        }
    }
}

impl Distances {
    /// Of an empty stream.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes in the next request and gives the distance of a read; `None` for a write, and for a read of what no cache
    /// of any size can hold.
    pub fn request(&mut self, request: Request, on_write: OnWrite) -> Option<usize> {
        match (request.op, on_write) {
            (Op::Read, _) => self.read(request.key),
            (Op::Write, OnWrite::Keep) => {
                self.touch(request.key);
                None
            }
            (Op::Write, OnWrite::Invalidate) | (Op::Delete, _) => {
                self.remove(request.key);
                None
            }
        }
    }

    /// A read of a key, which every cache then holds.
    pub fn read(&mut self, key: KeyId) -> Option<usize> {
        self.reads += 1;
        let distance = self.touch(key)?;
        if self.found.len() <= distance {
            self.found.resize(distance + 1, 0);
        }
        self.found[distance] += 1;
        Some(distance)
    }

    /// No cache holds the key any more.
    pub fn remove(&mut self, key: KeyId) {
        let slot = self.place_of(key);
        if slot == EMPTY {
            return;
        }
        self.place[key as usize] = EMPTY;
        self.slots[slot as usize] = HOLE;
        self.holes.push(slot as usize);
    }

    /// Reads so far.
    #[must_use]
    pub fn reads(&self) -> u64 {
        self.reads
    }

    /// Different keys so far.
    #[must_use]
    pub fn keys(&self) -> u64 {
        self.keys
    }

    /// Hits by capacity, of the reads so far.
    #[must_use]
    pub fn curve(&self) -> LruCurve {
        let mut hits = 0;
        let up_to = |found: &u64| {
            hits += found;
            hits
        };
        LruCurve { reads: self.reads, hits: self.found.iter().map(up_to).collect() }
    }

    /// Every cache holds the key now, as the latest. Gives how deep it was.
    fn touch(&mut self, key: KeyId) -> Option<usize> {
        let slot = self.place_of(key);
        let hole = self.holes.peek().copied();
        let distance = if slot == EMPTY {
            if let Some(hole) = hole {
                self.holes.pop();
                self.clear(hole);
            }
            None
        } else {
            let slot = slot as usize;
            let distance = self.len - self.live.taken_to(slot) + 1;
            match hole {
                Some(hole) if hole > slot => {
                    self.holes.pop();
                    self.clear(hole);
                    self.slots[slot] = HOLE;
                    self.holes.push(slot);
                }
                _ => self.clear(slot),
            }
            Some(distance)
        };
        if self.next == self.slots.len() {
            // The key has left its slot, and must not be given one there again.
            self.compact();
        }
        self.slots[self.next] = key;
        self.place[key as usize] = self.next as u32;
        self.live.take(self.next);
        self.next += 1;
        self.len += 1;
        distance
    }

    fn clear(&mut self, slot: usize) {
        self.slots[slot] = EMPTY;
        self.live.free(slot);
        self.len -= 1;
    }

    /// The slot of a key, which has a place in the list of places from now on.
    fn place_of(&mut self, key: KeyId) -> u32 {
        debug_assert!(key < HOLE);
        let at = key as usize;
        if self.place.len() <= at {
            self.place.resize(at + 1, NEVER);
        }
        // One of several that share a stream does not see every key up to the highest.
        if self.place[at] == NEVER {
            self.place[at] = EMPTY;
            self.keys += 1;
        }
        self.place[at]
    }

    /// Moves what is live to the lowest slots, in its order, and makes more slots if that leaves too few free.
    fn compact(&mut self) {
        self.holes.clear();
        let mut live = 0;
        for at in 0..self.slots.len() {
            let held = std::mem::replace(&mut self.slots[at], EMPTY);
            match held {
                EMPTY => continue,
                HOLE => self.holes.push(live),
                key => self.place[key as usize] = live as u32,
            }
            self.slots[live] = held;
            live += 1;
        }
        self.next = live;
        if live * 2 > self.slots.len() {
            self.live = Fenwick::new(self.slots.len() * 2);
            self.slots.resize(self.live.places(), EMPTY);
        }
        self.live.take_first(live);
    }
}

/// How often an LRU cache hits, exactly, whatever its capacity.
#[derive(Debug, Clone, PartialEq)]
pub struct LruCurve {
    reads: u64,
    /// `hits[c]` of a cache of `c` entries; a larger one has as many as the last.
    hits: Vec<u64>,
}

impl LruCurve {
    /// Reads that hit in a cache of so many entries.
    #[must_use]
    pub fn hits_at(&self, entries: u64) -> u64 {
        let last = self.hits.len() - 1;
        self.hits[usize::try_from(entries).map_or(last, |entries| entries.min(last))]
    }

    /// Share of reads that hit in a cache of so many entries; 0 if nothing was read.
    #[must_use]
    pub fn hit_ratio_at(&self, entries: u64) -> f64 {
        self.ratio(self.hits_at(entries))
    }

    /// Share of reads that hit in a cache that forgets nothing.
    #[must_use]
    pub fn most(&self) -> f64 {
        self.ratio(self.hits_at(u64::MAX))
    }

    /// The fewest entries with which a cache hits as often as one that forgets nothing.
    #[must_use]
    pub fn entries_for_most(&self) -> u64 {
        self.entries_for(1.0)
    }

    /// The fewest entries with which a cache has this share of the hits that one has which forgets nothing.
    #[must_use]
    pub fn entries_for(&self, share: f64) -> u64 {
        let wanted = (share.clamp(0.0, 1.0) * self.hits_at(u64::MAX) as f64).ceil() as u64;
        self.hits.partition_point(|hits| *hits < wanted) as u64
    }

    /// Share of what a tier of `above` entries misses that a tier of `below` entries behind it hits:
    /// [`conditional_hit_ratio`] of the two capacities. Good for `below` much larger than `above`,
    /// since the lower tier sees only what the upper one misses. `None` if the upper tier misses nothing.
    #[must_use]
    pub fn behind(&self, above: u64, below: u64) -> Option<f64> {
        let (upper, both) = (self.hit_ratio_at(above), self.hit_ratio_at(below));
        (self.hits_at(above) < self.reads).then(|| conditional_hit_ratio(upper, both))
    }

    fn ratio(&self, hits: u64) -> f64 {
        hits as f64 / self.reads.max(1) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn distances(keys: &[KeyId]) -> (Vec<Option<usize>>, LruCurve) {
        let mut distances = Distances::new();
        (keys.iter().map(|key| distances.read(*key)).collect(), distances.curve())
    }

    #[test]
    fn distances_are_those_counted_by_hand() {
        let (found, curve) = distances(&[0, 0, 1, 0, 2, 1, 0]);
        assert_eq!(found, [None, Some(1), None, Some(2), None, Some(3), Some(3)]);
        assert_eq!([0, 1, 2, 3, 9].map(|entries| curve.hits_at(entries)), [0, 1, 2, 4, 4]);
        assert_eq!(curve.entries_for(0.5), 2);
        assert_eq!(curve.entries_for_most(), 3);
        let behind = curve.behind(1, 3).unwrap();
        assert!((behind - (4.0 - 1.0) / (7.0 - 1.0)).abs() < 1e-12, "{behind}");
    }

    #[test]
    fn a_hole_is_filled_by_what_a_cache_does_not_hold() {
        let mut distances = Distances::new();
        (0..3).for_each(|key| _ = distances.read(key));
        // Caches of 2 and 3 have a place free now; that of 1 holds 2.
        distances.remove(1);
        // A cache of 3 still holds 0, one of 2 had forgotten it: it takes 0 into its free place beside 2.
        assert_eq!(distances.read(0), Some(3));
        assert_eq!(distances.read(2), Some(2));
        assert_eq!(distances.read(1), None);
        // Only a cache of 3 had a place free for it.
        assert_eq!(distances.read(0), Some(3));
    }

    #[test]
    fn keys_that_went_elsewhere_are_not_counted() {
        let mut distances = Distances::new();
        [9, 2, 9].iter().for_each(|key| _ = distances.read(*key));
        distances.remove(2);
        assert_eq!((distances.read(2), distances.keys()), (None, 2));
    }

    #[test]
    fn nothing_read_is_no_ratio() {
        let curve = Distances::new().curve();
        assert_eq!((curve.hit_ratio_at(1), curve.most(), curve.entries_for(0.9)), (0.0, 0.0, 0));
    }
}
