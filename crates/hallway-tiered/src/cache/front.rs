//! The quickest answer: from the front of hot copies, else from the local tier, without waiting and without allocating.

use std::any::{Any, TypeId};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use hallway_core::Namespace;

use super::core::{CacheCopy, Core};
use crate::front::{Found, Front, Named, Seat};

/// Larger values stay in the local tier alone: what each thread holds in 4,096 places beyond the bound of that is 16 MiB at
/// most.
const LARGEST: usize = 4 << 10;

/// Hot copies of one namespace and type.
pub(super) type Hot<V> = Front<Arc<CacheCopy<V>>>;

impl<V> Named for Arc<CacheCopy<V>> {
    #[inline]
    fn is(&self, id: &str) -> bool {
        // What is written otherwise than it is must not be taken for what is written like that.
        if self.is_escaped { self.key.has_id(id) } else { self.key.physical_id() == id }
    }
}

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

/// What the quickest look comes to.
pub(super) enum Quick<R> {
    /// A fresh copy that nobody has to refresh.
    Hit(R),
    /// There is one in this process that does not answer just like that.
    Closer,
    /// This process has nothing.
    Nothing,
}

impl<V: Send + Sync + 'static> Core<V> {
    /// What `of` makes of a fresh copy in this process that nobody has to refresh.
    #[inline]
    pub(super) fn fast<R>(&self, id: &str, of: impl Fn(&CacheCopy<V>, u64) -> R) -> Quick<R> {
        let Some(front) = &self.front else { return Quick::Closer };
        let hash = front.hash(id);
        // Never behind the exact clock.
        let now = self.engine.clock.now_at_most();
        let answers = |copy: &Arc<CacheCopy<V>>| copy.is_calm(now) && self.may_answer(copy, now);
        match front.get(hash, id, answers) {
            Found::Hit { value: copy, record } => {
                let answer = of(&copy, now);
                drop(copy);
                if record {
                    self.record(id);
                }
                self.counters.local_hits.one();
                Quick::Hit(answer)
            }
            Found::Miss(seat) => {
                let look = |copy: &Arc<CacheCopy<V>>| answers(copy).then(|| of(copy, now));
                self.near(front, id, hash, seat, look)
            }
        }
    }

    /// As [`fast`](Self::fast), from the local tier.
    fn near<R>(
        &self,
        front: &Hot<V>,
        id: &str,
        hash: u64,
        seat: Option<Seat>,
        look: impl Fn(&Arc<CacheCopy<V>>) -> Option<R>,
    ) -> Quick<R> {
        let Some(local) = self.engine.local_tier() else { return Quick::Nothing };
        let found = self.namespace.with_physical(id, |physical| local.copy(physical)).flatten();
        let Some(copy) = found.and_then(|copy| copy.downcast::<CacheCopy<V>>().ok()) else { return Quick::Nothing };
        let Some(answer) = look(&copy) else { return Quick::Closer };
        self.tell_first_answer(&copy);
        if let Some(seat) = seat {
            let bytes = copy.bytes;
            front.insert(seat, hash, id, copy, bytes);
        }
        self.counters.local_hits.one();
        Quick::Hit(answer)
    }

    /// Keeps what is hot here popular in the local tier.
    #[cold]
    fn record(&self, id: &str) {
        if let Some(local) = self.engine.local_tier() {
            self.namespace.with_physical(id, |physical| local.record_hit(physical));
        }
    }
}

#[cfg(test)]
mod tests {
    use hallway_core::{Clock, SystemClock};
    use hallway_moka::MokaStore;

    use super::*;
    use crate::{Cache, TieredStore};

    /// What an id is written as is another id.
    #[tokio::test]
    async fn an_id_is_found_as_it_was_given() {
        let tiers = TieredStore::builder().local(MokaStore::builder().build().unwrap()).build().unwrap();
        let cache: Cache<String> = tiers.cache("user").build().unwrap();
        let ids = ["42", "a:b", "a%3Ab", "100%", "100%25", "%3A", ":", "{x}", "%7Bx%7D"];
        for id in ids {
            cache.get_or_load(id, move || async move { Ok::<_, std::io::Error>(id.to_owned()) }).await.unwrap();
        }
        let core = cache.core();
        let front = core.front.as_ref().unwrap();
        for id in ids {
            let key = core.key(id).unwrap();
            let copy = core.nearby(&key, SystemClock.now()).unwrap();
            for other in ids {
                assert_eq!(copy.is(other), id == other, "{id} as {other}");
            }
            for _ in 0..200 {
                assert_eq!(cache.try_get(id).as_deref().map(String::as_str), Some(id));
            }
            let found = front.get(front.hash(id), id, |_| true);
            let Found::Hit { value: copy, .. } = found else { panic!("{id} is in the front by now") };
            assert_eq!(copy.value.as_deref().map(String::as_str), Some(id));
        }
    }
}
