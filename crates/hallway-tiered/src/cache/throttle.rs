//! Which keys are not to be loaded again just now, because the last load failed and a stale value can answer.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use hallway_core::Key;

#[derive(Debug)]
pub(super) struct Throttle {
    /// Whether there is any.
    some: AtomicBool,
    until: Mutex<HashMap<Key, u64>>,
    most: usize,
}

impl Throttle {
    pub(super) fn new(most: usize) -> Self {
        Self { some: AtomicBool::new(false), until: Mutex::default(), most }
    }

    /// Whether the key is to be left alone now.
    pub(super) fn holds(&self, key: &Key, now: u64) -> bool {
        self.some.load(Ordering::Acquire) && self.lock().get(key).is_some_and(|until| *until > now)
    }

    pub(super) fn hold(&self, key: &Key, now: u64, until: u64) {
        let mut held = self.lock();
        if held.len() >= self.most {
            held.retain(|_, until| *until > now);
        }
        // Beyond the bound the loader is asked more often than need be, and nothing else.
        if held.len() < self.most {
            held.insert(key.clone(), until);
            self.some.store(true, Ordering::Release);
        }
    }

    /// A load has succeeded, or the key was invalidated.
    pub(super) fn lift(&self, key: &Key) {
        if self.some.load(Ordering::Acquire) {
            let mut held = self.lock();
            held.remove(key);
            if held.is_empty() {
                self.some.store(false, Ordering::Release);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, u64>> {
        // Entries are inserted and removed whole.
        self.until.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
