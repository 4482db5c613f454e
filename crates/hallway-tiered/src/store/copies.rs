//! Reading one key through copies.

use std::slice;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hallway_core::mutant::Mutant;
use hallway_core::{Entry, Key, Result, Ttl};

use super::TieredStore;
use crate::engine::{Engine, Guard, Lease, Look, Noted, Patience};
use crate::front::{Found, Named};
use crate::header::{BYTES, Header};
use crate::observe;
use crate::settings::{Rules, micros};
use crate::table::Authority;

/// How long a reader of the consistent tier waits for another's lease: reading for himself costs little more.
const WAIT: Duration = Duration::from_millis(50);

/// Bytes that a local copy takes beside its value.
const OVERHEAD: usize = 64;

/// A copy of bytes in the local tier.
#[derive(Debug)]
pub(crate) struct RawCopy {
    key: Key,
    value: Bytes,
    guard: Guard,
}

impl RawCopy {
    /// By itself, so that the value is written where it is returned: to move its four words about costs as much as to find
    /// them.
    #[inline(never)]
    fn share(&self) -> Option<Bytes> {
        Some(self.value.clone())
    }
}

impl Named for Arc<RawCopy> {
    #[inline]
    fn is(&self, id: &str) -> bool {
        self.key.as_str() == id
    }
}

impl TieredStore {
    /// The local copy, if it may answer: from the front of hot ones, else from the local tier. Never waits, and allocates
    /// nothing.
    #[inline]
    pub(super) fn local_copy(&self, key: &Key, rules: &Rules) -> Option<Bytes> {
        let (engine, id) = (&self.engine, key.as_str());
        let front = engine.front.as_ref()?;
        let hash = front.hash(id);
        let now = engine.clock.now_at_most();
        let answers = |copy: &RawCopy| engine.may_answer_at(&copy.guard, rules.degraded_ttl, now);
        match front.get(hash, id, |copy| answers(copy)) {
            Found::Hit { value: copy, record } => {
                if record && let Some(local) = engine.local_tier() {
                    local.record_hit(id);
                }
                engine.counters.local_hits.one();
                copy.share()
            }
            Found::Miss(seat) => {
                let copy = engine.local_tier()?.copy(id)?.downcast::<RawCopy>().ok()?;
                if !answers(&copy) {
                    return None;
                }
                let value = copy.value.clone();
                if let Some(seat) = seat {
                    let bytes = value.len() + OVERHEAD;
                    front.insert(seat, hash, id, copy, bytes);
                }
                engine.counters.local_hits.one();
                Some(value)
            }
        }
    }

    /// The value from beyond this process.
    pub(super) async fn get_far(&self, key: &Key, rules: &Arc<Rules>) -> Result<Option<Bytes>> {
        match (rules.plan.authority, rules.plan.shared_copies) {
            (Authority::Consistent, true) => self.get_copied(key, rules).await,
            (Authority::Shared, _) => self.get_linked(key, rules).await,
            _ => self.get_timed(key, rules).await,
        }
    }

    /// From the shared authority, over the link that tells of changes.
    async fn get_linked(&self, key: &Key, rules: &Rules) -> Result<Option<Bytes>> {
        let engine = &self.engine;
        let noted = engine.note(key);
        if let Some(link) = engine.link()
            && let Ok(mut entries) =
                engine.ask(link.read_entries(slice::from_ref(key), engine.settings.shared_deadline)).await
        {
            let noted = if Mutant::StampAfterReply.is_on() { engine.note(key) } else { noted };
            engine.counters.shared_hits.one();
            let Some(entry) = entries.pop().flatten() else { return Ok(None) };
            self.keep(key, &entry, noted, rules.local_ttl, Lease::Link);
            return Ok(Some(entry.value));
        }
        // Another connection of the store may still work; nothing read there is kept, and nobody goes back behind it.
        engine.counters.bypassed.one();
        let value = self.stores.authority(Authority::Shared)?.get(key).await?;
        engine.counters.authority_reads.one();
        engine.forget(key);
        Ok(value)
    }

    /// From the consistent tier, with local copies bounded by their TTL alone.
    async fn get_timed(&self, key: &Key, rules: &Rules) -> Result<Option<Bytes>> {
        let noted = self.engine.note(key);
        let store = self.stores.authority(Authority::Consistent)?;
        let entry = self.truth(rules, slice::from_ref(key), store.get_entry(key)).await?;
        self.engine.counters.loads.one();
        let Some(entry) = entry else { return Ok(None) };
        self.keep(key, &entry, noted, rules.local_ttl, Lease::Timed);
        Ok(Some(entry.value))
    }

    /// From a copy in the shared tier, or else from the consistent tier, leaving a copy behind.
    async fn get_copied(&self, key: &Key, rules: &Arc<Rules>) -> Result<Option<Bytes>> {
        let engine = &self.engine;
        let store = self.stores.authority(Authority::Consistent)?;
        let Ok(copy_key) = engine.copy_key(key) else {
            // Too long for `copy:` before it: no copies.
            return self.truth(rules, slice::from_ref(key), store.get(key)).await;
        };
        let patience = Patience { lease: engine.settings.lease, wait: WAIT };
        match engine.look(key, &copy_key, patience, |header| header.codec == BYTES).await {
            Look::Copy { payload, remaining, noted, header } => {
                engine.counters.shared_hits.one();
                observe::shared_hit(&rules.label, header.age(remaining));
                let life = if Mutant::ClientClockTtl.is_on() { header.ttl } else { remaining };
                self.keep(key, &Entry::new(payload.clone(), Ttl::After(life)), noted, rules.local_ttl, Lease::Link);
                Ok(Some(payload))
            }
            Look::Lease(token, _) => {
                // In a task of its own, so that the lease is used or given back whatever becomes of the caller.
                let (this, key, rules) = (self.clone(), key.clone(), Arc::clone(rules));
                let span = observe::of_load("load", key.namespace_str(), 1);
                let load = async move { this.load_and_fill(&key, copy_key, token, &rules).await };
                let load = tokio::spawn(observe::traced(span, load));
                load.await.unwrap_or_else(|_| Err(super::late(hallway_core::ErrorKind::Unavailable, WAIT)))
            }
            Look::Busy(_) => {
                engine.counters.loads.one();
                let value = self.truth(rules, slice::from_ref(key), store.get(key)).await?;
                // Newer than a local copy whose end is still under way: nobody here may go back to that.
                engine.forget(key);
                Ok(value)
            }
            Look::Down(_, noted) => {
                engine.counters.bypassed.one();
                let entry = self.truth(rules, slice::from_ref(key), store.get_entry(key)).await?;
                match &entry {
                    Some(entry) if rules.degraded_ttl > 0 => {
                        self.keep(key, entry, noted, rules.local_ttl.min(rules.degraded_ttl), Lease::Timed);
                    }
                    _ => engine.forget(key),
                }
                Ok(entry.map(|entry| entry.value))
            }
        }
    }

    async fn load_and_fill(
        &self,
        key: &Key,
        copy_key: Key,
        token: hallway_core::Token,
        rules: &Rules,
    ) -> Result<Option<Bytes>> {
        let engine = &self.engine;
        let loaded = match self.stores.authority(Authority::Consistent) {
            Ok(store) => self.truth_within(rules, 1, store.get_entry(key)).await,
            Err(error) => Err(error),
        };
        if loaded.is_ok() {
            engine.counters.loads.one();
        }
        let entry = match loaded {
            Ok(Some(entry)) => entry,
            nothing => {
                engine.release(&copy_key, token).await;
                return nothing.map(|_| None);
            }
        };
        match copy_life(&entry, rules) {
            Some(ttl) => {
                let copy = seal(engine, &entry.value, ttl);
                let filled = engine.fill(key.namespace_str(), &copy_key, token, copy, ttl).await;
                if !filled {
                    engine.release(&copy_key, token).await;
                } else if Mutant::LocalFromOwnFill.is_on() {
                    self.keep(key, &entry, engine.note(key), rules.local_ttl, Lease::Link);
                }
            }
            // At its deadline: not worth a copy.
            None => engine.release(&copy_key, token).await,
        }
        Ok(Some(entry.value))
    }

    /// Keeps a local copy: no longer than the entry lives, counted from before it was asked for.
    pub(super) fn keep(&self, key: &Key, entry: &Entry, noted: Noted, local_ttl: u64, lease: Lease) {
        let Some(local) = self.engine.local_tier() else { return };
        let life = entry.remaining.duration().map_or(local_ttl, |life| micros(life).min(local_ttl));
        let from = if Mutant::ClientClockTtl.is_on() { self.engine.clock.now() } else { noted.at };
        let deadline = from.saturating_add(life);
        let bytes = entry.value.len() + OVERHEAD;
        let guard = Guard { noted, deadline, lease };
        let copy = Arc::new(RawCopy { key: key.clone(), value: entry.value.clone(), guard });
        let keep = || local.keep(key, copy, deadline, bytes);
        match &self.engine.front {
            Some(front) => front.replace(front.hash(key.as_str()), keep),
            None => keep(),
        }
    }
}

/// How long a copy of this entry may live: never longer than the entry, never longer than the namespace allows. What passes
/// until it is written, the shared tier takes off.
pub(super) fn copy_life(entry: &Entry, rules: &Rules) -> Option<Duration> {
    let life = entry.remaining.duration().map_or(rules.options.ttl, |left| left.min(rules.options.ttl));
    // Down to whole milliseconds, because the shared tier rounds up.
    let life = Duration::from_millis(u64::try_from(life.as_millis()).unwrap_or(u64::MAX));
    (!life.is_zero()).then_some(life)
}

/// A copy of plain bytes for the shared tier.
pub(super) fn seal(engine: &Engine, value: &Bytes, ttl: Duration) -> Bytes {
    let header = Header {
        codec: BYTES.into(),
        ttl,
        soft: ttl,
        cost: Duration::ZERO,
        id: engine.random.token(),
        generation: 0,
        tags: Vec::new(),
    };
    header.seal(value)
}
