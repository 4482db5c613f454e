//! Copies of what lives elsewhere, beside the entries and under the same bound.

use std::sync::atomic::Ordering;

use hallway_core::{Key, Object};

use super::{Content, Map, Stored, weight};

impl Map {
    /// The copy of `key`, at the price of a read of an entry: no lock, no allocation.
    #[inline]
    pub(crate) fn get_copy(&self, physical: &str) -> Option<Object> {
        match self.read(self.copy(physical))?.content {
            Content::Copy { object, .. } => Some(object),
            Content::Entry(_) => None,
        }
    }

    /// Keeps a copy in place of any other of `key`.
    pub(crate) fn keep_copy(&self, key: &Key, object: Object, deadline: u64, bytes: usize) {
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        let stored = Stored { content: Content::Copy { object, bytes }, deadline };
        let weight = weight(key, &stored);
        let hashed = self.copy(key.as_str());
        self.holds_copies.store(true, Ordering::Relaxed);
        {
            // As for entries: whoever removes a dead copy must not remove this one.
            let _stripe = self.lock(hashed);
            self.put(key, hashed, stored);
        }
        self.settle(weight.into());
    }

    pub(crate) fn forget_copy(&self, key: &Key) {
        let hashed = self.copy(key.as_str());
        let _stripe = self.lock(hashed);
        self.entries.invalidate(&hashed);
    }
}
