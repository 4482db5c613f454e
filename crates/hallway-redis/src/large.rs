//! Remembers which keys had large values.

use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use hallway_core::Key;

use crate::engine::{LARGE, Lane};

const SLOTS: usize = 1024;

/// A hint for reads, of fixed size: a key not found here is taken for small, and a wrong hint costs nothing but the
/// choice of the connection. A newer key takes the slot of an older one.
pub(crate) struct LargeKeys {
    /// Without a random seed: keys that collide on purpose gain nothing, and a run can be repeated.
    hasher: BuildHasherDefault<DefaultHasher>,
    /// Stores without large values never hash a key.
    any: AtomicBool,
    slots: Box<[AtomicU64]>,
}

impl Default for LargeKeys {
    fn default() -> Self {
        Self {
            hasher: BuildHasherDefault::new(),
            any: AtomicBool::new(false),
            slots: (0..SLOTS).map(|_| AtomicU64::new(0)).collect(),
        }
    }
}

impl LargeKeys {
    /// The connection to read the key on.
    pub(crate) fn lane(&self, key: &Key) -> Lane {
        if !self.any.load(Relaxed) {
            return Lane::Small;
        }
        let (slot, hash) = self.slot(key);
        if slot.load(Relaxed) == hash { Lane::Large } else { Lane::Small }
    }

    /// Takes note of the size of a value read or written.
    pub(crate) fn learn(&self, key: &Key, bytes: usize) {
        if bytes >= LARGE {
            let (slot, hash) = self.slot(key);
            slot.store(hash, Relaxed);
            self.any.store(true, Relaxed);
        } else if self.any.load(Relaxed) {
            let (slot, hash) = self.slot(key);
            if slot.load(Relaxed) == hash {
                slot.store(0, Relaxed);
            }
        }
    }

    fn slot(&self, key: &Key) -> (&AtomicU64, u64) {
        let hash = self.hasher.hash_one(key);
        (&self.slots[hash as usize % SLOTS], hash.max(1))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_large_while_its_last_value_was() {
        let keys = LargeKeys::default();
        let key = Key::from_physical("a:1").unwrap();
        assert_eq!(keys.lane(&key), Lane::Small);
        keys.learn(&key, LARGE);
        assert_eq!(keys.lane(&key), Lane::Large);
        keys.learn(&key, LARGE - 1);
        assert_eq!(keys.lane(&key), Lane::Small);
    }
}
