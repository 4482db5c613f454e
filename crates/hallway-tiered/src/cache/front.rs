//! The quickest answer: from the front of hot copies, else from the local tier, without waiting and without allocating.

use std::any::{Any, TypeId};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use hallway_core::Namespace;

use super::core::{Answer, CacheCopy, Core};
use super::outcome::ServedBy;
use crate::front::{Found, Front};

/// Larger values stay in the local tier alone: what a front of 4,096 places holds beyond the bound of that is 16 MiB at most.
const LARGEST: usize = 4 << 10;

/// Hot copies of one namespace and type.
pub(super) type Hot<V> = Front<Arc<CacheCopy<V>>>;

/// The fronts of the caches of a store: caches of one namespace and one type share theirs, so that no reader of the one
/// finds what the other has replaced.
#[derive(Debug, Default)]
pub(crate) struct Fronts(Mutex<BTreeMap<(Namespace, TypeId), Arc<dyn Any + Send + Sync>>>);

impl Fronts {
    pub(super) fn of<V: Send + Sync + 'static>(&self, namespace: &Namespace, places: usize, seed: u64) -> Arc<Hot<V>> {
        // Entries are inserted whole.
        let mut fronts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let named = (namespace.clone(), TypeId::of::<V>());
        let front = fronts.entry(named).or_insert_with(|| Arc::new(Hot::<V>::new(places, LARGEST, seed)));
        Arc::clone(front).downcast().expect("its type is part of its name")
    }
}

impl<V: Send + Sync + 'static> Core<V> {
    /// A fresh copy in this process that nobody has to refresh. `None` says only that a closer look is needed.
    #[inline]
    pub(super) fn fast(&self, id: &str) -> Option<Answer<V>> {
        let front = self.front.as_ref()?;
        let hash = front.hash(id);
        // Never behind the exact clock.
        let now = self.engine.clock.now_at_most();
        let look = |copy: &Arc<CacheCopy<V>>| {
            let answers = copy.is_calm(now) && self.may_answer(copy, now);
            answers.then(|| Answer::of(copy, ServedBy::Local, now))
        };
        match front.get(hash, id, look) {
            Found::Hit { value, record } => {
                if record {
                    self.record(front, hash, id);
                }
                self.count_local();
                Some(value)
            }
            Found::Miss(seat) => {
                let key = self.namespace.key(id).ok()?;
                let copy = self.engine.local_tier()?.copy(&key)?.downcast::<CacheCopy<V>>().ok()?;
                let answer = look(&copy)?;
                if let Some(seat) = seat {
                    let bytes = copy.bytes;
                    front.insert(seat, hash, id, copy, bytes);
                }
                self.count_local();
                Some(answer)
            }
        }
    }

    /// Keeps what is hot here popular in the local tier.
    #[cold]
    fn record(&self, front: &Hot<V>, hash: u64, id: &str) {
        let key = |copy: &Arc<CacheCopy<V>>| Some(copy.key.clone());
        if let (Found::Hit { value: key, .. }, Some(local)) = (front.get(hash, id, key), self.engine.local_tier()) {
            local.record_hit(&key);
        }
    }

    #[inline]
    fn count_local(&self) {
        self.counters.local_hits.one();
        self.engine.counters.local_hits.one();
    }
}
