//! One place of the front: what stands there, and how hot it is.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard, TryLockError};

/// One hit in so many is recorded in the local tier.
const RECORDED: u32 = 16;

/// A cache line of its own, so that two hot places do not slow each other down.
#[repr(align(64))]
pub(super) struct Place<T> {
    content: RwLock<Option<Held<T>>>,
    /// Hits since it came, halved whenever something else is to come into the set. Readers at once may lose some, here and
    /// below: these are estimates.
    heat: AtomicU32,
    /// Hits since the last one that was to be recorded.
    unrecorded: AtomicU32,
}

pub(super) struct Held<T> {
    pub(super) hash: u64,
    pub(super) id: Box<str>,
    pub(super) value: T,
}

impl<T> Held<T> {
    #[inline]
    pub(super) fn is(&self, hash: u64, id: &str) -> bool {
        self.hash == hash && *self.id == *id
    }
}

impl<T> Place<T> {
    pub(super) fn new() -> Self {
        Self { content: RwLock::new(None), heat: AtomicU32::new(0), unrecorded: AtomicU32::new(0) }
    }

    /// Counts a hit and says whether it is to be recorded.
    #[inline]
    pub(super) fn count(&self) -> bool {
        self.heat.store(self.heat().saturating_add(1), Ordering::Relaxed);
        let unrecorded = (self.unrecorded.load(Ordering::Relaxed) + 1) % RECORDED;
        self.unrecorded.store(unrecorded, Ordering::Relaxed);
        unrecorded == 0
    }

    /// Something new stands here.
    pub(super) fn start(&self) {
        self.heat.store(0, Ordering::Relaxed);
        self.unrecorded.store(0, Ordering::Relaxed);
    }

    pub(super) fn heat(&self) -> u32 {
        self.heat.load(Ordering::Relaxed)
    }

    pub(super) fn cool(&self) {
        self.heat.store(self.heat() / 2, Ordering::Relaxed);
    }

    /// Whether this stands here, as far as can be seen without waiting. Exact under the lock of the set.
    pub(super) fn holds(&self, hash: u64, id: &str) -> bool {
        self.try_read().is_some_and(|content| content.as_ref().is_some_and(|held| held.is(hash, id)))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.try_read().is_some_and(|content| content.is_none())
    }

    #[inline]
    pub(super) fn try_read(&self) -> Option<RwLockReadGuard<'_, Option<Held<T>>>> {
        match self.content.try_read() {
            Ok(content) => Some(content),
            // What is written is one value in place of another, never half of one.
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    pub(super) fn try_write(&self) -> Option<RwLockWriteGuard<'_, Option<Held<T>>>> {
        match self.content.try_write() {
            Ok(content) => Some(content),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }

    /// Waits for readers, which are at most looking at a value.
    pub(super) fn write(&self) -> RwLockWriteGuard<'_, Option<Held<T>>> {
        self.content.write().unwrap_or_else(PoisonError::into_inner)
    }
}
