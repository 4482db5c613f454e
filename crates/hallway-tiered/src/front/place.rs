//! One place of the front: what stands there, and how hot it is.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard, TryLockError};

use hallway_core::Key;

/// One hit in so many is recorded in the local tier.
const RECORDED: u32 = 16;

/// A cache line of its own, so that two hot places do not slow each other down.
#[repr(align(64))]
pub(super) struct Place<T> {
    content: RwLock<Option<Held<T>>>,
    /// Hits since it came, halved whenever something else is to come into the set. Readers at once may lose some: it is an
    /// estimate.
    heat: AtomicU32,
}

pub(super) struct Held<T> {
    pub(super) hash: u64,
    pub(super) name: Name,
    pub(super) value: T,
}

impl<T> Held<T> {
    #[inline]
    pub(super) fn is(&self, hash: u64, id: &str) -> bool {
        self.hash == hash && self.name.is(id)
    }
}

/// What something is asked for by: a key, or the id of one. It shares the text of the key, so that nothing is allocated
/// for it.
#[derive(Clone)]
pub(crate) struct Name {
    key: Key,
    /// Whether the id is meant, and whether it stands in the key as it is.
    part: Part,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Whole,
    Id,
    EscapedId,
}

impl Name {
    /// By its physical form.
    pub(crate) fn whole(key: &Key) -> Self {
        Self { key: key.clone(), part: Part::Whole }
    }

    /// By its id.
    pub(crate) fn id(key: &Key) -> Self {
        let part = if key.physical_id().contains('%') { Part::EscapedId } else { Part::Id };
        Self { key: key.clone(), part }
    }

    #[inline]
    fn is(&self, id: &str) -> bool {
        match self.part {
            Part::Whole => self.key.as_str() == id,
            Part::Id => self.key.physical_id() == id,
            Part::EscapedId => self.key.has_id(id),
        }
    }

    pub(super) fn key(&self) -> &Key {
        &self.key
    }
}

impl<T> Place<T> {
    pub(super) fn new() -> Self {
        Self { content: RwLock::new(None), heat: AtomicU32::new(0) }
    }

    /// Counts a hit and says whether it is to be recorded.
    #[inline]
    pub(super) fn count(&self) -> bool {
        let heat = self.heat().wrapping_add(1);
        self.heat.store(heat, Ordering::Relaxed);
        heat.is_multiple_of(RECORDED)
    }

    /// Something new stands here.
    pub(super) fn start(&self) {
        self.heat.store(0, Ordering::Relaxed);
    }

    pub(super) fn heat(&self) -> u32 {
        self.heat.load(Ordering::Relaxed)
    }

    pub(super) fn cool(&self) {
        self.heat.store(self.heat() / 2, Ordering::Relaxed);
    }

    /// Whether something of this key stands here, as far as can be seen without waiting. Exact under the lock of the set.
    pub(super) fn holds(&self, hash: u64, key: &Key) -> bool {
        self.try_read()
            .is_some_and(|content| content.as_ref().is_some_and(|held| held.hash == hash && held.name.key() == key))
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
