//! What all handles of one cache share, and the check of a copy in this process.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hallway_core::{Key, Namespace, Result, Token};
use tokio::sync::Semaphore;

use super::front::Hot;
use super::loader::Loads;
use super::odds::Odds;
use super::options::Options;
use super::outcome::ServedBy;
use super::stats::Counters;
use super::throttle::Throttle;
use crate::engine::{Engine, Generation, Guard, Lease, Noted};
use crate::flights::Flights;
use crate::settings::{Rules, micros};

/// Bytes that a local copy takes beside its value.
const OVERHEAD: usize = 128;

/// P(e^-16) is one in nine million: earlier than that nobody draws.
const NEVER_EARLY: f64 = 16.0;

type Encode<V> = fn(&V, &mut dyn FnMut(&[u8])) -> Result<()>;

/// How values are written in the shared tier.
pub(super) struct Form<V> {
    pub(super) name: &'static str,
    /// Hands out what was written, once.
    pub(super) encode: Encode<V>,
    pub(super) decode: fn(&[u8]) -> Result<V>,
}

pub(super) struct Core<V> {
    pub(super) engine: Arc<Engine>,
    pub(super) namespace: Namespace,
    pub(super) rules: Arc<Rules>,
    pub(super) options: Options,
    /// What the local copies hang on, where there are any.
    pub(super) lease: Lease,
    pub(super) form: Form<V>,
    /// That of the namespace.
    pub(super) generation: Arc<Generation>,
    pub(super) flights: Flights<Answer<V>>,
    pub(super) loads: Loads,
    pub(super) refreshes: Arc<Semaphore>,
    /// Of a value being missing in the shared tier.
    pub(super) odds: Odds,
    pub(super) throttle: Throttle,
    /// Rights to refresh that this process has and whose load failed.
    pub(super) claims: Throttle,
    /// Where there are local copies.
    pub(super) front: Option<Arc<Hot<V>>>,
    pub(super) counters: Counters,
}

/// A value as this process keeps it. Never changed: an own refresh puts another in its place.
pub(super) struct CacheCopy<V> {
    pub(super) key: Key,
    /// Whether the id stands in the key otherwise than it is.
    pub(super) is_escaped: bool,
    /// `None`: it is known that there is nothing.
    pub(super) value: Option<Arc<V>>,
    pub(super) guard: Guard,
    /// The id of the copy in the shared tier; 0 if there is none.
    pub(super) id: Token,
    /// From when it is past its TTL. Microseconds on the engine's clock, like all instants here; may lie before its start.
    pub(super) soft: i64,
    /// Before this it is never refreshed early.
    pub(super) early: i64,
    pub(super) created: i64,
    /// What loading it took, in microseconds.
    pub(super) cost: u64,
    /// The generation of the namespace that it was loaded under.
    pub(super) generation: u64,
    /// Those of its tags.
    pub(super) tags: Tags,
    /// What it counts for in the local tier.
    pub(super) bytes: usize,
    /// Whether its first answer is still to be told.
    pub(super) trial: AtomicBool,
}

/// Generations of tags, with the ids that something was loaded under.
pub(super) type Tags = Box<[(Arc<Generation>, u64)]>;

/// What a read came to.
pub(super) struct Answer<V> {
    pub(super) value: Option<Arc<V>>,
    pub(super) tier: ServedBy,
    pub(super) created: i64,
    pub(super) stale: bool,
    /// Whether nothing that it depends on was replaced while it was loaded, so that whoever came meanwhile may have it.
    pub(super) certain: bool,
}

impl<V> Clone for Answer<V> {
    fn clone(&self) -> Self {
        Self { value: self.value.clone(), ..*self }
    }
}

impl<V> Answer<V> {
    pub(super) fn of(copy: &CacheCopy<V>, tier: ServedBy, now: u64) -> Self {
        let stale = !copy.is_fresh(now);
        Self { value: copy.value.clone(), tier, created: copy.created, stale, certain: true }
    }

    pub(super) fn age(&self, now: u64) -> Duration {
        age(self.created, now)
    }
}

fn age(created: i64, now: u64) -> Duration {
    Duration::from_micros(u64::try_from(signed(now) - created).unwrap_or(0))
}

impl<V> CacheCopy<V> {
    pub(super) fn age(&self, now: u64) -> Duration {
        age(self.created, now)
    }

    #[inline]
    pub(super) fn is_fresh(&self, now: u64) -> bool {
        signed(now) < self.soft
    }

    /// Fresh, and too young to be refreshed early.
    #[inline]
    pub(super) fn is_calm(&self, now: u64) -> bool {
        signed(now) < self.soft.min(self.early)
    }

    /// Whether it is past its TTL by less than `overtime`, or not at all.
    pub(super) fn is_within(&self, overtime: Duration, now: u64) -> bool {
        signed(now) < self.soft.saturating_add(signed(micros(overtime)))
    }
}

pub(super) fn signed(micros: u64) -> i64 {
    i64::try_from(micros).unwrap_or(i64::MAX)
}

impl<V: Send + Sync + 'static> Core<V> {
    pub(super) fn new(
        engine: Arc<Engine>,
        namespace: Namespace,
        rules: Rules,
        options: Options,
        lease: Lease,
        form: Form<V>,
    ) -> Result<Arc<Self>> {
        let places = if rules.plan.local_copies { options.front } else { 0 };
        let seed = engine.random.id();
        let front = (places > 0).then(|| engine.fronts.of::<V>(&namespace, places, seed));
        let generation = engine.generations.of_namespace(&namespace, lease != Lease::Link)?;
        Ok(Arc::new(Self {
            generation,
            front,
            flights: Flights::new(options.max_in_flight),
            loads: Loads::new(options.max_loads),
            refreshes: Arc::new(Semaphore::new(options.max_refreshes)),
            odds: Odds::default(),
            throttle: Throttle::new(options.max_in_flight),
            claims: Throttle::new(options.max_in_flight),
            counters: Counters::new(engine.cache_hits.begin()),
            engine,
            namespace,
            rules: Arc::new(rules),
            options,
            lease,
            form,
        }))
    }

    /// Whether copies stand in the shared tier.
    pub(super) fn is_linked(&self) -> bool {
        self.lease == Lease::Link
    }

    /// The key of an id.
    ///
    /// # Errors
    /// `InvalidInput` as for every key, or if `copy:` makes it too long.
    pub(super) fn key(&self, id: &str) -> Result<Key> {
        let key = self.namespace.key(id)?;
        if self.is_linked() {
            self.engine.check_copy_key(&key)?;
        }
        Ok(key)
    }

    pub(super) fn now(&self) -> u64 {
        self.engine.clock.now()
    }

    /// The copy in this process, if it may answer; it may be past its TTL.
    #[inline]
    pub(super) fn nearby(&self, key: &Key, now: u64) -> Option<Arc<CacheCopy<V>>> {
        if !self.rules.plan.local_copies {
            return None;
        }
        let copy = self.engine.local_tier()?.copy(key.as_str())?.downcast::<CacheCopy<V>>().ok()?;
        if !self.may_answer(&copy, now) {
            return None;
        }
        self.tell_first_answer(&copy);
        Some(copy)
    }

    /// A copy in the local tier is about to answer.
    #[inline]
    pub(super) fn tell_first_answer(&self, copy: &CacheCopy<V>) {
        if copy.trial.load(Ordering::Relaxed) && copy.trial.swap(false, Ordering::Relaxed) {
            self.engine.promotion_paid();
        }
    }

    #[inline]
    pub(super) fn may_answer(&self, copy: &CacheCopy<V>, now: u64) -> bool {
        self.engine.may_answer_at(&copy.guard, self.rules.degraded_ttl, now)
            && copy.generation == self.generation.id()
            && copy.tags.iter().all(|(generation, id)| generation.id() == *id)
    }

    /// Whether a read of this copy is the one that refreshes it before its TTL ends.
    #[inline]
    pub(super) fn draws_refresh(&self, copy: &CacheCopy<V>, now: u64) -> bool {
        let now = signed(now);
        if now < copy.early || now >= copy.soft {
            return false;
        }
        let left = (copy.soft - now) as f64;
        let scale = self.options.beta * copy.cost.max(1) as f64;
        self.engine.random.range(0.0..1.0) < (-left / scale).exp()
    }

    /// When reads of a copy begin to draw.
    fn early(&self, soft: i64, cost: u64) -> i64 {
        if self.options.beta == 0.0 {
            return i64::MAX;
        }
        soft.saturating_sub((NEVER_EARLY * self.options.beta * cost.max(1) as f64) as i64)
    }

    /// Puts a copy into the local tier. It answers only as long as its guard lets it.
    pub(super) fn keep(&self, key: &Key, copy: Arc<CacheCopy<V>>) {
        if !self.rules.plan.local_copies {
            return;
        }
        let Some(local) = self.engine.local_tier() else { return };
        let (deadline, bytes) = (copy.guard.deadline, copy.bytes);
        let keep = || local.keep(key, copy, deadline, bytes);
        match &self.front {
            Some(front) => front.replace(front.hash(&key.id()), keep),
            None => keep(),
        }
    }

    /// Tells the front that what it has of this key has no more right to its place than nothing.
    pub(super) fn cool(&self, key: &Key) {
        if let Some(front) = &self.front {
            front.replace(front.hash(&key.id()), || ());
        }
    }

    /// A copy for this process of what is past its TTL when it is older than `soft` and may stay here for `hard` from
    /// `noted`, when it was of this `age`.
    #[expect(clippy::too_many_arguments, reason = "each is one field of the copy")]
    pub(super) fn copy_of(
        &self,
        key: &Key,
        value: Option<Arc<V>>,
        noted: Noted,
        lease: Lease,
        soft: u64,
        hard: u64,
        age: Duration,
        cost: Duration,
        id: Token,
        generation: u64,
        tags: Tags,
        length: usize,
        trial: bool,
    ) -> Arc<CacheCopy<V>> {
        let created = signed(noted.at).saturating_sub(signed(micros(age)));
        let soft = created.saturating_add(signed(soft));
        let cost = micros(cost);
        Arc::new(CacheCopy {
            key: key.clone(),
            is_escaped: key.physical_id().contains('%'),
            value,
            guard: Guard { noted, deadline: noted.at.saturating_add(hard), lease },
            id,
            soft,
            early: self.early(soft, cost),
            created,
            cost,
            generation,
            tags,
            bytes: length + OVERHEAD,
            trial: AtomicBool::new(trial),
        })
    }
}

impl<V> Drop for Core<V> {
    fn drop(&mut self) {
        self.engine.cache_hits.end(&self.counters.local_hits);
    }
}

impl<V> fmt::Debug for Core<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cache")
            .field("namespace", &self.namespace)
            .field("mode", &self.rules.plan.mode)
            .field("options", &self.options)
            .finish_non_exhaustive()
    }
}
