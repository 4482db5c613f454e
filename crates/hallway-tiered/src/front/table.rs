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
    tags: Tags,
    /// Hits since they came, halved whenever something else is to come into the set.
    heats: [u8; WAYS],
}

/// What a look came to.
pub(super) enum Look<T> {
    Hit {
        place: (usize, usize),
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
    pub(super) fn get(
        &mut self,
        hash: u64,
        count: Option<u32>,
        is: impl Fn(&T) -> bool,
        answers: impl FnOnce(&T) -> bool,
    ) -> Look<T> {
        let tag = self.tag(hash);
        let at = self.at(hash);
        let set = &mut self.sets[at];
        for way in set.tags.find(tag) {
            let Some(value) = set.values[way].as_ref().filter(|value| is(value)) else { continue };
            if count == Some(set.counts[way]) && answers(value) {
                return Look::Hit { place: (at, way), record: set.count(way) };
            }
            return set.values[way].take().map_or(Look::Nothing, Look::Dead);
        }
        Look::Nothing
    }

    /// What stands in the place of a hit.
    #[inline]
    pub(super) fn value(&mut self, (at, way): (usize, usize)) -> Option<&mut T> {
        self.sets[at].values[way].as_mut()
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
            let same = |way: &usize| set.values[*way].as_ref().is_some_and(&is);
            let free =
                |way: &usize| set.values[*way].is_none() || !alive(self.low(at, set.tags.of(*way)), set.counts[*way]);
            if let Some(way) = set.tags.find(tag).find(same).or_else(|| (0..WAYS).find(free)) {
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
        (set.counts[way], set.heats[way]) = (count, 0);
        set.tags.set(way, tag);
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
                let at = self.at(self.low(at, set.tags.of(way)));
                let twin = &mut self.sets[at];
                twin.values[way] = value;
                (twin.counts[way], twin.heats[way]) = (set.counts[way], set.heats[way]);
                twin.tags.set(way, set.tags.of(way));
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

/// The tags of a set, one after the other, so that all are compared at once: which of them it is no branch can foresee.
#[derive(Clone, Copy)]
struct Tags(u64);

impl Tags {
    const EACH: u64 = 0x0001_0001_0001_0001;

    /// The ways of this tag in their order. Behind one of them there may be others that are none.
    #[inline]
    fn find(self, tag: u16) -> impl Iterator<Item = usize> {
        // Zero where it is the same; then the highest bit of what is zero, for only that becomes less than nothing.
        let differ = self.0 ^ (u64::from(tag) * Self::EACH);
        let mut same = differ.wrapping_sub(Self::EACH) & !differ & (Self::EACH << 15);
        std::iter::from_fn(move || {
            let way = (same != 0).then(|| same.trailing_zeros() as usize / 16 % WAYS)?;
            same &= same - 1;
            Some(way)
        })
    }

    fn of(self, way: usize) -> u16 {
        (self.0 >> (16 * way)) as u16
    }

    fn set(&mut self, way: usize, tag: u16) {
        self.0 = self.0 & !(0xffff << (16 * way)) | u64::from(tag) << (16 * way);
    }
}

impl<T> Set<T> {
    fn new() -> Self {
        Self { values: array::from_fn(|_| None), counts: [0; WAYS], tags: Tags(0), heats: [0; WAYS] }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tags_are_found_wherever_they_are() {
        let values = [0, 1, 2, 0x7fff, 0x8000, 0x8001, 0xffff];
        for quad in 0..values.len().pow(4) {
            let quad = [0, 1, 2, 3].map(|way| values[quad / values.len().pow(way) % values.len()]);
            let mut tags = Tags(u64::MAX);
            (0..WAYS).for_each(|way| tags.set(way, quad[way]));
            assert_eq!([0, 1, 2, 3].map(|way| tags.of(way)), quad);
            for tag in values {
                let found: Vec<usize> = tags.find(tag).collect();
                let expected: Vec<usize> = (0..WAYS).filter(|way| quad[*way] == tag).collect();
                assert_eq!(found.first(), expected.first(), "{tag} in {quad:?}");
                assert!(expected.iter().all(|way| found.contains(way)), "{tag} in {quad:?}: {found:?}");
            }
        }
    }
}
