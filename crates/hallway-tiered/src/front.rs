//! The front: the hottest copies of this process, before the local tier.
//!
//! A hit in the local tier pays for its bookkeeping: a read log, a popularity sketch, epochs. The front pays for none of
//! it: a few thousand places in sets of four, found by hash, each behind a lock that readers only try. It decides nothing:
//! the caller judges what it finds by stamp and deadline, as it judges what the local tier gives. What it must add is
//! what the local tier cannot know:
//! - One hit in 16 is to be recorded in the local tier, so that what is hot here stays there.
//! - One miss in 8 gets a [`Seat`]: the right to put here what the local tier then answers. So what is read once hardly
//!   ever pushes out what is read all the time.
//! - A copy put into the local tier is removed here *afterwards*, which also revokes all seats given before. So the front
//!   is never behind the local tier, and no reader goes back.

use std::fmt;
use std::hash::BuildHasher;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, TryLockError};

use foldhash::fast::FixedState;
use hallway_core::Key;

pub(crate) use self::place::Name;
use self::place::Place;

mod place;

const WAYS: usize = 4;

/// One miss in so many gets a seat; a power of two.
const SEATED: u32 = 8;

/// A bounded map from ids to values of which only the hottest stay.
///
/// # Bounds
/// At most `places` values of at most `largest` bytes each are kept alive, also such as have left the local tier.
pub(crate) struct Front<T> {
    sets: Box<[Set]>,
    /// Four for each set, apart from it: a miss reads the set alone.
    places: Box<[Place<T>]>,
    largest: usize,
    /// Seeded, so that nobody outside can choose ids that fall into one set.
    hasher: FixedState,
}

/// One cache line.
#[repr(align(64))]
struct Set {
    /// The hashes of what stands in the places. Hints only: what counts is what the place itself says.
    tags: [AtomicU64; WAYS],
    /// Moves on with every removal, so that an insert knows of one since its seat was given. Changed under `changing`.
    removals: AtomicU64,
    chance: AtomicU64,
    /// Held by whoever changes one of the places. Blocking: nothing waits while holding it but for readers that are
    /// looking at a value.
    changing: Mutex<()>,
}

/// What a look into the front came to.
#[derive(Debug)]
pub(crate) enum Found<R> {
    /// What was looked at, and whether this hit is to be recorded in the local tier.
    Hit { value: R, record: bool },
    /// Nothing that may answer; with a seat if what the local tier says now may be put here.
    Miss(Option<Seat>),
}

/// The right to insert what is read elsewhere from now on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Seat {
    removals: u64,
}

impl<T> Front<T> {
    /// A front of at least `places` places.
    pub(crate) fn new(places: usize, largest: usize, seed: u64) -> Self {
        let sets = places.div_ceil(WAYS).next_power_of_two();
        let hasher = FixedState::with_seed(seed);
        Self {
            sets: (0..sets).map(|set| Set::new(hasher.hash_one(set))).collect(),
            places: (0..sets * WAYS).map(|_| Place::new()).collect(),
            largest,
            hasher,
        }
    }

    /// The hash to ask with.
    #[inline]
    pub(crate) fn hash(&self, id: &str) -> u64 {
        self.hasher.hash_one(id)
    }

    /// What `look` makes of the value of `id`, if it stands here. `None` of `look` says that it may not answer, and removes
    /// it. Never waits, and allocates nothing.
    #[inline]
    pub(crate) fn get<R>(&self, hash: u64, id: &str, look: impl Fn(&T) -> Option<R>) -> Found<R> {
        let at = self.set_of(hash);
        let set = &self.sets[at];
        for (tag, place) in set.tags.iter().zip(self.places_of(at)) {
            if tag.load(Ordering::Relaxed) != hash {
                continue;
            }
            // Held up by a writer: the local tier answers as well.
            let Some(content) = place.try_read() else { break };
            let Some(held) = content.as_ref().filter(|held| held.is(hash, id)) else { continue };
            if let Some(value) = look(&held.value) {
                return Found::Hit { value, record: place.count() };
            }
            drop(content);
            self.discard(at, hash, id, |value| look(value).is_none());
            break;
        }
        Found::Miss(set.draw())
    }

    /// Puts a value here that was read after the seat was given, and says whether it did. Not if anything of the same set
    /// was removed meanwhile, nor if it is too large or somebody is in the way.
    pub(crate) fn insert(&self, seat: Seat, hash: u64, name: Name, value: T, bytes: usize) -> bool {
        if bytes > self.largest {
            return false;
        }
        let at = self.set_of(hash);
        let set = &self.sets[at];
        let Some(changing) = set.try_lock() else { return false };
        if set.removals.load(Ordering::Relaxed) != seat.removals {
            return false;
        }
        let places = self.places_of(at);
        let same = set.find(hash).find(|way| places[*way].holds(hash, name.key()));
        let Some(way) = same
            .or_else(|| places.iter().position(Place::is_empty))
            .or_else(|| coldest(places, set.roll() as usize % WAYS))
        else {
            return false;
        };
        let Some(mut content) = places[way].try_write() else { return false };
        let before = content.replace(place::Held { hash, name, value });
        drop(content);
        places[way].start();
        set.tags[way].store(hash, Ordering::Relaxed);
        drop(changing);
        // What it held may take long to drop.
        drop(before);
        true
    }

    /// Removes what is of `key`, and makes sure that nothing read elsewhere before comes in later. To be called after
    /// whatever the local tier says was replaced.
    pub(crate) fn remove(&self, hash: u64, key: &Key) {
        let at = self.set_of(hash);
        let set = &self.sets[at];
        let mut removed = None;
        let changing = set.lock();
        set.revoke();
        let places = self.places_of(at);
        if let Some(way) = set.find(hash).find(|way| places[*way].holds(hash, key)) {
            removed = places[way].write().take();
            set.tags[way].store(0, Ordering::Relaxed);
        }
        drop(changing);
        drop(removed);
    }

    /// Removes what a reader found dead, unless something alive took its place or anybody is in the way.
    #[cold]
    fn discard(&self, at: usize, hash: u64, id: &str, dead: impl Fn(&T) -> bool) {
        let set = &self.sets[at];
        let Some(changing) = set.try_lock() else { return };
        let mut removed = None;
        let places = self.places_of(at);
        for way in set.find(hash) {
            if let Some(mut content) = places[way].try_write()
                && content.as_ref().is_some_and(|held| held.is(hash, id) && dead(&held.value))
            {
                removed = content.take();
                set.tags[way].store(0, Ordering::Relaxed);
                break;
            }
        }
        drop(changing);
        drop(removed);
    }

    #[inline]
    fn set_of(&self, hash: u64) -> usize {
        // There are a power of two of them.
        hash as usize & (self.sets.len() - 1)
    }

    #[inline]
    fn places_of(&self, set: usize) -> &[Place<T>; WAYS] {
        let (places, _) = self.places[set * WAYS..].split_first_chunk().expect("each set has its places");
        places
    }
}

/// The place that the fewest read lately, of equal ones the next after `first`; all are less hot from now on.
fn coldest<T>(places: &[Place<T>; WAYS], first: usize) -> Option<usize> {
    let coldest = (first..first + WAYS).map(|way| way % WAYS).min_by_key(|way| places[*way].heat());
    places.iter().for_each(Place::cool);
    coldest
}

impl Set {
    fn new(chance: u64) -> Self {
        Self {
            tags: Default::default(),
            removals: AtomicU64::new(0),
            chance: AtomicU64::new(chance),
            changing: Mutex::new(()),
        }
    }

    /// The ways whose tag says this hash.
    fn find(&self, hash: u64) -> impl Iterator<Item = usize> {
        (0..WAYS).filter(move |way| self.tags[*way].load(Ordering::Relaxed) == hash)
    }

    /// A seat, one time in [`SEATED`] by chance: by count, keys read in turn would always meet the same numbers.
    #[inline]
    fn draw(&self) -> Option<Seat> {
        // Acquire: what the local tier says from here on is at least as new as what any removal counted here came after.
        self.roll().is_multiple_of(SEATED).then(|| Seat { removals: self.removals.load(Ordering::Acquire) })
    }

    #[inline]
    fn roll(&self) -> u32 {
        // Knuth's generator. Two threads at once may roll the same: chance all the same.
        let rolled = self.chance.load(Ordering::Relaxed).wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        self.chance.store(rolled, Ordering::Relaxed);
        (rolled >> 32) as u32
    }

    /// Under `changing`.
    fn revoke(&self) {
        self.removals.fetch_add(1, Ordering::Release);
    }

    fn lock(&self) -> MutexGuard<'_, ()> {
        // It guards no data of its own.
        self.changing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn try_lock(&self) -> Option<MutexGuard<'_, ()>> {
        match self.changing.try_lock() {
            Ok(changing) => Some(changing),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }
}

impl<T> fmt::Debug for Front<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let held = self.places.iter().filter(|place| !place.is_empty()).count();
        f.debug_struct("Front").field("places", &self.places.len()).field("held", &held).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
