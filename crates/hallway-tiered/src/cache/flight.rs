//! What happens in the one load of a key: the right to fill, the loader, the fill.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hallway_core::mutant::Mutant;
use hallway_core::{Error, ErrorKind, Key, Result, Token};
use smallvec::smallvec;
use tokio::time::Instant;

use super::core::{Answer, CacheCopy, Core, Tags};
use super::fill::{Began, Target};
use super::loader::Loader;
use super::outcome::ServedBy;
use super::tags;
use crate::engine::{Hold, LinkHealth, Look, Noted, Patience, Peek, Promotion};
use crate::flights::Teller;
use crate::header::{Header, NOTHING};
use crate::observe;
use crate::settings::micros;

/// How often a copy that turns out dead is looked at again.
const TRIES: usize = 3;

/// Why a load begins.
#[derive(Debug, Clone, Copy)]
pub(super) enum Start {
    /// There is no shared tier for it.
    Alone,
    /// The same, although there is a copy that answers.
    Again,
    /// Nobody has looked into the shared tier, because nothing is likely to be there.
    Unread,
    /// Nothing was found in the shared tier, or a copy with this id that is dead.
    Absent(Option<Token>),
    /// Somebody else is at it.
    Busy,
    /// The shared tier gives no answers.
    Down,
    /// A copy with this id answers until it is replaced. Whoever cannot be answered by it waits for the process that
    /// replaces it. `noted` was taken before the copy was read.
    Stale { seen: Token, cost: u64, waits: bool, noted: Noted },
}

/// What a load is to find, how, and who is told before its copy is written.
pub(super) struct Wanted<V> {
    pub(super) loader: Loader<V>,
    pub(super) takes_nothing: bool,
    pub(super) teller: Teller<Answer<V>>,
}

/// What a copy in the shared tier turns out to be.
pub(super) enum Opened<V> {
    Copy(Arc<CacheCopy<V>>),
    /// No value of this cache, or one whose tag was replaced.
    Dead(Token),
}

/// What became of a copy that another process was to replace.
enum Refreshed<V> {
    Done(Arc<CacheCopy<V>>),
    Down(Error, Noted),
    /// Nothing is there, or a dead copy with this id; the outer `None` if somebody loads or writes it.
    Gone(Option<Option<Token>>),
    /// The old one still stands.
    Not(Arc<CacheCopy<V>>, Noted),
}

impl<V: Send + Sync + 'static> Core<V> {
    /// Whether the header is that of a value of this cache, as far as it says.
    pub(super) fn usable(&self, header: &Header, takes_nothing: bool) -> bool {
        self.usable_in(header, takes_nothing, self.generation.id())
    }

    /// As [`usable`](Self::usable), by a caller who has asked for the generation before he looked: whoever makes a generation
    /// is told of it as of a change, and does not know it for a moment.
    pub(super) fn usable_in(&self, header: &Header, takes_nothing: bool, generation: u64) -> bool {
        let known = header.codec == self.form.name || (takes_nothing && header.codec == NOTHING);
        known && header.generation == generation
    }

    /// The generation as it is now.
    pub(super) async fn generation_now(&self) -> Result<u64> {
        let id = self.generation.id();
        if id != 0 {
            return Ok(id);
        }
        let ids = self.engine.current(std::slice::from_ref(&self.generation)).await?;
        Ok(ids.first().copied().unwrap_or_default())
    }

    /// Decodes a copy and checks its tags, with their generations: `None` if it is no value of this cache, or dead.
    pub(super) async fn decode(&self, header: &Header, payload: &Bytes) -> Result<Option<(Option<Arc<V>>, Tags)>> {
        let value = if header.codec == NOTHING {
            None
        } else {
            match (self.form.decode)(payload) {
                Ok(value) => Some(Arc::new(value)),
                Err(error) => {
                    self.counters.undecodable.one();
                    tracing::warn!(%error, namespace = self.namespace.as_str(), "a copy is no value of this cache");
                    return Ok(None);
                }
            }
        };
        if header.tags.is_empty() {
            return Ok(Some((value, Tags::default())));
        }
        let named: Option<Vec<_>> =
            header.tags.iter().map(|(word, _)| tags::of_word(&self.engine, word, false)).collect();
        let Some(named) = named else { return Ok(None) };
        let ids = self.engine.current(&named).await?;
        if header.tags.iter().zip(&ids).any(|((_, loaded), now)| loaded != now) {
            return Ok(None);
        }
        Ok(Some((value, named.into_iter().zip(ids).collect())))
    }

    /// Whether a copy found in the shared tier is worth a place here. Each call counts as a read that went there.
    pub(super) fn promotes(&self, key: &Key) -> Promotion {
        if self.rules.plan.local_copies { self.engine.promotes(key) } else { Promotion::No }
    }

    /// Makes of a copy in the shared tier one for this process, and keeps it if it is to be promoted.
    pub(super) async fn open(
        &self,
        key: &Key,
        header: Header,
        payload: &Bytes,
        remaining: Duration,
        noted: Noted,
        promotion: Promotion,
    ) -> Result<Opened<V>> {
        let Some((value, under)) = self.decode(&header, payload).await? else { return Ok(Opened::Dead(header.id)) };
        let age = header.age(remaining);
        let (age, hard, noted) = if Mutant::ClientClockTtl.is_on() {
            (Duration::ZERO, header.ttl, Noted { at: self.now(), ..noted })
        } else {
            (age, remaining, noted)
        };
        let hard = micros(hard).min(self.local_life());
        let length = payload.len().max(size_of::<V>());
        let copy = self.copy_of(
            key,
            value,
            noted,
            self.lease,
            micros(header.soft),
            hard,
            age,
            header.cost,
            header.id,
            header.generation,
            under,
            length,
            promotion == Promotion::Trial,
        );
        if promotion == Promotion::Trial {
            self.engine.promotion_tried();
        }
        if promotion != Promotion::No {
            self.keep(key, Arc::clone(&copy));
        }
        Ok(Opened::Copy(copy))
    }

    /// The load itself, in a task of its own.
    pub(super) async fn fly(&self, key: Key, start: Start, wanted: Wanted<V>) -> Result<Answer<V>> {
        match start {
            Start::Alone => self.fly_alone(&key, wanted.loader, wanted.takes_nothing).await,
            Start::Again => self.load_here(&key, self.engine.note(&key), wanted.loader).await,
            Start::Unread => self.fly_unread(&key, wanted).await,
            Start::Absent(dead) => self.fly_linked(&key, Some(dead), wanted).await,
            Start::Busy => self.fly_linked(&key, None, wanted).await,
            Start::Down => Box::pin(self.fly_degraded(&key, self.engine.note(&key), wanted.loader)).await,
            // In a box, as whatever else is seldom: each load would carry room for it.
            Start::Stale { seen, cost, waits, .. } => Box::pin(self.fly_stale(&key, seen, cost, waits, wanted)).await,
        }
    }

    async fn fly_alone(&self, key: &Key, loader: Loader<V>, takes_nothing: bool) -> Result<Answer<V>> {
        let noted = self.engine.note(key);
        let now = self.now();
        // Whoever came first may have ended since this caller looked.
        if let Some(copy) = self.nearby(key, now)
            && copy.is_fresh(now)
            && (takes_nothing || copy.value.is_some())
        {
            self.counters.local_hits.one();
            return Ok(Answer::of(&copy, ServedBy::Local, now));
        }
        self.load_here(key, noted, loader).await
    }

    async fn load_here(&self, key: &Key, noted: Noted, loader: Loader<V>) -> Result<Answer<V>> {
        self.engine.current(std::slice::from_ref(&self.generation)).await?;
        self.load(key, loader, self.begin(noted), Target::Here).await
    }

    async fn load(&self, key: &Key, loader: Loader<V>, began: Began, target: Target) -> Result<Answer<V>> {
        let (load, cost) = self.run(loader).await?;
        Ok(self.settle(key, load, cost, began, target).await)
    }

    /// For how many microseconds a value read past the shared tier may answer here.
    pub(super) fn meanwhile(&self) -> u64 {
        match self.engine.health() {
            LinkHealth::Down => self.rules.degraded_ttl,
            // One lost call: changes are still told, but nobody tells of this key.
            LinkHealth::Up | LinkHealth::Untracked => self.rules.degraded_ttl.min(micros(self.engine.settings.bound)),
        }
    }

    pub(super) async fn fly_degraded(&self, key: &Key, noted: Noted, loader: Loader<V>) -> Result<Answer<V>> {
        let now = self.now();
        if let Some(copy) = self.nearby(key, now)
            && copy.is_fresh(now)
            && copy.value.is_some()
        {
            self.counters.local_hits.one();
            return Ok(Answer::of(&copy, ServedBy::Local, now));
        }
        self.counters.bypassed.one();
        self.engine.counters.bypassed.one();
        self.load(key, loader, self.begin(noted), Target::Meanwhile(self.meanwhile())).await
    }

    /// As if nothing had been found; the lease that is asked for says whether that is so.
    async fn fly_unread(&self, key: &Key, wanted: Wanted<V>) -> Result<Answer<V>> {
        let answer = self.fly_linked(key, Some(None), wanted).await;
        if let Ok(answer) = &answer {
            self.odds.count(answer.tier == ServedBy::Loader);
        }
        answer
    }

    /// Under a lease, or waiting for whoever has it.
    async fn fly_linked(&self, key: &Key, mut absent: Option<Option<Token>>, wanted: Wanted<V>) -> Result<Answer<V>> {
        let Wanted { loader, takes_nothing, teller } = wanted;
        let copy_key = self.engine.copy_key(key)?;
        let patience = Patience { lease: self.options.lease, wait: self.options.wait_max() };
        for _ in 0..TRIES {
            let id = match self.generation_now().await {
                Ok(id) => id,
                Err(error) => return self.down(error, key, self.engine.note(key), loader).await,
            };
            let usable = |header: &Header| self.usable_in(header, takes_nothing, id);
            match self.engine.look_from(key, &copy_key, patience, absent.take(), usable).await {
                Look::Copy { header, payload, remaining, noted } => {
                    match self.open(key, header, &payload, remaining, noted, self.promotes(key)).await {
                        // A cache of other settings serves it longer than this one.
                        Ok(Opened::Copy(copy)) if self.options.overtime().is_zero() && !copy.is_fresh(self.now()) => {
                            absent = Some(Some(copy.id));
                        }
                        Ok(Opened::Copy(copy)) => {
                            let now = self.now();
                            self.counters.shared_hits.one();
                            self.engine.counters.shared_hits.one();
                            observe::shared_hit(&self.rules.label, copy.age(now));
                            return Ok(Answer::of(&copy, ServedBy::Shared, now));
                        }
                        Ok(Opened::Dead(id)) => absent = Some(Some(id)),
                        Err(error) => return self.down(error, key, noted, loader).await,
                    }
                }
                Look::Lease(token, noted) => {
                    let began = Began { generation: id, ..self.begin(noted) };
                    let held = self.engine.hold(smallvec![(copy_key.clone(), token)], self.options.lease);
                    let loaded = self.run(loader).await;
                    drop(held);
                    return match loaded {
                        // `settle`, without making the copy's key once more.
                        Ok((load, cost)) => {
                            let fresh = self.fresh(load, cost, began).await;
                            // Whoever waits is not to wait for the copy as well.
                            let behind = if self.options.wait_for_fills { None } else { self.engine.write_behind() };
                            if behind.is_some() {
                                teller.tell(Ok(fresh.answer()));
                            }
                            let kept = self.fill(key, &copy_key, &fresh, token).await;
                            Ok(self.settled(key, fresh, Target::Lease(token), kept))
                        }
                        Err(error) => {
                            Box::pin(self.engine.release(&copy_key, token)).await;
                            Err(error)
                        }
                    };
                }
                Look::Busy(noted) => {
                    return Box::pin(self.load(key, loader, self.begin(noted), Target::Nowhere)).await;
                }
                Look::Down(error, noted) => return self.down(error, key, noted, loader).await,
            }
        }
        // Copies that die as fast as they are made: the value is still right.
        Box::pin(self.load(key, loader, self.begin(self.engine.note(key)), Target::Nowhere)).await
    }

    async fn down(&self, error: Error, key: &Key, noted: Noted, loader: Loader<V>) -> Result<Answer<V>> {
        if self.options.fail_fast {
            return Err(error.with_namespace(&self.namespace));
        }
        Box::pin(self.fly_degraded(key, noted, loader)).await
    }

    /// Prolongs the leases among these targets until what is returned is dropped.
    pub(super) fn hold<'a>(&self, targets: impl IntoIterator<Item = (&'a Key, Target)>) -> Hold {
        let lease = |(key, target): (&Key, Target)| match target {
            Target::Lease(token) => Some((self.engine.copy_key(key).ok()?, token)),
            _ => None,
        };
        self.engine.hold(targets.into_iter().filter_map(lease).collect(), self.options.lease)
    }

    /// Replaces a copy that still answers, unless another process is doing it.
    async fn fly_stale(&self, key: &Key, seen: Token, cost: u64, waits: bool, wanted: Wanted<V>) -> Result<Answer<V>> {
        let copy_key = self.engine.copy_key(key)?;
        let Some(link) = self.engine.link() else {
            return self.fly_alone(key, wanted.loader, wanted.takes_nothing).await;
        };
        // A refresh that is done does not keep the next one waiting.
        let life = self.options.claim(Duration::from_micros(cost));
        let began = Instant::now();
        let most = if waits { self.options.wait_max() } else { Duration::ZERO };
        loop {
            let noted = self.engine.note(key);
            if self.claims.holds(key, self.now()) {
                // This process's own claim, whose load failed, still stands.
                return self.load(key, wanted.loader, self.begin(noted), Target::Replace(seen)).await;
            }
            let token = self.engine.random.token();
            let claim = link.claim_refresh(&copy_key, token, life, self.engine.settings.shared_deadline);
            match self.engine.ask(claim).await {
                Ok(true) => {
                    let now = self.now();
                    let loaded = self.load(key, wanted.loader, self.begin(noted), Target::Replace(seen)).await;
                    if loaded.is_err() {
                        self.claims.hold(key, self.now(), now.saturating_add(micros(life)));
                    }
                    return loaded;
                }
                Ok(false) => {}
                Err(error) => return self.down(error, key, noted, wanted.loader).await,
            }
            // As long as the claim stands, should its holder have died.
            let wait = life.min(most.saturating_sub(began.elapsed()));
            match self.await_refresh(key, &copy_key, seen, wait, wanted.takes_nothing).await {
                Refreshed::Done(copy) => return Ok(Answer::of(&copy, ServedBy::Shared, self.now())),
                Refreshed::Gone(absent) => return self.fly_linked(key, absent, wanted).await,
                Refreshed::Down(error, noted) => return self.down(error, key, noted, wanted.loader).await,
                Refreshed::Not(..) if began.elapsed() < most => {}
                Refreshed::Not(copy, noted) => {
                    let now = self.now();
                    if waits && !copy.is_within(self.options.overtime(), now) {
                        return self.load(key, wanted.loader, self.begin(noted), Target::Replace(seen)).await;
                    }
                    // Whoever refreshes it takes long.
                    self.leave_alone(key);
                    return Ok(Answer::of(&copy, ServedBy::Shared, now));
                }
            }
        }
    }

    /// Waits for another process to replace a copy.
    async fn await_refresh(
        &self,
        key: &Key,
        copy_key: &Key,
        seen: Token,
        wait: Duration,
        takes_nothing: bool,
    ) -> Refreshed<V> {
        let began = Instant::now();
        let mut pause = Duration::from_millis(20);
        loop {
            let noted = self.engine.note(key);
            let woken = self.engine.waiters().register(noted.slot);
            let usable = |header: &Header| self.usable(header, takes_nothing);
            let copy = match self.engine.peek(copy_key, noted, &usable).await {
                Ok(Peek::Copy { header, payload, remaining, noted }) => {
                    match self.open(key, header, &payload, remaining, noted, self.promotes(key)).await {
                        Ok(Opened::Copy(copy)) => copy,
                        Ok(Opened::Dead(id)) => return Refreshed::Gone(Some(Some(id))),
                        Err(error) => return Refreshed::Down(error, noted),
                    }
                }
                Ok(Peek::Absent(dead)) => return Refreshed::Gone(Some(dead)),
                Ok(Peek::Busy(_)) => return Refreshed::Gone(None),
                Err(error) => return Refreshed::Down(error, noted),
            };
            if copy.id != seen {
                return Refreshed::Done(copy);
            }
            let waited = began.elapsed();
            if waited >= wait {
                return Refreshed::Not(copy, noted);
            }
            let next = pause.mul_f64(self.engine.random.range(0.5..1.0)).min(wait - waited);
            pause = (pause * 2).min(Duration::from_millis(250));
            match woken {
                Some(woken) => drop(tokio::time::timeout(next, woken).await),
                None => tokio::time::sleep(next).await,
            }
        }
    }

    pub(super) fn lost(&self) -> Error {
        self.error(ErrorKind::Unavailable, "the loader of another caller found nothing, or what it found was replaced")
    }
}
