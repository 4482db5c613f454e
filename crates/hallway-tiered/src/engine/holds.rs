//! Leases of loads that go on: prolonged while their holder lives, so that they can be short.
//!
//! A lease that outlasted every load would keep the others from a key for as long after its holder has died. One task
//! prolongs all of them together, because most loads are over long before: a task for each would cost more than the lease.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use hallway_core::{Key, Token};
use tokio::sync::Notify;
use tokio::time::Instant;

use super::Engine;

/// The leases that are held.
#[derive(Debug, Default)]
pub(super) struct Holds {
    held: Mutex<Held>,
    /// Something is due sooner than the keeper thinks.
    sooner: Arc<Notify>,
}

#[derive(Debug, Default)]
struct Held {
    /// By number, so that the order is the same in each run.
    leases: BTreeMap<u64, Leases>,
    begun: u64,
    /// When the keeper looks again, where there is one.
    keeper: Option<Instant>,
}

#[derive(Debug)]
struct Leases {
    leases: Vec<(Key, Token)>,
    life: Duration,
    due: Instant,
}

/// Leases are prolonged until this is dropped.
#[derive(Debug)]
#[must_use]
pub(crate) struct Hold {
    engine: Arc<Engine>,
    /// `None` if there is nothing to hold.
    number: Option<u64>,
}

impl Drop for Hold {
    fn drop(&mut self) {
        if let Some(number) = self.number {
            self.engine.holds.lock().leases.remove(&number);
        }
    }
}

impl Holds {
    fn lock(&self) -> MutexGuard<'_, Held> {
        // Entries are inserted and removed whole.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How long a lease of this life stands before it is prolonged: two attempts may be lost before others take over.
fn pause(life: Duration) -> Duration {
    life / 3
}

impl Engine {
    /// Prolongs leases of this life. Not in the task of the loader: one that does not yield is alive all the same.
    pub(crate) fn hold(self: &Arc<Self>, leases: Vec<(Key, Token)>, life: Duration) -> Hold {
        if leases.is_empty() {
            return Hold { engine: Arc::clone(self), number: None };
        }
        let due = Instant::now() + pause(life);
        let mut held = self.holds.lock();
        held.begun += 1;
        let number = held.begun;
        held.leases.insert(number, Leases { leases, life, due });
        match held.keeper {
            None => {
                held.keeper = Some(due);
                tokio::spawn(keep(Keeper { engine: Arc::downgrade(self), ended: false }));
            }
            Some(looks) if looks > due => {
                held.keeper = Some(due);
                self.holds.sooner.notify_one();
            }
            Some(_) => {}
        }
        drop(held);
        Hold { engine: Arc::clone(self), number: Some(number) }
    }

    /// The leases that are due, and when the next are; nothing where there are none any more, which ends the keeper.
    fn due(&self) -> Option<(Vec<Due>, Instant)> {
        let now = Instant::now();
        let mut held = self.holds.lock();
        let mut due = Vec::new();
        for (number, leases) in held.leases.iter_mut().filter(|(_, leases)| leases.due <= now) {
            leases.due = now + pause(leases.life);
            due.push(Due { number: *number, leases: leases.leases.clone(), life: leases.life });
        }
        held.keeper = held.leases.values().map(|leases| leases.due).min();
        held.keeper.map(|next| (due, next))
    }

    /// Those of one life in one round trip: a thousand of them one by one would take as long as they stand.
    async fn prolong(&self, all: Vec<Due>) {
        let mut lives: BTreeMap<Duration, Vec<Due>> = BTreeMap::new();
        for due in all {
            lives.entry(due.life).or_default().push(due);
        }
        for (life, due) in lives {
            self.prolong_for(life, due).await;
        }
    }

    async fn prolong_for(&self, life: Duration, due: Vec<Due>) {
        let Some(link) = self.link() else { return };
        let asked: Vec<(Key, Token)> = due.iter().flat_map(|due| due.leases.iter().cloned()).collect();
        match self.ask(link.renew(&asked, life, self.settings.shared_deadline)).await {
            Ok(stand) => {
                let mut stand = stand.into_iter();
                let mut held = self.holds.lock();
                for Due { number, mut leases, .. } in due {
                    // One that has gone was ended by a write, or is another's by now.
                    leases.retain(|_| stand.next() == Some(true));
                    if leases.is_empty() {
                        held.leases.remove(&number);
                    } else if let Some(held) = held.leases.get_mut(&number) {
                        held.leases = leases;
                    }
                }
            }
            Err(error) => tracing::debug!(%error, "leases could not be prolonged; it is tried again"),
        }
    }
}

struct Due {
    number: u64,
    leases: Vec<(Key, Token)>,
    life: Duration,
}

/// The task that prolongs. However it ends, the next lease starts another one.
struct Keeper {
    engine: Weak<Engine>,
    /// It has said so itself, under the lock, and may have a successor.
    ended: bool,
}

impl Drop for Keeper {
    fn drop(&mut self) {
        if let (false, Some(engine)) = (self.ended, self.engine.upgrade()) {
            engine.holds.lock().keeper = None;
        }
    }
}

async fn keep(mut keeper: Keeper) {
    loop {
        let (next, sooner) = {
            let Some(engine) = keeper.engine.upgrade() else { return };
            let Some((due, next)) = engine.due() else {
                keeper.ended = true;
                return;
            };
            engine.prolong(due).await;
            (next, Arc::clone(&engine.holds.sooner))
        };
        // The engine is not held while waiting, or it would never end.
        let _ = tokio::time::timeout_at(next, sooner.notified()).await;
    }
}
