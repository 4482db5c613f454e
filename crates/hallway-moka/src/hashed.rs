//! Keys with their hash, so that one operation hashes once: for the stripe and for each look into moka.

use std::hash::{BuildHasher, Hash, Hasher};

use hallway_core::Key;
use moka::Equivalent;

/// Set in the hash of a copy, clear in that of an entry, so that the two never meet although they share keys: equality
/// compares hashes first. A bit that moka uses neither to choose a segment (the highest) nor, in all but huge maps, a
/// bucket (the lowest).
const COPY: u64 = 1 << 31;

/// Keeps the copy of a key out of the bucket and the stripe of its entry.
const APART: u64 = 0x9e37_79b9_7f4a_7c15;

/// What moka is keyed by.
pub(crate) struct HashedKey {
    key: Key,
    hash: u64,
}

/// A key to ask with.
#[derive(Clone, Copy)]
pub(crate) struct Hashed<'a> {
    physical: &'a str,
    pub(crate) hash: u64,
}

impl HashedKey {
    pub(crate) fn is_copy(&self) -> bool {
        self.hash & COPY != 0
    }

    pub(crate) fn as_key(&self) -> &Key {
        &self.key
    }

    pub(crate) fn as_hashed(&self) -> Hashed<'_> {
        Hashed { physical: self.key.as_str(), hash: self.hash }
    }

    /// The key of what was hashed.
    pub(crate) fn new(key: &Key, hashed: Hashed<'_>) -> Self {
        Self { key: key.clone(), hash: hashed.hash }
    }
}

impl<'a> Hashed<'a> {
    pub(crate) fn of_entry(physical: &'a str, hash: u64) -> Self {
        Self { physical, hash: hash & !COPY }
    }

    pub(crate) fn of_copy(physical: &'a str, hash: u64) -> Self {
        Self { physical, hash: (hash ^ APART) | COPY }
    }
}

impl PartialEq for HashedKey {
    fn eq(&self, other: &Self) -> bool {
        self.hash == other.hash && self.key == other.key
    }
}

impl Eq for HashedKey {}

impl Hash for HashedKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.hash);
    }
}

impl Hash for Hashed<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.hash);
    }
}

impl Equivalent<HashedKey> for Hashed<'_> {
    fn equivalent(&self, other: &HashedKey) -> bool {
        self.hash == other.hash && self.physical == other.key.as_str()
    }
}

/// Takes the hash that the key brings. It comes from `RandomState`, so nobody outside can choose keys that collide.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PassThrough;

#[derive(Debug)]
pub(crate) struct Passed(u64);

impl BuildHasher for PassThrough {
    type Hasher = Passed;

    fn build_hasher(&self) -> Passed {
        Passed(0)
    }
}

impl Hasher for Passed {
    fn write(&mut self, bytes: &[u8]) {
        // Only `write_u64` is called; anything else must still hash soundly.
        for byte in bytes {
            self.0 = (self.0.rotate_left(5) ^ u64::from(*byte)).wrapping_mul(0x517c_c1b7_2722_0a95);
        }
    }

    fn write_u64(&mut self, hash: u64) {
        self.0 = hash;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
