//! Generations of namespaces and tags: counters in the shared tier that make all copies of a kind unusable at once.
//!
//! Each is a random 64-bit id under `generation:ns:<namespace>` or `generation:tag:<tag>`. A copy carries the ids it was
//! loaded under and is dead when one of them has been replaced. This process remembers an id until the shared tier says
//! that it changed. A missing one is made anew at random, so an eviction never revives an old value.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hallway_core::{Error, ErrorKind, Key, Namespace, Result};

use super::Engine;

/// Before the keys of generations in the shared tier.
pub(crate) const GENERATION: &str = "generation";

/// More than this and those that nobody uses are forgotten.
const REMEMBERED: usize = 65_536;

/// One generation as this process knows it.
#[derive(Debug)]
pub(crate) struct Generation {
    pub(crate) key: Key,
    /// Whether it is this process's own, of which the shared tier knows nothing.
    own: bool,
    /// When this process came to know the id, as [`Generations::moment`] counts.
    since: AtomicU64,
    /// 0: not known.
    id: AtomicU64,
    /// Counts what the shared tier said, so that a reply that was overtaken is not believed.
    changes: Mutex<u64>,
}

/// What became of a reply.
#[derive(Debug, Clone, Copy)]
struct Learned {
    id: u64,
    /// Whether it is known only since this reply.
    new: bool,
}

/// The generations that this process has met.
#[derive(Debug, Default)]
pub(crate) struct Generations {
    map: Mutex<HashMap<Key, Arc<Generation>>>,
    moment: AtomicU64,
    /// The moment when some were last forgotten for room.
    forgotten: AtomicU64,
}

/// Before the names of generations that are this process's own.
const OWN: &str = "own";

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

    /// Believes a reply, unless the generation changed meanwhile. An id that nobody but this process makes up is not
    /// replaced by another that was made up at the same time. One that was `made` by asking was not there before, so
    /// nobody can have replaced it.
    fn learn(&self, id: u64, made: bool, noted: u64, moment: u64) -> Learned {
        let changes = self.lock();
        let known = self.id.load(Ordering::Acquire);
        if known != 0 && (self.own || known == id) {
            return Learned { id: known, new: false };
        }
        let believed = *changes == noted;
        if believed {
            if !made {
                self.since.store(moment, Ordering::Release);
            }
            self.id.store(id, Ordering::Release);
        }
        Learned { id, new: believed }
    }

    fn forget(&self) {
        *self.lock() += 1;
        self.id.store(0, Ordering::Release);
    }

    /// This process has replaced it.
    pub(crate) fn replace(&self, id: u64, moment: u64) {
        let mut changes = self.lock();
        *changes += 1;
        self.since.store(moment, Ordering::Release);
        self.id.store(id, Ordering::Release);
    }

    /// The id, if it has been the same since that moment.
    fn unchanged_since(&self, moment: u64) -> Option<u64> {
        let _changes = self.lock();
        let id = self.id();
        (id != 0 && self.since.load(Ordering::Acquire) < moment).then_some(id)
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
    pub(crate) fn of_namespace(&self, namespace: &Namespace, own: bool) -> Result<Arc<Generation>> {
        let kind = if own { OWN } else { GENERATION };
        Ok(self.get(Key::from_physical(&format!("{kind}:ns:{}", namespace.as_str()))?, own))
    }

    /// The generation of a tag. An `own` one is this process's alone.
    ///
    /// # Errors
    /// `InvalidInput` as for the id of a key.
    pub(crate) fn of_tag(&self, tag: &str, own: bool) -> Result<Arc<Generation>> {
        let kind = if own { OWN } else { GENERATION };
        Ok(self.get(Namespace::from_segments([kind, "tag"])?.key(tag)?, own))
    }

    /// Before or after another one: to say whether an id was known before something began.
    pub(crate) fn moment(&self) -> u64 {
        self.moment.fetch_add(1, Ordering::AcqRel) + 1
    }

    fn get(&self, key: Key, own: bool) -> Arc<Generation> {
        let mut map = self.lock();
        if let Some(found) = map.get(&key) {
            return Arc::clone(found);
        }
        if map.len() >= REMEMBERED {
            // Local copies hold those that they depend on.
            map.retain(|_, generation| Arc::strong_count(generation) > 1);
            self.forgotten.store(self.moment(), Ordering::Release);
        }
        let made = Arc::new(Generation {
            key: key.clone(),
            own,
            // One that is forgotten may have been replaced before.
            since: AtomicU64::new(self.forgotten.load(Ordering::Acquire)),
            id: AtomicU64::new(0),
            changes: Mutex::new(0),
        });
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
        for generation in self.lock().values().filter(|generation| !generation.own) {
            generation.forget();
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Arc<Generation>>> {
        // Entries are inserted and removed whole.
        self.map.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Engine {
    /// The ids of these generations, asking the shared tier for those that are not known. Those that are this process's own
    /// are made up.
    pub(crate) async fn current(&self, generations: &[Arc<Generation>]) -> Result<Vec<u64>> {
        if generations.iter().all(|generation| generation.id() != 0) {
            return Ok(generations.iter().map(|generation| generation.id()).collect());
        }
        // In a box, here and below: it is seldom needed, and every read would carry room for it.
        let learned = Box::pin(self.learn(generations)).await?;
        let id = |generation: &Arc<Generation>| match learned.get(&generation.key) {
            Some((id, _)) => *id,
            None => generation.id(),
        };
        Ok(generations.iter().map(id).collect())
    }

    /// The ids of these generations, if none of them has been replaced since `moment`, as far as can be known: one that
    /// was not known then must not have existed. `None` if one may have been.
    pub(crate) async fn since(&self, generations: &[Arc<Generation>], moment: u64) -> Result<Option<Vec<u64>>> {
        let known: Option<Vec<u64>> = generations.iter().map(|generation| generation.unchanged_since(moment)).collect();
        if known.is_some() {
            return Ok(known);
        }
        let learned = Box::pin(self.learn(generations)).await?;
        let id = |generation: &Arc<Generation>| match learned.get(&generation.key) {
            Some((id, made)) => made.then_some(*id),
            None => generation.unchanged_since(moment),
        };
        Ok(generations.iter().map(id).collect())
    }

    /// Asks for those that are not known. Each with whether it was made just now.
    async fn learn(&self, generations: &[Arc<Generation>]) -> Result<BTreeMap<Key, (u64, bool)>> {
        let unknown: Vec<_> = generations.iter().filter(|generation| generation.id() == 0).collect();
        let noted: Vec<u64> = unknown.iter().map(|generation| generation.note()).collect();
        let asked: Vec<(Key, u64)> =
            unknown.iter().map(|generation| (generation.key.clone(), self.random.id())).collect();
        let mut known = BTreeMap::new();
        let far: Vec<(Key, u64)> = unknown
            .iter()
            .zip(&asked)
            .filter(|(generation, _)| !generation.own)
            .map(|(_, asked)| asked.clone())
            .collect();
        let mut paid = BTreeSet::new();
        for (key, id) in &far {
            // Never one's own outdated copies: what is owed is paid before it is asked for.
            if let Some(link) = self.link().filter(|_| self.debts.owes_bump(key)) {
                self.ask(link.bump_generation(key, *id, self.settings.shared_deadline)).await?;
                self.debts.bumped(key);
                paid.insert(key.clone());
                self.counters.repairs.one();
            }
        }
        let mut ids = match self.link() {
            Some(link) if !far.is_empty() => {
                self.ask(link.generations(&far, self.settings.shared_deadline)).await?.into_iter()
            }
            _ => Vec::new().into_iter(),
        };
        for ((generation, (key, proposed)), noted) in unknown.into_iter().zip(asked).zip(noted) {
            let id = if generation.own { Some(proposed) } else { ids.next() };
            let id = id.ok_or_else(|| Error::new(ErrorKind::Corrupt, "a generation is missing in the reply"))?;
            // One that changed meanwhile still answers this caller, who asked before.
            let made = id == proposed && !paid.contains(&key);
            let learned = generation.learn(id, made, noted, self.generations.moment());
            known.insert(key, (learned.id, made && learned.id == id && learned.new));
        }
        Ok(known)
    }

    /// Makes every copy of this generation unusable, in all processes.
    pub(crate) async fn bump(&self, generation: &Generation) -> Result<()> {
        let id = self.random.id();
        // Here at once, whatever becomes of the rest.
        generation.replace(id, self.generations.moment());
        match self.link() {
            Some(link) if !generation.own => {
                let done = self.ask(link.bump_generation(&generation.key, id, self.settings.shared_deadline)).await;
                if done.is_err() {
                    self.debts.owe_bump(generation.key.clone());
                    self.wake.notify_one();
                }
                done
            }
            _ => Ok(()),
        }
    }
}
