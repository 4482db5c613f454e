//! Writing: nobody may read or make a copy of what is being replaced.
//!
//! Stamps of this process first, then a marker in the shared tier, then the write itself, then the end of the marker,
//! then the end of the stamps, and only then the caller hears of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hallway_core::mutant::Mutant;
use hallway_core::{Error, ErrorKind, Key, Result, Token};
use tokio::task::AbortHandle;

use super::Engine;
use crate::OnSharedDown;

/// How a write has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It is done, or certainly not done.
    Known,
    /// It may have happened, or may yet happen.
    Unknown,
}

/// How the shared tier was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Announced {
    /// By a marker.
    Marked,
    /// There are no copies to protect.
    NotNeeded,
    /// By deleting the copies, because there is no memory for markers.
    Deleted,
    /// Not at all: it cannot be reached.
    Not,
}

/// What is done about copies that could not be told.
#[derive(Debug, Clone)]
pub(crate) struct Ending {
    /// Whether the write itself can carry outbox rows.
    pub(crate) outbox: bool,
    /// The hard TTL of the copies: how long the engine remembers what it owes them.
    pub(crate) hard_ttl: Duration,
    /// What is owed instead beyond the bound of what it remembers.
    pub(crate) generation: Option<Key>,
}

/// The task that renews the marker of a long write.
#[derive(Debug)]
struct Renewal {
    task: AbortHandle,
    /// Whether the last renewal has not been answered.
    unsure: Arc<AtomicBool>,
}

/// A write in progress. Dropping it counts as an unknown outcome.
#[derive(Debug)]
pub(crate) struct Writing {
    engine: Arc<Engine>,
    slots: Vec<u32>,
    copies: Vec<Key>,
    token: Token,
    announced: Announced,
    /// Whether a marker was asked for and it was not heard what became of it.
    unsure: bool,
    ending: Ending,
    renewal: Option<Renewal>,
    ended: bool,
}

impl Engine {
    /// Makes local copies of these keys unusable from here on, and announces the write to the shared tier.
    ///
    /// # Errors
    /// `Unavailable` if it cannot be announced and the policy is to refuse; nothing was written then.
    pub(crate) async fn begin_write(
        self: &Arc<Self>,
        keys: &[Key],
        announce: bool,
        policy: OnSharedDown,
        ending: Ending,
    ) -> Result<Writing> {
        let mut slots: Vec<u32> = keys.iter().map(|key| self.slot(key.as_bytes())).collect();
        slots.sort_unstable();
        slots.dedup();
        // A key that `copy:` makes too long has no copies.
        let copies: Vec<Key> =
            if announce { keys.iter().filter_map(|key| self.copy_key(key).ok()).collect() } else { Vec::new() };
        for slot in &slots {
            self.stamps.begin_write(*slot);
        }
        for key in keys {
            // Only frees memory: the stamp already forbids it.
            if let Some(local) = self.local_tier() {
                local.forget(key);
            }
        }
        let mut writing = Writing {
            engine: Arc::clone(self),
            slots,
            copies,
            token: self.random.token(),
            announced: Announced::NotNeeded,
            unsure: false,
            ending,
            renewal: None,
            ended: false,
        };
        if !writing.copies.is_empty() && !Mutant::NoMark.is_on() {
            match writing.announce().await {
                Ok(announced) => writing.announced = announced,
                Err(error) if policy == OnSharedDown::Fail => {
                    self.counters.refused_writes.one();
                    writing.unsure = may_stand(&error, &writing.copies);
                    writing.end(Outcome::Known).await;
                    return Err(error
                        .with_kind(ErrorKind::Unavailable)
                        .with_context("nothing was written, because the shared tier cannot be told"));
                }
                Err(error) => {
                    self.counters.unannounced_writes.one();
                    tracing::debug!(%error, "a write goes on although the shared tier cannot be told");
                    writing.unsure = may_stand(&error, &writing.copies);
                    writing.announced = Announced::Not;
                }
            }
        }
        Ok(writing)
    }

    /// Makes the local copy of a key unusable.
    pub(crate) fn forget(&self, key: &Key) {
        self.stamps.bump(self.slot(key.as_bytes()));
        if let Some(local) = self.local_tier() {
            local.forget(key);
        }
    }
}

/// Whether some of these may have been marked, although the call failed: it was sent, or a part of it was answered.
fn may_stand(error: &Error, copies: &[Key]) -> bool {
    error.kind() != ErrorKind::Unavailable || copies.len() > 1
}

impl Writing {
    async fn announce(&self) -> Result<Announced> {
        let engine = &self.engine;
        let Some(link) = engine.link() else { return Ok(Announced::NotNeeded) };
        let within = engine.settings.shared_deadline;
        match engine.ask(link.mark(&self.copies, self.token, engine.settings.marker, within)).await {
            Ok(()) => {
                engine.counters.marked_writes.one();
                Ok(Announced::Marked)
            }
            Err(error) if error.kind() == ErrorKind::OutOfMemory => {
                engine.ask(link.delete(&self.copies, within)).await?;
                Ok(Announced::Deleted)
            }
            Err(error) => Err(error),
        }
    }

    /// Whether the write itself must carry the invalidation, because nobody else could be told of it.
    pub(crate) fn must_enlist(&self) -> bool {
        self.ending.outbox && matches!(self.announced, Announced::Not | Announced::Deleted)
    }

    /// Renews the marker as long as the write goes on.
    pub(crate) fn keep_announced(&mut self) {
        if self.announced != Announced::Marked {
            return;
        }
        let (engine, copies, token) = (Arc::downgrade(&self.engine), self.copies.clone(), self.token);
        let pause = self.engine.settings.marker.mul_f64(0.3);
        let unsure = Arc::new(AtomicBool::new(false));
        let asked = Arc::clone(&unsure);
        let task = tokio::spawn(async move {
            loop {
                tokio::time::sleep(pause).await;
                let Some(engine) = engine.upgrade() else { return };
                let Some(link) = engine.link() else { return };
                let (life, within) = (engine.settings.marker, engine.settings.shared_deadline);
                asked.store(true, Ordering::SeqCst);
                match engine.ask(link.mark(&copies, token, life, within)).await {
                    Ok(()) => asked.store(false, Ordering::SeqCst),
                    Err(error) => {
                        tracing::warn!(%error, "the marker of a long write could not be renewed; it is tried again");
                    }
                }
            }
        });
        self.renewal = Some(Renewal { task: task.abort_handle(), unsure });
    }

    /// Ends the write: whoever reads from here on gets the new value.
    pub(crate) async fn end(mut self, outcome: Outcome) {
        if let Some(renewal) = self.renewal.take() {
            renewal.task.abort();
            self.unsure |= renewal.unsure.load(Ordering::SeqCst);
        }
        let engine = Arc::clone(&self.engine);
        if outcome == Outcome::Unknown {
            engine.counters.unknown_writes.one();
        }
        if let Some(link) = engine.link() {
            let within = engine.settings.shared_deadline;
            let unmark = outcome == Outcome::Known || Mutant::UnmarkAfterUnknown.is_on();
            let told = match self.announced {
                Announced::NotNeeded => Ok(()),
                Announced::Marked if unmark => engine.ask(link.unmark(&self.copies, self.token, within)).await,
                // The marker stands until the write can no longer happen.
                Announced::Marked => Ok(()),
                Announced::Deleted => engine.ask(link.delete(&self.copies, within)).await,
                Announced::Not => Err(Error::new(ErrorKind::Unavailable, "not announced")),
            };
            if told.is_err() {
                self.owe();
            }
            let left_behind = self.unsure || (self.announced == Announced::Marked && told.is_err());
            if left_behind && outcome == Outcome::Known {
                engine.strays.add(&self.copies, self.token);
                engine.wake.notify_one();
            }
        }
        self.release(outcome);
    }

    /// The copies could not be told: this process does it later and reads none of them until then. Where the write carried
    /// outbox rows any instance can do it, and a marker that stands protects them, unless the shared tier has lost it.
    fn owe(&self) {
        for copy in &self.copies {
            self.engine.debts.owe(copy.clone(), self.ending.generation.clone(), self.ending.hard_ttl);
        }
        self.engine.wake.notify_one();
    }

    /// Lets local copies be made again: at once, or when the write can no longer happen.
    fn release(&mut self, outcome: Outcome) {
        if std::mem::replace(&mut self.ended, true) {
            return;
        }
        let slots = std::mem::take(&mut self.slots);
        let engine = Arc::clone(&self.engine);
        let end = move || {
            for slot in &slots {
                engine.stamps.end_write(*slot);
            }
        };
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) if outcome == Outcome::Unknown => {
                let settle = self.engine.settings.settle;
                runtime.spawn(async move {
                    tokio::time::sleep(settle).await;
                    end();
                });
            }
            _ => end(),
        }
    }
}

impl Drop for Writing {
    fn drop(&mut self) {
        if let Some(renewal) = self.renewal.take() {
            renewal.task.abort();
        }
        if !self.ended {
            self.engine.counters.unknown_writes.one();
            if self.announced == Announced::Not {
                self.owe();
            }
            self.release(Outcome::Unknown);
        }
    }
}
