//! The front: the hottest copies of this process, before the local tier.
//!
//! A hit in the local tier pays for its bookkeeping: a read log, a popularity sketch, epochs. The front pays for none of
//! it: each thread has a table for itself, a few thousand places in sets of four, found by hash, and nobody locks or
//! waits. It decides nothing: the caller judges what it finds by stamp and deadline, as it judges what the local tier
//! gives. What it must add is what the local tier cannot know:
//! - One hit in 64, and an early one, is to be recorded in the local tier, so that what is hot here stays there.
//! - One miss in 8 gets a [`Seat`]: the right to put here what the local tier then answers. So what is read once hardly
//!   ever pushes out what is read all the time.
//! - Nothing answers here while a copy of its hash is put into the local tier, nor afterwards what was here or had a seat
//!   before. That is by counting: replacements are counted by hash, for all threads together, and what stands here answers
//!   only while its count is what it was when its seat was given. So the front is never behind the local tier, and no
//!   reader goes back, whatever thread he goes on in and whoever tells him what is new.

use std::cell::{RefCell, RefMut};
use std::fmt;
use std::hash::{BuildHasher, Hasher};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::thread;

use foldhash::fast::FixedState;
use thread_local::ThreadLocal;

use self::table::{Look, Table};
use crate::threads;

mod table;

/// Counts of replacements for each place: few enough to stay in the processor's cache, and enough that one seldom ends what
/// has another id.
const COUNTS: usize = 4;

/// A count is 32 bits of replacements that ended, above 32 of those that are going on.
const ENDED: u64 = 1 << 32;

/// How many threads get a table.
static THREADS: LazyLock<usize> =
    LazyLock::new(|| thread::available_parallelism().map_or(8, |all| 2 * all.get()).max(8));

/// A bounded map from ids to values of which only the hottest stay.
///
/// # Bounds
/// Each thread keeps at most `places` values of at most `largest` bytes each alive, also such as have left the local tier
/// or were removed: those never answer, and leave when their thread looks for them or needs their place. Mostly all
/// threads share the same values. Twice as many threads as the machine runs at a time have tables, but at least 8; the
/// others do without. A table starts with 256 places and grows when it needs more.
pub(crate) struct Front<T> {
    /// Behind a trait, so that what can be sent is asked of a value where a front is made, not wherever one is named.
    tables: Box<dyn Tables<T> + Send + Sync>,
    /// How many threads more may have a table.
    room: AtomicUsize,
    /// By hash. What is not looked for during 2^32 replacements would be taken for current again.
    counts: Box<[AtomicU64]>,
    places: usize,
    largest: usize,
    /// Seeded, so that nobody outside can choose ids that fall into one set.
    hasher: FixedState,
}

/// What a thread has for itself, in cache lines for itself.
#[repr(align(64))]
struct Own<T>(RefCell<Table<T>>);

trait Tables<T> {
    /// That of this thread, or else the one that is made for it.
    fn own(&self, make: &dyn Fn() -> Option<Table<T>>) -> Option<&Own<T>>;
}

impl<T: Send> Tables<T> for ThreadLocal<Own<T>> {
    fn own(&self, make: &dyn Fn() -> Option<Table<T>>) -> Option<&Own<T>> {
        threads::own(self, || make().map(|table| Own(RefCell::new(table))))
    }
}

/// What knows what it is asked for by.
pub(crate) trait Named {
    /// Whether this is its id.
    fn is(&self, id: &str) -> bool;
}

/// What a look into the front came to.
pub(crate) enum Found<'a, T> {
    /// What answers, and whether this hit is to be recorded in the local tier. As long as it is held, this thread finds
    /// nothing else here.
    Hit { value: RefMut<'a, T>, record: bool },
    /// Nothing that may answer; with a seat if what the local tier says now may be put here.
    Miss(Option<Seat>),
}

/// The right to insert what is read elsewhere from now on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Seat {
    count: u32,
}

/// Ends a replacement, also one that panics.
struct Replacing<'a>(&'a AtomicU64);

impl Drop for Replacing<'_> {
    fn drop(&mut self) {
        // Release: whoever gets a seat from here on finds what was put into the local tier.
        self.0.fetch_add(ENDED - 1, Ordering::Release);
    }
}

impl<T: Named> Front<T> {
    /// A front of at least `places` places for each thread.
    pub(crate) fn new(places: usize, largest: usize, seed: u64) -> Self
    where
        T: Send + 'static,
    {
        let places = table::rounded(places);
        Self {
            tables: Box::new(ThreadLocal::new()),
            room: AtomicUsize::new(*THREADS),
            counts: (0..(places * COUNTS).min(table::distinct(places))).map(|_| AtomicU64::new(0)).collect(),
            places,
            largest,
            hasher: FixedState::with_seed(seed),
        }
    }

    /// The hash to ask with.
    #[inline]
    pub(crate) fn hash(&self, id: &str) -> u64 {
        // Without what tells where a text ends among others.
        let mut hasher = self.hasher.build_hasher();
        hasher.write(id.as_bytes());
        hasher.finish()
    }

    /// The value of `id`, if it stands here and `answers` says that it may answer; if not, it is removed. Never waits, and
    /// allocates nothing.
    #[inline]
    pub(crate) fn get(&self, hash: u64, id: &str, answers: impl FnOnce(&T) -> bool) -> Found<'_, T> {
        // Before anything is looked at, here or in the local tier.
        let count = self.count(hash);
        let Some(own) = self.own() else {
            // The first seat makes the table.
            let seat = count.filter(|_| self.room.load(Ordering::Relaxed) > 0).map(|count| Seat { count });
            return Found::Miss(seat);
        };
        // In use: a value that is being looked at asks for another.
        let Ok(mut table) = own.0.try_borrow_mut() else { return Found::Miss(None) };
        let dead = match table.get(hash, count, |value| value.is(id), answers) {
            Look::Hit { place, record } => match RefMut::filter_map(table, |table| table.value(place)) {
                Ok(value) => return Found::Hit { value, record },
                // There is: it has just answered.
                Err(_) => return Found::Miss(None),
            },
            Look::Dead(value) => Some(value),
            Look::Nothing => None,
        };
        let seat = count.filter(|_| table.draws()).map(|count| Seat { count });
        drop(table);
        // What it drops may come here again.
        drop(dead);
        Found::Miss(seat)
    }

    /// Puts a value of `id` here that was read after the seat was given, and says whether it did. Not if anything of the
    /// same count was replaced meanwhile, nor if it is too large or this thread has no table.
    pub(crate) fn insert(&self, seat: Seat, hash: u64, id: &str, value: T, bytes: usize) -> bool {
        let alive = |hash: u64, count: u32| self.count(hash) == Some(count);
        // What is not alive would never answer.
        if bytes > self.largest || !alive(hash, seat.count) {
            return false;
        }
        let Some(own) = self.own().or_else(|| self.begin(hash)) else { return false };
        let Ok(mut table) = own.0.try_borrow_mut() else { return false };
        let before = table.put(hash, seat.count, value, |value| value.is(id), alive, self.places);
        drop(table);
        drop(before);
        true
    }

    /// Replaces in the local tier what is of this hash, during which nothing of it answers here, nor afterwards anything
    /// that was read there before.
    pub(crate) fn replace<R>(&self, hash: u64, replace: impl FnOnce() -> R) -> R {
        let count = self.count_of(hash);
        // Acquire, so that nothing of what follows comes before it: whoever knows of what is new has to find the front
        // closed.
        count.fetch_add(1, Ordering::AcqRel);
        let _replacing = Replacing(count);
        replace()
    }

    /// The table of this thread, if it has one.
    #[inline]
    fn own(&self) -> Option<&Own<T>> {
        self.tables.own(&|| None)
    }

    /// A table for a thread that has none.
    #[cold]
    fn begin(&self, seed: u64) -> Option<&Own<T>> {
        self.tables.own(&|| {
            let room = self.room.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |room| room.checked_sub(1));
            room.is_ok().then(|| Table::new(self.places, seed))
        })
    }

    /// How many replacements ended; `None` while one is going on.
    #[inline]
    fn count(&self, hash: u64) -> Option<u32> {
        // Acquire: what is read from here on is at least as new as what the replacements put there.
        let count = self.count_of(hash).load(Ordering::Acquire);
        (count as u32 == 0).then_some((count >> 32) as u32)
    }

    #[inline]
    fn count_of(&self, hash: u64) -> &AtomicU64 {
        // There are a power of two of them, and no more than a table tells apart.
        &self.counts[hash as usize & (self.counts.len() - 1)]
    }
}

impl<T> fmt::Debug for Front<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let held = self.tables.own(&|| None).and_then(|own| Some(own.0.try_borrow().ok()?.held()));
        let held = held.unwrap_or(0);
        f.debug_struct("Front").field("places", &self.places).field("held", &held).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
