//! The places of one thread.

use std::array;

const WAYS: usize = 4;

/// One miss in so many gets a seat; a power of two.
const SEATED: u32 = 8;

/// One hit in so many is recorded in the local tier, and the first after so many.
const RECORDED: u8 = 64;
const FIRST: u8 = 16;

/// A table begins with so many sets, if it may have so many.
const FEWEST: usize = 64;

/// A table of sets of four, which grows until it has the places that it may have.
pub(super) struct Table<T> {
    /// A power of two of them.
    sets: Box<[Set<T>]>,
    /// The bits of a hash that the number of a set told at first; those above are in the tag.
    first_bits: u32,
    chance: u64,
}

/// One cache line, for values of the size of a pointer.
#[repr(align(64))]
struct Set<T> {
    values: [Option<T>; WAYS],
    /// How often something of their hash had been replaced when their seats were given.
    counts: [u32; WAYS],
    /// The bits of their hashes above [`Table::first_bits`].
    tags: [u16; WAYS],
    /// Hits since they came, halved whenever something else is to come into the set.
    heats: [u8; WAYS],
}

/// What a look came to.
pub(super) enum Look<T, R> {
    Hit {
        value: R,
        record: bool,
    },
    /// What may not answer has left; to be dropped when the table is not in use.
    Dead(T),
    Nothing,
}

/// As many places as a table for so many may have.
pub(super) fn rounded(places: usize) -> usize {
    places.div_ceil(WAYS).next_power_of_two() * WAYS
}

/// So many hashes a table of at most so many places tells apart.
pub(super) fn distinct(places: usize) -> usize {
    fewest(places) << u16::BITS
}

fn fewest(places: usize) -> usize {
    FEWEST.min(places / WAYS)
}

impl<T> Table<T> {
    pub(super) fn new(places: usize, seed: u64) -> Self {
        let fewest = fewest(places);
        Self { sets: sets(fewest), first_bits: fewest.ilog2(), chance: seed }
    }

    #[inline]
    pub(super) fn get<R>(
        &mut self,
        hash: u64,
        count: Option<u32>,
        is: impl Fn(&T) -> bool,
        look: impl FnOnce(&T) -> Option<R>,
    ) -> Look<T, R> {
        let tag = self.tag(hash);
        let at = self.at(hash);
        let set = &mut self.sets[at];
        for way in 0..WAYS {
            if set.tags[way] != tag {
                continue;
            }
            let Some(value) = set.values[way].as_ref().filter(|value| is(value)) else { continue };
            if count == Some(set.counts[way])
                && let Some(value) = look(value)
            {
                return Look::Hit { value, record: set.count(way) };
            }
            return set.values[way].take().map_or(Look::Nothing, Look::Dead);
        }
        Look::Nothing
    }

    /// Whether a miss gets a seat, one time in [`SEATED`] by chance: by count, keys read in turn would always meet the same
    /// numbers.
    #[inline]
    pub(super) fn draws(&mut self) -> bool {
        self.roll().is_multiple_of(SEATED)
    }

    /// Puts a value here and returns what stood in its place. `alive` says of a hash, as far as a table knows it, and of a
    /// count whether that is still it.
    pub(super) fn put(
        &mut self,
        hash: u64,
        count: u32,
        value: T,
        is: impl Fn(&T) -> bool,
        alive: impl Fn(u64, u32) -> bool,
        most: usize,
    ) -> Option<T> {
        let tag = self.tag(hash);
        let way = loop {
            let at = self.at(hash);
            let set = &self.sets[at];
            let same = |way: &usize| set.tags[*way] == tag && set.values[*way].as_ref().is_some_and(&is);
            let free =
                |way: &usize| set.values[*way].is_none() || !alive(self.low(at, set.tags[*way]), set.counts[*way]);
            if let Some(way) = (0..WAYS).find(same).or_else(|| (0..WAYS).find(free)) {
                break way;
            }
            if self.sets.len() * WAYS >= most {
                let first = self.roll() as usize % WAYS;
                break self.sets[at].coldest(first);
            }
            self.grow();
        };
        let at = self.at(hash);
        let set = &mut self.sets[at];
        (set.counts[way], set.tags[way], set.heats[way]) = (count, tag, 0);
        set.values[way].replace(value)
    }

    pub(super) fn held(&self) -> usize {
        self.sets.iter().flat_map(|set| &set.values).flatten().count()
    }

    #[cfg(test)]
    pub(super) fn sets(&self) -> usize {
        self.sets.len()
    }

    /// Twice as many sets: what stands in one goes on in that or in its twin.
    #[cold]
    fn grow(&mut self) {
        let half = self.sets.len();
        let old = std::mem::replace(&mut self.sets, sets(2 * half));
        for (at, set) in old.into_iter().enumerate() {
            for (way, value) in set.values.into_iter().enumerate().filter(|(_, value)| value.is_some()) {
                let at = self.at(self.low(at, set.tags[way]));
                let twin = &mut self.sets[at];
                twin.values[way] = value;
                (twin.counts[way], twin.tags[way], twin.heats[way]) = (set.counts[way], set.tags[way], set.heats[way]);
            }
        }
    }

    #[inline]
    fn at(&self, hash: u64) -> usize {
        hash as usize & (self.sets.len() - 1)
    }

    #[inline]
    fn tag(&self, hash: u64) -> u16 {
        (hash >> self.first_bits) as u16
    }

    /// The bits of a hash that set and tag tell.
    fn low(&self, at: usize, tag: u16) -> u64 {
        at as u64 & ((1 << self.first_bits) - 1) | u64::from(tag) << self.first_bits
    }

    #[inline]
    fn roll(&mut self) -> u32 {
        // Knuth's generator.
        self.chance = self.chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (self.chance >> 32) as u32
    }
}

impl<T> Set<T> {
    fn new() -> Self {
        Self { values: array::from_fn(|_| None), counts: [0; WAYS], tags: [0; WAYS], heats: [0; WAYS] }
    }

    /// Counts a hit and says whether it is to be recorded.
    #[inline]
    fn count(&mut self, way: usize) -> bool {
        let heat = &mut self.heats[way];
        // At the end of its range it goes round in the last of it, so that still one in so many shows.
        *heat = heat.checked_add(1).unwrap_or(u8::MAX - RECORDED + 1);
        heat.is_multiple_of(RECORDED) || *heat == FIRST
    }

    /// The way that the fewest read lately, of equal ones the next after `first`; all are less hot from now on.
    fn coldest(&mut self, first: usize) -> usize {
        let coldest = (first..first + WAYS).map(|way| way % WAYS).min_by_key(|way| self.heats[*way]);
        self.heats = self.heats.map(|heat| heat / 2);
        coldest.unwrap_or(first)
    }
}

fn sets<T>(count: usize) -> Box<[Set<T>]> {
    (0..count).map(|_| Set::new()).collect()
}
