//! What came from the shared tier lately: once is no reason to keep it here.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicU8, Ordering};

/// How much is remembered; a power of two. A place is a byte, so this is 1 MiB, from the first time that the local tier is
/// full.
const PLACES: usize = 1 << 20;

/// A mark for each key that was seen, in the place of its hash, until another key is seen there. A quarter of a million
/// other keys later four in five are still known. Keys of one mark and one place are taken for one another, which only
/// keeps a copy too early: one time in 255.
#[derive(Debug, Default)]
pub(super) struct Sightings(OnceLock<Box<[AtomicU8]>>);

impl Sightings {
    /// Whether this was seen lately. It has been from now on.
    pub(super) fn again(&self, hash: u64) -> bool {
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
}
