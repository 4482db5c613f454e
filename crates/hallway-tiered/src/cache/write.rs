//! Writing through the cache, and making copies unusable.

use std::error::Error as StdError;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use bytes::Bytes;
use futures_util::FutureExt;
use hallway_core::mutant::Mutant;
use hallway_core::{Error, ErrorKind, Key, Result, Ttl};

use super::core::{CacheCopy, Core, signed};
use super::outcome::of_write;
use crate::OnSharedDown;
use crate::engine::{Ending, Generation, Guard, Outcome, Peek, Writing};
use crate::header::{Header, NOTHING};
use crate::observe;

impl<V: Send + Sync + 'static> Core<V> {
    fn ending(&self) -> Ending {
        let hard_ttl = self.options.hard_ttl();
        Ending { outbox: false, hard_ttl, generation: Some(self.generation.key.clone()) }
    }

    /// Runs the application's write of a key while nobody may fill or keep a copy of it.
    pub(super) async fn write<T, E, F, Fut>(self: &Arc<Self>, id: &str, op: F) -> Result<T>
    where
        T: Send + 'static,
        E: Into<Box<dyn StdError + Send + Sync>>,
        F: FnOnce() -> Fut + Send + 'static,
        Fut: Future<Output = Result<T, E>> + Send + 'static,
    {
        let key = self.key(id)?;
        let core = Arc::clone(self);
        let span = observe::of_write("write", self.namespace.as_str(), 1);
        let write = async move {
            let policy = core.rules.options.on_shared_down;
            let keys = std::slice::from_ref(&key);
            let mut writing = core.engine.begin_write(keys, core.is_linked(), policy, core.ending()).await?;
            writing.keep_announced();
            core.counters.writes.one();
            let op = async move { op().await.map_err(of_write) };
            let (result, known) = match AssertUnwindSafe(op).catch_unwind().await {
                Ok(Ok(value)) => (Ok(value), true),
                Ok(Err((error, known))) => (Err(error), known),
                Err(_) => {
                    let error = Error::new(ErrorKind::Indeterminate, "the write panicked, and may have happened");
                    (Err(error.at("cache", "write")), false)
                }
            };
            core.throttle.lift(&key);
            core.end_write(writing, known).await;
            result
        };
        let task = tokio::spawn(observe::written(span, "write", write));
        let limit = self.options.write_deadline;
        let unknown = |message: String| Error::new(ErrorKind::Indeterminate, message).at("cache", "write");
        let result = match tokio::time::timeout(limit, task).await {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => Err(unknown("the runtime ended during a write".into())),
            Err(_) => Err(unknown(format!("the write did not end within {limit:?}; it goes on"))),
        };
        result.map_err(|error| error.with_namespace(&self.namespace))
    }

    /// Lets copies be made again: at once, or when a write of unknown outcome can no longer happen.
    async fn end_write(&self, writing: Writing, known: bool) {
        if known || Mutant::UnmarkAfterUnknown.is_on() {
            writing.end(if known { Outcome::Known } else { Outcome::Unknown }).await;
            return;
        }
        self.engine.counters.unknown_writes.one();
        let settle = self.options.settle;
        // The marker is renewed meanwhile. If this process dies it stands for as long as any.
        self.engine.spawn(async move {
            tokio::time::sleep(settle).await;
            writing.end(Outcome::Known).await;
        });
    }

    /// Makes the copies of these keys unusable, everywhere.
    pub(super) async fn invalidate(self: &Arc<Self>, keys: Vec<Key>) -> Result<()> {
        if keys.is_empty() {
            return Ok(());
        }
        let core = Arc::clone(self);
        // In a task of its own: it is done whatever becomes of the caller.
        let span = observe::of_invalidation("invalidate", self.namespace.as_str(), keys.len());
        let invalidation = async move {
            core.counters.invalidations.add(keys.len() as u64);
            for key in &keys {
                core.throttle.lift(key);
                core.cool(key);
            }
            let engine = &core.engine;
            let policy = core.rules.options.on_shared_down;
            // Stamps count as being written until the shared tier has been told: nobody here keeps what he read before.
            let writing = engine.begin_write(&keys, false, policy, core.ending()).await?;
            let told = core.tell(&keys).await;
            writing.end(Outcome::Known).await;
            told
        };
        let task = tokio::spawn(observe::written(span, "invalidate", invalidation));
        let ended = task
            .await
            .unwrap_or_else(|_| Err(Error::new(ErrorKind::Indeterminate, "the runtime ended during an invalidation")));
        ended.map_err(|error| error.at("cache", "invalidate").with_namespace(&self.namespace))
    }

    async fn tell(&self, keys: &[Key]) -> Result<()> {
        let engine = &self.engine;
        let Some(link) = engine.link().filter(|_| self.is_linked()) else { return Ok(()) };
        let copies = keys.iter().map(|key| engine.copy_key(key)).collect::<Result<Vec<_>>>()?;
        let told = engine.ask(link.unmark(&copies, engine.random.token(), engine.settings.shared_deadline)).await;
        match told {
            Ok(()) => Ok(()),
            Err(error) => {
                let generation = self.generation.key.clone();
                for copy in copies {
                    engine.debts.owe(copy, Some(generation.clone()), self.options.hard_ttl());
                }
                engine.wake.notify_one();
                self.owed(error)
            }
        }
    }

    /// What a caller hears of an invalidation that the shared tier could not be told of, and is owed.
    fn owed(&self, error: Error) -> Result<()> {
        match self.rules.options.on_shared_down {
            OnSharedDown::Proceed => {
                tracing::debug!(%error, "an invalidation is owed to the shared tier");
                self.engine.counters.unannounced_writes.one();
                Ok(())
            }
            OnSharedDown::Fail => Err(error
                .with_kind(ErrorKind::Unavailable)
                .with_context("the shared tier could not be told yet; it is tried again in the background")),
        }
    }

    /// Makes every copy of a generation unusable.
    pub(super) async fn bump(self: &Arc<Self>, generation: Arc<Generation>) -> Result<()> {
        let core = Arc::clone(self);
        let span = observe::of_invalidation("clear", self.namespace.as_str(), 1);
        let bump = async move { core.engine.bump(&generation).await.or_else(|error| core.owed(error)) };
        let task = tokio::spawn(observe::written(span, "clear", bump));
        let ended = task
            .await
            .unwrap_or_else(|_| Err(Error::new(ErrorKind::Indeterminate, "the runtime ended during an invalidation")));
        ended.map_err(|error| error.at("cache", "invalidate").with_namespace(&self.namespace))
    }

    /// Ends the life of a value, but keeps it for when its loader fails.
    pub(super) async fn expire(self: &Arc<Self>, id: &str) -> Result<()> {
        let key = self.key(id)?;
        if self.options.overtime().is_zero() {
            // Nothing may be served past its TTL.
            return self.invalidate(vec![key]).await;
        }
        self.throttle.lift(&key);
        self.written(&key).await;
        let done = if self.is_linked() { self.expire_far(&key).await? } else { self.expire_here(&key) };
        if done { Ok(()) } else { self.invalidate(vec![key]).await }
    }

    /// Says whether the copy is past its TTL now, and no load that began before will bring it back.
    fn expire_here(&self, key: &Key) -> bool {
        let now = self.now();
        let Some(copy) = self.nearby(key, now) else { return false };
        // Loads in progress are outdated by this, and whatever else has happened to the key is not undone.
        let Some(noted) = self.engine.advance(&copy.guard.noted) else { return false };
        let soft = copy.soft.min(signed(now));
        self.keep(
            key,
            Arc::new(CacheCopy {
                key: key.clone(),
                is_escaped: copy.is_escaped,
                value: copy.value.clone(),
                guard: Guard { noted, ..copy.guard },
                id: copy.id,
                soft,
                early: soft,
                created: copy.created,
                cost: copy.cost,
                generation: copy.generation,
                tags: copy.tags.clone(),
                bytes: copy.bytes,
                trial: AtomicBool::new(false),
            }),
        );
        true
    }

    async fn expire_far(&self, key: &Key) -> Result<bool> {
        let engine = &self.engine;
        let Some(link) = engine.link() else { return Ok(false) };
        let copy_key = engine.copy_key(key)?;
        let noted = engine.note(key);
        let usable = |header: &Header| header.codec == self.form.name || header.codec == NOTHING;
        let Ok(Peek::Copy { header, payload, remaining, .. }) = engine.peek(&copy_key, noted, &usable).await else {
            return Ok(false);
        };
        // The age goes on; only where freshness ends moves to here.
        let age = header.age(remaining);
        let seen = header.id;
        let expired = Header { soft: age.min(header.soft), id: engine.random.token(), ..header };
        let copy: Bytes = expired.seal(&payload);
        let replaced = link.replace(&copy_key, seen, copy, Ttl::After(remaining), engine.settings.shared_deadline);
        let done = engine.ask(replaced).await.unwrap_or(false);
        engine.forget(key);
        Ok(done)
    }
}
