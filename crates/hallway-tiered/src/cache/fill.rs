//! Keeping what a loader found: how long, under which generations, and where.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hallway_core::mutant::Mutant;
use hallway_core::{Key, MAX_TTL, Result, Token, Ttl};

use super::core::{Answer, CacheCopy, Core, Tags};
use super::outcome::{Keep, Load, ServedBy};
use super::tags;
use crate::engine::{Lease, Noted};
use crate::header::{Header, NOTHING};
use crate::observe;
use crate::settings::micros;

/// What was true before a load began.
#[derive(Debug, Clone, Copy)]
pub(super) struct Began {
    pub(super) noted: Noted,
    pub(super) moment: u64,
    pub(super) generation: u64,
}

/// Where what was loaded goes.
#[derive(Debug, Clone, Copy)]
pub(super) enum Target {
    /// Into the shared tier, under this lease.
    Lease(Token),
    /// Into the shared tier, in the place of the copy with this id.
    Replace(Token),
    /// Into this process alone, where there is no shared tier for it.
    Here,
    /// Into this process, for as long as the shared tier gives no answers, but at most so many microseconds.
    Meanwhile(u64),
    /// Nowhere: somebody writes.
    Nowhere,
}

/// How long something is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Lives {
    pub(super) soft: Duration,
    pub(super) hard: Duration,
}

/// What a value was loaded under: the generation of the namespace, those of its tags.
pub(super) struct Under {
    generation: u64,
    tags: Tags,
}

/// A copy for the shared tier.
pub(super) struct Sealed {
    pub(super) copy: Bytes,
    pub(super) ttl: Duration,
}

/// What was loaded, ready to be kept.
pub(super) struct Fresh<V> {
    value: Option<Arc<V>>,
    lives: Option<Lives>,
    /// `None` if one of them may have been replaced meanwhile.
    under: Option<Under>,
    cost: Duration,
    began: Began,
}

impl<V: Send + Sync + 'static> Core<V> {
    /// To be taken before the loader runs. `noted` was taken before the state was read that made it necessary.
    pub(super) fn begin(&self, noted: Noted) -> Began {
        Began { noted, moment: self.engine.generations.moment(), generation: self.generation.id() }
    }

    /// Makes what was loaded ready.
    pub(super) async fn fresh(&self, load: Load<V>, cost: Duration, began: Began) -> Fresh<V> {
        let lives = self.lives(&load);
        let under = self.loaded_under(&load, began).await;
        let value = load.value.map(Arc::new);
        if value.is_none() {
            self.counters.not_found.one();
        }
        Fresh { value, lives, under, cost, began }
    }

    /// Keeps it where it may be kept. Never fails: whoever waits has his value.
    pub(super) async fn settle(
        &self,
        key: &Key,
        load: Load<V>,
        cost: Duration,
        began: Began,
        target: Target,
    ) -> Answer<V> {
        let fresh = self.fresh(load, cost, began).await;
        let kept = match target {
            Target::Lease(token) => match self.engine.copy_key(key) {
                Ok(copy_key) => self.fill(key, &copy_key, &fresh, token).await,
                Err(_) => false,
            },
            Target::Replace(seen) => Box::pin(self.replace(key, &fresh, seen)).await,
            Target::Here | Target::Meanwhile(_) => self.keep_here(key, &fresh, target),
            Target::Nowhere => false,
        };
        self.settled(key, fresh, target, kept)
    }

    /// What was loaded is the answer, wherever it was kept.
    pub(super) fn settled(&self, key: &Key, fresh: Fresh<V>, target: Target, kept: bool) -> Answer<V> {
        if !kept {
            self.counters.unfilled.one();
            let outdated = matches!(target, Target::Here) && !self.engine.is_unchanged(&fresh.began.noted);
            if !outdated && !matches!(target, Target::Lease(_) | Target::Replace(_)) {
                // Newer than a local copy that is still there: nobody here may go back to that.
                self.engine.forget(key);
            }
        }
        self.throttle.lift(key);
        fresh.into_answer()
    }

    /// How long to keep it; `None` not at all.
    pub(super) fn lives(&self, load: &Load<V>) -> Option<Lives> {
        let jitter = self.options.jitter;
        let (ttl, share, overtime) = match (load.keep, &load.value) {
            (Keep::No, _) => return None,
            // What a loader says is the most: a token that it knows to expire must not be kept beyond that.
            (Keep::For(ttl), value) => {
                (ttl, 1.0 - jitter..1.0, if value.is_some() { self.options.overtime() } else { Duration::ZERO })
            }
            (Keep::Default, Some(_)) => (self.options.ttl, 1.0 - jitter..1.0 + jitter, self.options.overtime()),
            (Keep::Default, None) => (self.options.not_found_ttl, 1.0 - jitter..1.0 + jitter, Duration::ZERO),
        };
        let ttl = self.spread(ttl.min(MAX_TTL), share).min(MAX_TTL);
        if ttl.is_zero() {
            return None;
        }
        Some(Lives { soft: ttl, hard: ttl.saturating_add(overtime).min(MAX_TTL) })
    }

    /// A duration times a share drawn from this range, in whole milliseconds.
    fn spread(&self, ttl: Duration, share: std::ops::Range<f64>) -> Duration {
        let share = if share.is_empty() { share.end } else { self.engine.random.range(share) };
        Duration::from_millis(u64::try_from(ttl.mul_f64(share).as_millis()).unwrap_or(u64::MAX))
    }

    /// The longest that a copy made now stays in this process, in microseconds. Never longer than promised.
    pub(super) fn local_life(&self) -> u64 {
        if self.options.jitter == 0.0 || self.rules.local_ttl == u64::MAX {
            return self.rules.local_ttl;
        }
        // Rounds down.
        (self.rules.local_ttl as f64 * self.engine.random.range(1.0 - self.options.jitter..1.0)) as u64
    }

    /// What the value depends on; `None` if something of it was replaced since the load began, or cannot be known.
    async fn loaded_under(&self, load: &Load<V>, began: Began) -> Option<Under> {
        let mut under = Under { generation: began.generation, tags: Tags::default() };
        if !load.tags.is_empty() {
            let tags = match tags::generations(&self.engine, &load.tags, !self.is_linked()) {
                Ok(tags) => tags,
                Err(error) => {
                    tracing::warn!(%error, namespace = self.namespace.as_str(), "a value is not kept for its tags");
                    return None;
                }
            };
            let ids = self.engine.since(&tags, began.moment).await.ok().flatten()?;
            under.tags = tags.into_iter().zip(ids).collect();
        }
        let now = match self.generation.id() {
            // Asked for again where it was known: its own making may just have been told.
            0 if began.generation != 0 => self.generation_now().await.ok()?,
            id => id,
        };
        (now == began.generation).then_some(under)
    }

    /// The copy for the shared tier; `None` if there is to be none.
    pub(super) fn seal(&self, fresh: &Fresh<V>) -> Option<Sealed> {
        let (Some(lives), Some(under)) = (fresh.lives, &fresh.under) else { return None };
        // A namespace of unknown generation has no copies.
        if under.generation == 0 {
            return None;
        }
        let header = Header {
            codec: if fresh.value.is_some() { self.form.name } else { NOTHING }.into(),
            ttl: lives.hard,
            soft: lives.soft,
            cost: fresh.cost,
            id: self.engine.random.token(),
            generation: under.generation,
            tags: under.tags.iter().map(|(tag, id)| (tags::word(tag), *id)).collect(),
        };
        let mut copy = Bytes::new();
        let encoded = match &fresh.value {
            None => {
                copy = header.seal(&[]);
                Ok(())
            }
            Some(value) => (self.form.encode)(value, &mut |payload| copy = header.seal(payload)),
        };
        match encoded {
            Ok(()) => Some(Sealed { copy, ttl: lives.hard }),
            Err(error) => {
                self.engine.counters.failed_fills.one();
                tracing::warn!(%error, namespace = self.namespace.as_str(), "a value could not be encoded");
                None
            }
        }
    }

    /// Writes the copy under its lease, or gives the lease back.
    pub(super) async fn fill(&self, key: &Key, copy_key: &Key, fresh: &Fresh<V>, token: Token) -> bool {
        let Some(Sealed { copy, ttl }) = self.seal(fresh) else {
            // In a box, as whatever else is seldom.
            Box::pin(self.engine.release(copy_key, token)).await;
            return false;
        };
        let Some(link) = self.engine.link() else { return false };
        let fills = [(copy_key.clone(), token, copy, Ttl::After(ttl))];
        let fill = self.engine.ask(link.fill(&fills, Duration::ZERO, self.engine.settings.shared_deadline));
        let filled = observe::traced(observe::of_fill(self.namespace.as_str(), 1), fill).await;
        if filled.is_err() {
            // Too large, or refused: nobody is to wait for it.
            Box::pin(self.engine.release(copy_key, token)).await;
        }
        self.filled(key, fresh, filled.map(|filled| filled == [true]))
    }

    async fn replace(&self, key: &Key, fresh: &Fresh<V>, seen: Token) -> bool {
        let Ok(copy_key) = self.engine.copy_key(key) else { return false };
        let Some(link) = self.engine.link() else { return false };
        let within = self.engine.settings.shared_deadline;
        let Some(Sealed { copy, ttl }) = self.seal(fresh) else {
            // What is there is older than what was just read.
            let gone = link.unmark(std::slice::from_ref(&copy_key), self.engine.random.token(), within);
            if let Err(error) = self.engine.ask(gone).await {
                tracing::debug!(%error, "an outdated copy could not be removed");
            }
            return false;
        };
        let replace = self.engine.ask(link.replace(&copy_key, seen, copy, Ttl::After(ttl), within));
        let replaced = observe::traced(observe::of_fill(self.namespace.as_str(), 1), replace).await;
        self.filled(key, fresh, replaced)
    }

    /// Counts a fill. A failed one never fails a caller.
    pub(super) fn filled(&self, key: &Key, fresh: &Fresh<V>, filled: Result<bool>) -> bool {
        match filled {
            Ok(true) => {
                self.counters.fills.one();
                self.engine.counters.fills.one();
                if Mutant::LocalFromOwnFill.is_on()
                    && let (Some(lives), Some(under)) = (fresh.lives, &fresh.under)
                {
                    let noted = self.engine.note(key);
                    let hard = micros(lives.hard).min(self.rules.local_ttl);
                    self.keep(key, self.copy(key, fresh, under, noted, Lease::Link, micros(lives.soft), hard));
                }
                true
            }
            // The lease has gone, as it should when somebody wrote meanwhile.
            Ok(false) => {
                self.engine.counters.failed_fills.one();
                false
            }
            Err(error) => {
                self.engine.counters.failed_fills.one();
                tracing::debug!(%error, "a copy could not be written");
                false
            }
        }
    }

    pub(super) fn keep_here(&self, key: &Key, fresh: &Fresh<V>, target: Target) -> bool {
        let (Some(lives), Some(under)) = (fresh.lives, &fresh.under) else { return false };
        // One that may not answer would only take the place of one that may.
        if !self.rules.plan.local_copies || !self.engine.is_unchanged(&fresh.began.noted) {
            return false;
        }
        let overtime = lives.hard.saturating_sub(lives.soft);
        let soft = micros(lives.soft).min(self.local_life());
        let (lease, soft, hard) = match target {
            Target::Here => (self.lease, soft, soft.saturating_add(micros(overtime))),
            // Nobody would say that it has changed.
            Target::Meanwhile(0) => return false,
            Target::Meanwhile(most) => (Lease::Timed, soft.min(most), soft.min(most)),
            _ => return false,
        };
        self.keep(key, self.copy(key, fresh, under, fresh.began.noted, lease, soft, hard));
        true
    }

    #[expect(clippy::too_many_arguments, reason = "each is one part of the copy")]
    fn copy(
        &self,
        key: &Key,
        fresh: &Fresh<V>,
        under: &Under,
        noted: Noted,
        lease: Lease,
        soft: u64,
        hard: u64,
    ) -> Arc<CacheCopy<V>> {
        // The size of its text is the best guess at what it takes.
        let length = fresh.value.as_ref().map_or(0, |value| {
            let mut length = size_of::<V>();
            // A value without a form is kept here all the same, where nothing is encoded; its own size has to do.
            let _ = (self.form.encode)(value, &mut |payload| length = length.max(payload.len()));
            length
        });
        let value = fresh.value.clone();
        let (age, id, tags) = (Duration::ZERO, Token(0), under.tags.clone());
        self.copy_of(key, value, noted, lease, soft, hard, age, fresh.cost, id, under.generation, tags, length, false)
    }
}

impl<V> Fresh<V> {
    pub(super) fn answer(&self) -> Answer<V> {
        self.answer_with(self.value.clone())
    }

    fn into_answer(mut self) -> Answer<V> {
        let value = self.value.take();
        self.answer_with(value)
    }

    fn answer_with(&self, value: Option<Arc<V>>) -> Answer<V> {
        Answer {
            value,
            tier: ServedBy::Loader,
            created: super::core::signed(self.began.noted.at),
            stale: false,
            certain: self.under.is_some(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use hallway_moka::MokaStore;

    use super::*;
    use crate::{Cache, TieredStore};

    fn core(told: impl FnOnce(crate::CacheBuilder) -> crate::CacheBuilder) -> Arc<Core<String>> {
        let tiers = TieredStore::builder().local(MokaStore::builder().build().unwrap()).seed(11).build().unwrap();
        let cache: Cache<String> = told(tiers.cache("a")).build().unwrap();
        Arc::clone(cache.core())
    }

    /// S4: no second later has more than 3 times the mean reloads.
    #[test]
    fn a_hundred_thousand_ttls_of_an_hour_spread_evenly_over_twelve_minutes() {
        let core = core(|told| told);
        let mut ends: BTreeMap<u64, usize> = BTreeMap::new();
        for _ in 0..100_000 {
            let lives = core.lives(&Load::store("x".to_owned())).unwrap();
            assert_eq!(lives.soft, lives.hard);
            *ends.entry(lives.soft.as_secs()).or_default() += 1;
        }
        let (first, last) = (*ends.keys().next().unwrap(), *ends.keys().last().unwrap());
        assert!(first >= 3_240 && last <= 3_960 && ends.len() >= 700, "{first} to {last}, {} seconds", ends.len());
        let (most, mean) = (*ends.values().max().unwrap(), 100_000 / ends.len());
        assert!(most <= 3 * mean, "{most} in one second, {mean} on average");
    }

    #[test]
    fn what_a_loader_says_is_the_most() {
        let core = core(|told| told.jitter(0.5).stale_if_error(Duration::from_secs(7)));
        let (mut least, mut most) = (u128::MAX, 0);
        for _ in 0..2_000 {
            let lives = core.lives(&Load::store("x".to_owned()).with_ttl(Duration::from_secs(10))).unwrap();
            assert_eq!(lives.hard - lives.soft, Duration::from_secs(7));
            (least, most) = (least.min(lives.soft.as_millis()), most.max(lives.soft.as_millis()));
        }
        assert!((5_000..5_200).contains(&least) && (9_800..10_000).contains(&most), "{least} to {most} ms");
        let nothing = core.lives(&Load::not_found()).unwrap();
        assert_eq!(nothing.soft, nothing.hard, "what does not exist is not served stale");
        assert_eq!(core.lives(&Load::do_not_store("x".to_owned())), None);
    }
}
