//! Generations of namespaces and tags: counters in the shared tier that make all copies of a kind unusable at once.
//!
//! Each is a random 64-bit id under `generation:ns:<namespace>` or `generation:tag:<tag>`. A copy carries the ids it was
//! loaded under and is dead when one of them has been replaced. This process remembers an id until the shared tier says
//! that it changed. A missing one is made anew at random, so an eviction never revives an old value.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hallway_core::{Key, Namespace, Result};

use super::Engine;

/// Before the keys of generations in the shared tier.
pub(crate) const GENERATION: &str = "generation";

/// More than this and those that nobody uses are forgotten.
const REMEMBERED: usize = 65_536;

/// One generation as this process knows it.
#[derive(Debug)]
pub(crate) struct Generation {
    pub(crate) key: Key,
    /// 0: not known.
    id: AtomicU64,
    /// Counts what the shared tier said, so that a reply that was overtaken is not believed.
    changes: Mutex<u64>,
}

/// The generations that this process has met.
#[derive(Debug, Default)]
pub(crate) struct Generations {
    map: Mutex<HashMap<Key, Arc<Generation>>>,
}

impl Generation {
    /// The id as far as it is known; 0 if it is not. Read on every local hit.
    #[inline]
    pub(crate) fn id(&self) -> u64 {
        self.id.load(Ordering::Acquire)
    }

    /// To be taken before a request.
    fn note(&self) -> u64 {
        *self.lock()
    }

    /// Believes a reply, unless the generation changed meanwhile.
    fn learn(&self, id: u64, noted: u64) -> bool {
        let changes = self.lock();
        let current = *changes == noted;
        if current {
            self.id.store(id, Ordering::Release);
        }
        current
    }

    fn forget(&self) {
        *self.lock() += 1;
        self.id.store(0, Ordering::Release);
    }

    /// This process has replaced it.
    pub(crate) fn replace(&self, id: u64) {
        *self.lock() += 1;
        self.id.store(id, Ordering::Release);
    }

    fn lock(&self) -> MutexGuard<'_, u64> {
        // A number has no half-done state.
        self.changes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Generations {
    /// The generation of a namespace.
    ///
    /// # Errors
    /// `InvalidInput` if the name is too long.
    pub(crate) fn of_namespace(&self, namespace: &Namespace) -> Result<Arc<Generation>> {
        let kind = Namespace::new(GENERATION)?;
        let name = Namespace::from_segments(["ns"])?.within(&kind)?;
        Ok(self.get(Key::from_physical(&format!("{}:{}", name.as_str(), namespace.as_str()))?))
    }

    /// The generation of a tag.
    ///
    /// # Errors
    /// `InvalidInput` as for the id of a key.
    pub(crate) fn of_tag(&self, tag: &str) -> Result<Arc<Generation>> {
        Ok(self.get(Namespace::from_segments([GENERATION, "tag"])?.key(tag)?))
    }

    fn get(&self, key: Key) -> Arc<Generation> {
        let mut map = self.lock();
        if let Some(found) = map.get(&key) {
            return Arc::clone(found);
        }
        if map.len() >= REMEMBERED {
            // Local copies hold those that they depend on.
            map.retain(|_, generation| Arc::strong_count(generation) > 1);
        }
        let made = Arc::new(Generation { key: key.clone(), id: AtomicU64::new(0), changes: Mutex::new(0) });
        map.insert(key, Arc::clone(&made));
        made
    }

    /// The shared tier says that this one changed.
    pub(super) fn changed(&self, physical: &str) {
        if let Some(generation) = self.lock().get(physical) {
            generation.forget();
        }
    }

    pub(super) fn everything_changed(&self) {
        for generation in self.lock().values() {
            generation.forget();
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Arc<Generation>>> {
        // Entries are inserted and removed whole.
        self.map.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Engine {
    /// The ids of these generations, asking the shared tier for those that are not known. Without a shared tier they are
    /// this process's own.
    pub(crate) async fn current(&self, generations: &[Arc<Generation>]) -> Result<Vec<u64>> {
        let unknown: Vec<_> = generations.iter().filter(|generation| generation.id() == 0).collect();
        if !unknown.is_empty() {
            let noted: Vec<u64> = unknown.iter().map(|generation| generation.note()).collect();
            let asked: Vec<(Key, u64)> =
                unknown.iter().map(|generation| (generation.key.clone(), self.random.id())).collect();
            let ids = match self.link() {
                Some(link) => self.ask(link.generations(&asked, self.settings.shared_deadline)).await?,
                None => asked.into_iter().map(|(_, id)| id).collect(),
            };
            let mut known = HashMap::new();
            for ((generation, id), noted) in unknown.into_iter().zip(ids).zip(noted) {
                // One that changed meanwhile still answers this caller, who asked before.
                generation.learn(id, noted);
                known.insert(generation.key.clone(), id);
            }
            let id = |generation: &Arc<Generation>| match known.get(&generation.key) {
                Some(id) => *id,
                None => generation.id(),
            };
            return Ok(generations.iter().map(id).collect());
        }
        Ok(generations.iter().map(|generation| generation.id()).collect())
    }

    /// Makes every copy of this generation unusable, in all processes.
    pub(crate) async fn bump(&self, generation: &Generation) -> Result<()> {
        let id = self.random.id();
        // Here at once, whatever becomes of the rest.
        generation.replace(id);
        match self.link() {
            Some(link) => {
                let done = self.ask(link.bump_generation(&generation.key, id, self.settings.shared_deadline)).await;
                if done.is_err() {
                    self.debts.owe_bump(generation.key.clone());
                    self.wake.notify_one();
                }
                done
            }
            None => Ok(()),
        }
    }
}
