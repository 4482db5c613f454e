//! Invalidations that this process owes the shared tier: writes of loader namespaces that it could not be told of.
//!
//! In memory, one entry per key, at most 10,000; beyond that whole namespaces are owed, and their generation is replaced
//! instead. A debt is void once the copies it is about have passed their hard TTL. Writes to the consistent tier also have
//! rows in its outbox, which survive this process; what is remembered here keeps it from reading its own stale copies.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use hallway_core::{CopyState, Error, ErrorKind, Key, Result, SharedLink};
use tokio::time::Instant;

use super::Engine;
use crate::observe;

const MOST: usize = 10_000;

/// Namespaces and tags whose generation is owed.
const MOST_BUMPS: usize = 10_000;

/// How many keys are repaired in one round trip.
const BATCH: usize = 256;

#[derive(Debug, Default)]
pub(crate) struct Debts {
    /// Whether anything is owed: read before every look at a copy.
    any: AtomicBool,
    owed: Mutex<Owed>,
}

/// What is owed to one copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Debt {
    since: Instant,
    /// From when on no copy can be left.
    until: Instant,
}

#[derive(Debug, Default)]
struct Owed {
    /// By copy key.
    keys: BTreeMap<Key, Debt>,
    /// By generation key, with since when it is owed.
    bumps: BTreeMap<Key, Instant>,
    oldest: Option<Instant>,
    /// More is owed than can be remembered, and the outbox has it: no copy can be trusted here until that is drained.
    blind: bool,
}

impl Debts {
    /// A copy may be stale. `generation` is what is owed instead when there are too many.
    pub(crate) fn owe(&self, copy: Key, generation: Option<Key>, hard_ttl: Duration) {
        let mut owed = self.lock();
        owed.oldest.get_or_insert_with(Instant::now);
        if owed.keys.len() >= MOST && !owed.keys.contains_key(&copy) {
            let now = Instant::now();
            owed.keys.retain(|_, debt| debt.until > now);
        }
        if owed.keys.len() < MOST || owed.keys.contains_key(&copy) {
            let now = Instant::now();
            let since = owed.keys.get(&copy).map_or(now, |debt| debt.since);
            owed.keys.insert(copy, Debt { since, until: now + hard_ttl });
        } else if let Some(generation) = generation {
            owed.bump(generation);
        } else {
            owed.blind = true;
        }
        self.any.store(true, Ordering::Release);
    }

    /// Every copy of a generation may be stale.
    pub(crate) fn owe_bump(&self, generation: Key) {
        let mut owed = self.lock();
        owed.oldest.get_or_insert_with(Instant::now);
        owed.bump(generation);
        self.any.store(true, Ordering::Release);
    }

    /// Which of these copies are known to be stale here.
    fn of(&self, copies: &[Key]) -> Result<Vec<(Key, Debt)>> {
        let owed = self.lock();
        if owed.blind {
            return Err(Error::new(ErrorKind::Unavailable, "copies cannot be told apart until the outbox is drained"));
        }
        Ok(copies
            .iter()
            .filter_map(|copy| owed.keys.get_key_value(copy))
            .map(|(key, debt)| (key.clone(), *debt))
            .collect())
    }

    /// Whether a generation is owed: what the shared tier says of it is known to be out of date.
    pub(super) fn owes_bump(&self, generation: &Key) -> bool {
        self.any.load(Ordering::Acquire) && self.lock().bumps.contains_key(generation)
    }

    /// A generation was made good.
    pub(super) fn bumped(&self, generation: &Key) {
        let since = self.lock().bumps.remove(generation);
        observe::repaired(since.map(|since| since.elapsed()));
    }

    /// These were made good, unless they are owed anew.
    fn paid(&self, keys: &[(Key, Debt)]) {
        observe::repaired(keys.iter().map(|(_, debt)| debt.since.elapsed()));
        let mut owed = self.lock();
        for (key, debt) in keys {
            if owed.keys.get(key) == Some(debt) {
                owed.keys.remove(key);
            }
        }
    }

    /// The outbox is drained: what is remembered is all that is owed.
    pub(super) fn outbox_is_empty(&self) {
        self.lock().blind = false;
    }

    /// How many invalidations are owed, and for how long the oldest.
    pub(crate) fn owed(&self) -> (usize, Duration) {
        let owed = self.lock();
        (owed.keys.len() + owed.bumps.len(), owed.oldest.map_or(Duration::ZERO, |since| since.elapsed()))
    }

    fn lock(&self) -> MutexGuard<'_, Owed> {
        // Entries are inserted and removed whole.
        self.owed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Owed {
    fn bump(&mut self, generation: Key) {
        if self.bumps.len() < MOST_BUMPS || self.bumps.contains_key(&generation) {
            self.bumps.entry(generation).or_insert_with(Instant::now);
        } else {
            tracing::error!(
                "more invalidations are owed than can be remembered: some copies stay until their hard TTL"
            );
        }
    }
}

impl Engine {
    /// Reads copies, but never one that this process knows to be stale: what it owes them is paid first.
    ///
    /// # Errors
    /// As the link's, also when the debt could not be paid.
    pub(crate) async fn read_copies(&self, copies: &[Key]) -> Result<Vec<CopyState>> {
        let link = self.link_without_debts(copies).await?;
        self.ask(link.read(copies, self.settings.shared_deadline)).await
    }

    /// As [`read_copies`](Self::read_copies) by a caller who keeps nothing of what he reads.
    ///
    /// # Errors
    /// As [`read_copies`](Self::read_copies).
    pub(crate) async fn read_copies_once(&self, copies: &[Key]) -> Result<Vec<Option<Bytes>>> {
        let link = self.link_without_debts(copies).await?;
        self.ask(link.read_once(copies, self.settings.shared_deadline)).await
    }

    async fn link_without_debts(&self, copies: &[Key]) -> Result<&Arc<dyn SharedLink>> {
        let Some(link) = self.link() else {
            return Err(Error::new(ErrorKind::Unavailable, "there is no shared tier"));
        };
        if self.debts.any.load(Ordering::Acquire) {
            // In a box: it is seldom needed, and every read would carry room for it.
            Box::pin(self.pay_for(link, copies)).await?;
        }
        Ok(link)
    }

    /// Pays what is owed of these copies.
    async fn pay_for(&self, link: &Arc<dyn SharedLink>, copies: &[Key]) -> Result<()> {
        let stale = self.debts.of(copies)?;
        if !stale.is_empty() {
            let keys: Vec<Key> = stale.iter().map(|(key, _)| key.clone()).collect();
            let repair = self.ask(link.unmark(&keys, self.random.token(), self.settings.shared_deadline));
            observe::traced(observe::of_repair(keys.len()), repair).await?;
            self.debts.paid(&stale);
            self.counters.repairs.add(stale.len() as u64);
        }
        Ok(())
    }

    /// Makes good what is owed. Says whether nothing is left.
    pub(super) async fn pay_debts(&self) -> bool {
        let Some(link) = self.link() else { return true };
        loop {
            let now = Instant::now();
            let (keys, bumps) = {
                let mut owed = self.debts.lock();
                owed.keys.retain(|_, debt| debt.until > now);
                if owed.keys.is_empty() && owed.bumps.is_empty() {
                    owed.oldest = None;
                    self.debts.any.store(owed.blind, Ordering::Release);
                    return true;
                }
                let keys: Vec<(Key, Debt)> =
                    owed.keys.iter().take(BATCH).map(|(key, debt)| (key.clone(), *debt)).collect();
                (keys, owed.bumps.keys().take(BATCH).cloned().collect::<Vec<_>>())
            };
            let within = self.settings.shared_deadline;
            if !keys.is_empty() {
                let names: Vec<Key> = keys.iter().map(|(key, _)| key.clone()).collect();
                let repair = self.ask(link.unmark(&names, self.random.token(), within));
                if observe::traced(observe::of_repair(names.len()), repair).await.is_err() {
                    return false;
                }
                self.debts.paid(&keys);
                self.counters.repairs.add(keys.len() as u64);
            }
            for generation in bumps {
                let repair = self.ask(link.bump_generation(&generation, self.random.id(), within));
                if observe::traced(observe::of_repair(1), repair).await.is_err() {
                    return false;
                }
                self.debts.bumped(&generation);
                self.counters.repairs.one();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn beyond_the_bound_a_namespace_is_owed_instead() {
        let debts = Debts::default();
        let generation = Key::from_physical("generation:ns:a").unwrap();
        for at in 0..MOST + 5 {
            let key = Key::from_physical(&format!("copy:a:{at}")).unwrap();
            debts.owe(key, Some(generation.clone()), Duration::from_secs(60));
        }
        assert_eq!(debts.owed().0, MOST + 1);
        tokio::time::advance(Duration::from_secs(61)).await;
        debts.owe(Key::from_physical("copy:a:x").unwrap(), None, Duration::from_secs(60));
        assert_eq!(debts.owed(), (2, Duration::from_secs(61)));
    }
}
