//! Keys with their hash, so that one operation hashes once: for the stripe and for each look into moka.

use std::hash::{BuildHasher, Hash, Hasher};

use hallway_core::Key;
use moka::Equivalent;

/// What moka is keyed by.
pub(crate) struct HashedKey {
    key: Key,
    hash: u64,
}

/// A key to ask with.
#[derive(Clone, Copy)]
pub(crate) struct Hashed<'a> {
    pub(crate) key: &'a Key,
    pub(crate) hash: u64,
}

impl HashedKey {
    pub(crate) fn as_key(&self) -> &Key {
        &self.key
    }

    pub(crate) fn as_hashed(&self) -> Hashed<'_> {
        Hashed { key: &self.key, hash: self.hash }
    }
}

impl Hashed<'_> {
    pub(crate) fn to_owned(self) -> HashedKey {
        HashedKey { key: self.key.clone(), hash: self.hash }
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
        self.hash == other.hash && *self.key == other.key
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
