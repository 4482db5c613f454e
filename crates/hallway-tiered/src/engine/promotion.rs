//! Which of the copies that are read from the shared tier get a place in this process once it is full.
//!
//! What comes once is no reason to keep it. What comes again is kept, as long as that pays: of one key in 16 it is found out
//! whether a copy that was kept answers anybody before it is gone. Where hardly one in six does, the local tier has what
//! is worth having and refuses nearly all else, as with keys of a steady popularity; then one in eight is kept, so that the
//! rare one that has become popular gets in a little later. A local tier that goes by what came lately, with keys that come in
//! bursts, goes on getting all.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU8, AtomicU32, AtomicU64, Ordering};

/// How much is remembered; a power of two. A place is a byte, so this is 1 MiB, from the first time that the local tier is
/// full.
const PLACES: usize = 1 << 20;

/// Of one key in so many it is found out whether keeping it pays; a power of two.
const TRIED: u64 = 16;

/// Where keeping does not pay, one copy in so many is kept; a power of two.
const RELUCTANT: u32 = 8;

const CERTAIN: u32 = 1 << 16;
/// One in six: what a copy costs to keep is about as much as reading it once more.
const WORTH: u32 = CERTAIN / 6;
/// The weight of the last one: one in 256.
const WEIGHT: u32 = 256;

/// What becomes of a copy that was read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Promotion {
    /// It is not kept.
    No,
    Yes,
    /// It is kept, and the first answer it gives is to be told.
    Trial,
}

#[derive(Debug)]
pub(super) struct Promotions {
    sightings: Sightings,
    /// A moving average of how many copies answered anybody, of those on trial.
    paying: AtomicU32,
    chance: AtomicU64,
}

impl Promotions {
    pub(super) fn new(seed: u64) -> Self {
        Self { sightings: Sightings::default(), paying: AtomicU32::new(CERTAIN), chance: AtomicU64::new(seed) }
    }

    /// Whether the copy of the key with this hash, which is being looked for in the shared tier, is to push out another.
    pub(super) fn decide(&self, hash: u64) -> Promotion {
        if !self.sightings.again(hash) {
            return Promotion::No;
        }
        // Other bits than those of its place and mark.
        if (hash >> 40).is_multiple_of(TRIED) {
            return Promotion::Trial;
        }
        let kept = self.paying.load(Ordering::Relaxed) > WORTH || self.roll().is_multiple_of(RELUCTANT);
        if kept { Promotion::Yes } else { Promotion::No }
    }

    /// A copy is kept on trial.
    pub(super) fn tried(&self) {
        self.step(|paying| paying - paying / WEIGHT);
    }

    /// A copy on trial has answered.
    pub(super) fn paid(&self) {
        self.step(|paying| (paying + CERTAIN / WEIGHT).min(CERTAIN));
    }

    /// Of two threads at once one may count for nothing: it is an estimate.
    fn step(&self, step: impl Fn(u32) -> u32) {
        self.paying.store(step(self.paying.load(Ordering::Relaxed)), Ordering::Relaxed);
    }

    fn roll(&self) -> u32 {
        // Knuth's generator. Two threads at once may roll the same: chance all the same.
        let rolled = self.chance.load(Ordering::Relaxed).wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        self.chance.store(rolled, Ordering::Relaxed);
        (rolled >> 32) as u32
    }
}

/// A mark for each key that was seen, in the place of its hash, until another key is seen there. A quarter of a million
/// other keys later four in five are still known. Keys of one mark and one place are taken for one another, which only
/// keeps a copy too early: one time in 255.
#[derive(Debug, Default)]
struct Sightings(OnceLock<Box<[AtomicU8]>>);

impl Sightings {
    /// Whether this was seen lately. It has been from now on.
    fn again(&self, hash: u64) -> bool {
        let places = self.0.get_or_init(|| (0..PLACES).map(|_| AtomicU8::new(0)).collect());
        let place = &places[hash as usize & (PLACES - 1)];
        // Of other bits than the place; 0 says that nothing was seen.
        let mark = ((hash >> 56) as u8).max(1);
        // Not in one step: who loses against another thread is seen again.
        if place.load(Ordering::Relaxed) == mark {
            return true;
        }
        place.store(mark, Ordering::Relaxed);
        false
    }
}

#[cfg(test)]
mod tests {
    use std::hash::BuildHasher;

    use foldhash::fast::FixedState;

    use super::*;

    fn hash(key: u32) -> u64 {
        FixedState::with_seed(7).hash_one(key)
    }

    #[test]
    fn what_comes_twice_is_known() {
        let sightings = Sightings::default();
        assert!(!sightings.again(hash(1)));
        assert!(sightings.again(hash(1)) && sightings.again(hash(1)));
        assert!(!sightings.again(hash(2)));
    }

    #[test]
    fn it_remembers_much_and_takes_little_for_known_that_is_not() {
        let sightings = Sightings::default();
        let mistaken = (0..250_000).filter(|key| sightings.again(hash(*key))).count();
        assert!(mistaken < 500, "{mistaken} of 250,000 were never seen before");
        let known = (0..250_000).filter(|key| sightings.again(hash(*key))).count();
        assert!(known > 190_000, "{known} of 250,000");
    }

    /// Decides for every key in turn, as often as told; `answers` says whether a copy that is kept gives an answer.
    fn kept(promotions: &Promotions, keys: u32, rounds: u32, answers: impl Fn(u32) -> bool) -> f64 {
        let mut kept = 0;
        for _ in 0..rounds {
            for key in 0..keys {
                match promotions.decide(hash(key)) {
                    Promotion::No => continue,
                    Promotion::Trial => {
                        promotions.tried();
                        if answers(key) {
                            promotions.paid();
                        }
                    }
                    Promotion::Yes => {}
                }
                kept += 1;
            }
        }
        f64::from(kept) / f64::from(keys * rounds)
    }

    #[test]
    fn what_comes_once_is_not_kept() {
        assert!(kept(&Promotions::new(1), 10_000, 1, |_| true) < 0.01);
    }

    #[test]
    fn what_comes_again_is_kept_as_long_as_that_pays() {
        let promotions = Promotions::new(1);
        kept(&promotions, 10_000, 1, |_| true);
        // One in four answers.
        assert!(kept(&promotions, 10_000, 20, |key| hash(key) >> 60 < 4) > 0.99);
        // Nobody asks any more for what was kept: one in 16 is kept on trial, of the others one in eight.
        kept(&promotions, 10_000, 2, |_| false);
        let few = kept(&promotions, 10_000, 20, |_| false);
        assert!((0.16..0.20).contains(&few), "{few}");
        // And again.
        kept(&promotions, 10_000, 1, |_| true);
        assert!(kept(&promotions, 10_000, 20, |_| true) > 0.99);
    }

    #[test]
    fn whatever_is_asked_for_all_the_time_gets_in() {
        let promotions = Promotions::new(1);
        kept(&promotions, 10_000, 3, |_| false);
        for key in 0..1_000 {
            let reads = (0..200).take_while(|_| promotions.decide(hash(key)) == Promotion::No).count();
            assert!(reads < 200, "{key}");
        }
    }
}
