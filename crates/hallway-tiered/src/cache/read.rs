//! Reading: this process, then the shared tier, then the one load of the key; and what is served when that fails.

use std::sync::Arc;
use std::time::Duration;

use hallway_core::{ErrorKind, Key, Result, Token};

use super::core::{Answer, CacheCopy, Core, signed};
use super::fill::Target;
use super::flight::{Opened, Start, Wanted};
use super::loader::Loader;
use super::outcome::ServedBy;
use crate::engine::{Glance, Look, Noted, Patience, Peek, Promotion};
use crate::flights::{Kind, Ticket};
use crate::header::Header;
use crate::observe;
use crate::settings::micros;

/// A caller who joined a load that turned out to be of no use to him begins or joins another; that one began after he
/// came. A third is only for what two kinds of loaders do to each other.
const ROUNDS: usize = 3;

/// What a look around says.
enum Found<V> {
    Answer(Answer<V>),
    Load(Start),
}

impl<V: Send + Sync + 'static> Core<V> {
    /// The value, loaded if it must be. `near` says whether this process may have a copy, `aged` whether the caller is to be
    /// told how old it is.
    pub(super) async fn fetch(
        self: &Arc<Self>,
        id: &str,
        loader: Loader<V>,
        takes_nothing: bool,
        near: bool,
        aged: bool,
    ) -> Result<Answer<V>> {
        let key = self.key(id)?;
        let mut loader = Some(loader);
        for round in 0..ROUNDS {
            let ticket = match self.approach(&key, &mut loader, takes_nothing, near || round > 0, aged).await {
                Ok(Approach::Answer(answer)) => return Ok(answer),
                Ok(Approach::Wait(ticket)) => ticket,
                Err(error) => return self.instead(&key, error, takes_nothing).await,
            };
            let leads = ticket.leads;
            if !leads {
                self.counters.joined.one();
            }
            let answer = match self.wait(&key, ticket, takes_nothing).await {
                Ok(answer) => answer,
                Err(error) => {
                    if leads {
                        self.leave_alone(&key);
                    }
                    return self.instead(&key, error, takes_nothing).await;
                }
            };
            // A load that began after this caller came is good in any case.
            if (leads || round > 0 || answer.certain) && (takes_nothing || answer.value.is_some()) {
                return Ok(answer);
            }
        }
        Err(self.lost())
    }

    /// An answer at hand, or a load to wait for.
    async fn approach(
        self: &Arc<Self>,
        key: &Key,
        loader: &mut Option<Loader<V>>,
        takes_nothing: bool,
        near: bool,
        aged: bool,
    ) -> Result<Approach<V>> {
        let now = self.now();
        let mut start = Start::Alone;
        if near
            && let Some(copy) = self.nearby(key, now)
            && (takes_nothing || copy.value.is_some())
        {
            match self.judge(key, &copy, now) {
                Verdict::Good => return Ok(Approach::Answer(self.hit(&copy, ServedBy::Local, now))),
                Verdict::Refresh => {
                    self.refresh_soon(key, &copy, loader, takes_nothing);
                    return Ok(Approach::Answer(self.hit(&copy, ServedBy::Local, now)));
                }
                Verdict::Late => {}
            }
        }
        if let Some(ticket) = self.flights.join(key) {
            return Ok(Approach::Wait(ticket));
        }
        self.written(key).await;
        // What is past its TTL may have to answer, and a lease says nothing about that.
        if self.is_linked() && self.options.overtime().is_zero() && self.odds.are_against() {
            start = Start::Unread;
        } else if self.is_linked() {
            match self.look_around(key, loader, takes_nothing, aged).await? {
                Found::Answer(answer) => return Ok(Approach::Answer(answer)),
                Found::Load(other) => start = other,
            }
        }
        self.counters.misses.one();
        Ok(Approach::Wait(self.board(key, Kind::Waited, start, loader, takes_nothing)?))
    }

    /// Waits until a copy is written of what this cache has already answered with: whoever comes after that answer finds it.
    pub(super) async fn written(&self, key: &Key) {
        if let Some(flight) = self.flights.ending(key) {
            // In a box, as whatever else is seldom.
            Box::pin(flight.over()).await;
        }
    }

    /// Looks into the shared tier.
    async fn look_around(
        self: &Arc<Self>,
        key: &Key,
        loader: &mut Option<Loader<V>>,
        takes_nothing: bool,
        aged: bool,
    ) -> Result<Found<V>> {
        let copy = match self.far(key, takes_nothing, aged).await {
            Ok(Far::Value(answer)) => {
                self.odds.count(false);
                return Ok(Found::Answer(answer));
            }
            Ok(Far::Copy(copy)) => {
                self.odds.count(false);
                copy
            }
            Ok(Far::Absent(dead)) => {
                self.odds.count(true);
                return Ok(Found::Load(Start::Absent(dead)));
            }
            Ok(Far::Busy) => return Ok(Found::Load(Start::Busy)),
            Err(error) if self.options.fail_fast => return Err(error.with_namespace(&self.namespace)),
            Err(_) => return Ok(Found::Load(Start::Down)),
        };
        let now = self.now();
        match self.judge(key, &copy, now) {
            Verdict::Good => {}
            Verdict::Refresh => self.refresh_soon(key, &copy, loader, takes_nothing),
            Verdict::Late => {
                let (seen, cost, noted) = (copy.id, copy.cost, copy.guard.noted);
                return Ok(Found::Load(Start::Stale { seen, cost, waits: true, noted }));
            }
        }
        Ok(Found::Answer(self.hit(&copy, ServedBy::Shared, now)))
    }

    /// What stands in the shared tier, kept here if that is worth the work. `aged` says whether it matters how old it is.
    pub(super) async fn far(&self, key: &Key, takes_nothing: bool, aged: bool) -> Result<Far<V>> {
        let noted = self.engine.note(key);
        let promotion = self.promotes(key);
        let id = self.generation_now().await?;
        let copy_key = self.engine.copy_key(key)?;
        let usable = |header: &Header| self.usable_in(header, takes_nothing, id);
        if promotion == Promotion::No && !aged && !self.options.ask_for_age() {
            match self.engine.glance(&copy_key, &usable).await? {
                Glance::Absent(dead) => return Ok(Far::Absent(dead)),
                // The load, if there is to be one, looks who it is.
                Glance::Other => return Ok(Far::Busy),
                // It answers until it expires.
                Glance::Copy { header, payload } if header.soft >= header.ttl => {
                    return Ok(match self.decode(&header, &payload).await? {
                        Some((value, _)) => Far::Value(self.shared_hit(value, noted)),
                        None => Far::Absent(Some(header.id)),
                    });
                }
                // Of a cache that serves it longer than this one.
                Glance::Copy { .. } => {}
            }
        }
        Ok(match self.engine.peek(&copy_key, noted, &usable).await? {
            Peek::Copy { header, payload, remaining, noted } => {
                match self.open(key, header, &payload, remaining, noted, promotion).await? {
                    Opened::Copy(copy) => Far::Copy(copy),
                    Opened::Dead(id) => Far::Absent(Some(id)),
                }
            }
            Peek::Absent(dead) => Far::Absent(dead),
            Peek::Busy(_) => Far::Busy,
        })
    }

    /// Whether a copy answers, and whether somebody ought to refresh it.
    pub(super) fn judge(&self, key: &Key, copy: &CacheCopy<V>, now: u64) -> Verdict {
        if copy.is_fresh(now) {
            return if self.draws_refresh(copy, now) { Verdict::Refresh } else { Verdict::Good };
        }
        if copy.is_within(self.options.overtime(), now) && self.throttle.holds(key, now) {
            return Verdict::Good;
        }
        if copy.is_within(self.options.revalidate, now) { Verdict::Refresh } else { Verdict::Late }
    }

    /// A load has failed: what is stale answers without another for a while.
    pub(super) fn leave_alone(&self, key: &Key) {
        if !self.options.overtime().is_zero() {
            let now = self.now();
            self.throttle.hold(key, now, now.saturating_add(micros(self.options.retry_after)));
        }
    }

    /// Counts a hit that nobody keeps, and whose age nobody wants to know.
    fn shared_hit(&self, value: Option<Arc<V>>, noted: Noted) -> Answer<V> {
        self.counters.shared_hits.one();
        self.engine.counters.shared_hits.one();
        Answer { value, tier: ServedBy::Shared, created: signed(noted.at), stale: false, certain: true }
    }

    /// Counts a hit.
    pub(super) fn hit(&self, copy: &CacheCopy<V>, tier: ServedBy, now: u64) -> Answer<V> {
        match tier {
            ServedBy::Local => {
                self.counters.local_hits.one();
            }
            _ => {
                self.counters.shared_hits.one();
                self.engine.counters.shared_hits.one();
                observe::shared_hit(&self.rules.label, copy.age(now));
            }
        }
        let answer = Answer::of(copy, tier, now);
        if answer.stale {
            self.counters.stale.one();
            self.engine.counters.stale.one();
        }
        answer
    }

    /// Begins the load of a key, or joins it.
    pub(super) fn board(
        self: &Arc<Self>,
        key: &Key,
        kind: Kind,
        start: Start,
        loader: &mut Option<Loader<V>>,
        takes_nothing: bool,
    ) -> Result<Ticket<Answer<V>>> {
        let may_join = self.may_join(key, start);
        let (core, owned) = (Arc::clone(self), key.clone());
        let ticket = self.flights.board(key, kind, may_join, |teller| {
            let loader = loader.take();
            let operation = if kind == Kind::Waited { "load" } else { "refresh" };
            // Made here, where the caller's own span is the current one.
            let span = observe::of_load(operation, core.namespace.as_str(), 1);
            let flight = async move {
                // Asked for once, when nobody could be joined.
                let Some(loader) = loader else { return Err(core.lost()) };
                let answer = core.fly(owned, start, Wanted { loader, takes_nothing, teller }).await;
                if kind == Kind::Waited && answer.as_ref().is_ok_and(|answer| answer.tier == ServedBy::Loader) {
                    core.engine.counters.authority_reads.one();
                }
                answer
            };
            observe::traced(span, flight)
        });
        ticket.inspect_err(|_| self.counters.overloaded.one()).map_err(|error| error.with_namespace(&self.namespace))
    }

    /// Whether a caller who comes later may have the answer of a load that begins now in this way.
    ///
    /// Redis tells once of a change to a key that was read, and not at all of one that was only asked the lease of: what
    /// begins with a lease may miss a write elsewhere, and its answer is as good as it is young.
    pub(super) fn may_join(self: &Arc<Self>, key: &Key, start: Start) -> impl Fn() -> bool + Send + Sync + 'static {
        let core = Arc::clone(self);
        let (began, id) = (self.now(), self.generation.id());
        let (noted, is_told) = match start {
            // As long as this is unchanged, the next change is told as well.
            Start::Stale { noted, .. } => (noted, true),
            _ => (self.engine.note(key), !self.is_linked()),
        };
        move || {
            let engine = &core.engine;
            let (now, degraded) = (engine.clock.now(), core.rules.degraded_ttl);
            let bound = micros(engine.settings.bound);
            let is_proven = !core.is_linked() || engine.is_proven(now, degraded);
            let is_young = || now.saturating_sub(began) <= if is_proven { bound } else { bound.max(degraded) };
            ((is_told && is_proven) || is_young())
                && engine.is_unchanged(&noted)
                && (id == 0 || core.generation.id() == id)
        }
    }

    /// Refreshes a copy in the background, unless it is being refreshed.
    pub(super) fn refresh_soon(
        self: &Arc<Self>,
        key: &Key,
        copy: &CacheCopy<V>,
        loader: &mut Option<Loader<V>>,
        takes_nothing: bool,
    ) {
        if self.flights.flies(key) {
            return;
        }
        let Ok(permit) = Arc::clone(&self.refreshes).try_acquire_owned() else {
            self.counters.skipped_refreshes.one();
            return;
        };
        let start = match copy.id {
            Token(0) => Start::Again,
            seen => Start::Stale { seen, cost: copy.cost, waits: false, noted: copy.guard.noted },
        };
        let Ok(ticket) = self.board(key, Kind::Background, start, loader, takes_nothing) else { return };
        if !ticket.leads {
            return;
        }
        self.counters.refreshes.one();
        let (core, key) = (Arc::clone(self), key.clone());
        self.engine.spawn(async move {
            let _permit = permit;
            if let Err(error) = ticket.wait().await {
                core.leave_alone(&key);
                tracing::debug!(%error, namespace = core.namespace.as_str(), "a refresh failed");
            }
        });
    }

    /// Waits for a load, but no longer than the soft timeout if there is something stale to answer with.
    async fn wait(&self, key: &Key, ticket: Ticket<Answer<V>>, takes_nothing: bool) -> Result<Answer<V>> {
        let Some(soft) = self.options.soft_timeout else { return ticket.wait().await };
        let overtime = self.options.overtime();
        if overtime.is_zero() {
            return ticket.wait().await;
        }
        let mut answer = std::pin::pin!(ticket.wait());
        match tokio::time::timeout(soft, &mut answer).await {
            Ok(answer) => answer,
            Err(_) => match self.stale(key, overtime, takes_nothing).await {
                Some(stale) => Ok(stale),
                None => answer.await,
            },
        }
    }

    /// The stale value instead of an error, if it may answer.
    pub(super) async fn instead(
        &self,
        key: &Key,
        error: hallway_core::Error,
        takes_nothing: bool,
    ) -> Result<Answer<V>> {
        if error.kind() == ErrorKind::InvalidInput {
            return Err(error);
        }
        match self.stale(key, self.options.if_error, takes_nothing).await {
            Some(stale) => Ok(stale),
            None => Err(error),
        }
    }

    /// What there is, however stale up to `overtime`. Looked up anew, so that nothing is served that was invalidated
    /// meanwhile.
    async fn stale(&self, key: &Key, overtime: Duration, takes_nothing: bool) -> Option<Answer<V>> {
        if overtime.is_zero() {
            return None;
        }
        let now = self.now();
        let may =
            |copy: &CacheCopy<V>, now: u64| (takes_nothing || copy.value.is_some()) && copy.is_within(overtime, now);
        if let Some(copy) = self.nearby(key, now)
            && may(&copy, now)
        {
            return Some(self.hit(&copy, ServedBy::Local, now));
        }
        if !self.is_linked() {
            return None;
        }
        match self.far(key, takes_nothing, true).await {
            Ok(Far::Copy(copy)) => {
                let now = self.now();
                may(&copy, now).then(|| self.hit(&copy, ServedBy::Shared, now))
            }
            Ok(_) | Err(_) => None,
        }
    }

    /// A load of the caller's own, whatever is there.
    pub(super) async fn refresh(self: &Arc<Self>, id: &str, loader: Loader<V>) -> Result<Answer<V>> {
        let key = self.key(id)?;
        let core = Arc::clone(self);
        let span = observe::of_load("refresh", self.namespace.as_str(), 1);
        let load = async move {
            let mut target = Target::Here;
            let mut noted = core.engine.note(&key);
            if core.is_linked() {
                let copy_key = core.engine.copy_key(&key)?;
                let patience = Patience { lease: core.options.lease, wait: core.options.wait_max() };
                let any = |header: &Header| header.generation == core.generation.id();
                // A copy that is no value of this cache is replaced as well.
                let looked = match core.engine.current(std::slice::from_ref(&core.generation)).await {
                    Ok(_) => core.engine.look(&key, &copy_key, patience, any).await,
                    Err(error) => Look::Down(error, noted),
                };
                (target, noted) = match looked {
                    Look::Copy { header, .. } => (Target::Replace(header.id), core.engine.note(&key)),
                    Look::Lease(token, noted) => (Target::Lease(token), noted),
                    Look::Busy(noted) => (Target::Nowhere, noted),
                    Look::Down(error, _) if core.options.fail_fast => return Err(error),
                    Look::Down(_, noted) => (Target::Meanwhile(core.meanwhile()), noted),
                };
            } else {
                core.engine.current(std::slice::from_ref(&core.generation)).await?;
            }
            let began = core.begin(noted);
            let held = core.hold([(&key, target)]);
            let loaded = core.run(loader).await;
            drop(held);
            match loaded {
                Ok((load, cost)) => Ok(core.settle(&key, load, cost, began, target).await),
                Err(error) => {
                    if let (Target::Lease(token), Ok(copy_key)) = (target, core.engine.copy_key(&key)) {
                        core.engine.release(&copy_key, token).await;
                    }
                    Err(error)
                }
            }
        };
        let task = tokio::spawn(observe::traced(span, load));
        let ended = task.await.unwrap_or_else(|_| Err(self.error(ErrorKind::Unavailable, "the runtime ended")));
        ended.map_err(|error| error.with_namespace(&self.namespace))
    }

    /// What there is, without loading anything. `near` says whether this process may have a copy,
    /// `aged` whether the caller is to be told how old it is.
    pub(super) async fn look(&self, id: &str, near: bool, aged: bool) -> Result<Option<Answer<V>>> {
        let key = self.key(id)?;
        let now = self.now();
        let good = |copy: &CacheCopy<V>, now: u64| copy.is_within(self.options.revalidate, now);
        if near
            && let Some(copy) = self.nearby(&key, now)
            && good(&copy, now)
        {
            return Ok(Some(self.hit(&copy, ServedBy::Local, now)));
        }
        if self.is_linked() {
            self.written(&key).await;
            match self.far(&key, true, aged).await.map_err(|error| error.with_namespace(&self.namespace))? {
                Far::Value(answer) => return Ok(Some(answer)),
                Far::Copy(copy) => {
                    let now = self.now();
                    if good(&copy, now) {
                        return Ok(Some(self.hit(&copy, ServedBy::Shared, now)));
                    }
                }
                Far::Absent(_) | Far::Busy => {}
            }
        }
        self.counters.misses.one();
        Ok(None)
    }
}

/// How a caller gets his answer.
enum Approach<V> {
    Answer(Answer<V>),
    Wait(Ticket<Answer<V>>),
}

/// What stands in the shared tier.
pub(super) enum Far<V> {
    /// A value that was not kept here.
    Value(Answer<V>),
    Copy(Arc<CacheCopy<V>>),
    Absent(Option<Token>),
    Busy,
}

pub(super) enum Verdict {
    Good,
    /// It answers, and this caller is to refresh it.
    Refresh,
    /// It does not answer unless loading fails.
    Late,
}
