//! Leases of loads that go on: prolonged while their holder lives, so that they can be short.
//!
//! A lease that outlasted every load would keep the others from a key for as long after its holder has died. One task
//! prolongs all of them together, because most loads are over long before: a task for each would cost more than the lease.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use hallway_core::{Key, Token};
use slab::Slab;
use smallvec::SmallVec;
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

/// As a rule one.
pub(crate) type Leased = SmallVec<[(Key, Token); 1]>;

// In places of their own, because most are held for less than a millisecond: a tree takes longer than the rest.
#[derive(Debug, Default)]
struct Held {
    leases: Slab<Leases>,
    begun: u64,
    /// When the keeper looks again, where there is one.
    keeper: Option<Instant>,
}

#[derive(Debug)]
struct Leases {
    /// Which they are: others may come to stand in their place.
    number: u64,
    leases: Leased,
    life: Duration,
    due: Instant,
}

/// Leases are prolonged until this is dropped.
#[derive(Debug)]
#[must_use]
pub(crate) struct Hold {
    engine: Arc<Engine>,
    /// Where they stand; `None` if there is nothing to hold.
    place: Option<usize>,
}

impl Drop for Hold {
    fn drop(&mut self) {
        if let Some(place) = self.place {
            // They are there: put in when this was made, and taken out by this alone.
            self.engine.holds.lock().leases.remove(place);
        }
    }
}

impl Holds {
    fn lock(&self) -> MutexGuard<'_, Held> {
        // Entries are inserted and removed whole.
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    fn put(&mut self, leases: Leased, life: Duration, due: Instant) -> usize {
        self.begun += 1;
        self.leases.insert(Leases { number: self.begun, leases, life, due })
    }

    /// Those that are due, which puts them off; and sets when to look again.
    fn due(&mut self, now: Instant) -> Vec<Due> {
        let mut due = Vec::new();
        self.keeper = None;
        // Of a load that goes on all leases may have been lost.
        for (place, leases) in self.leases.iter_mut().filter(|(_, leases)| !leases.leases.is_empty()) {
            if leases.due <= now {
                leases.due = now + pause(leases.life);
                due.push(Due { place, number: leases.number, leases: leases.leases.clone(), life: leases.life });
            }
            self.keeper = Some(self.keeper.map_or(leases.due, |next| next.min(leases.due)));
        }
        due
    }

    /// Forgets leases that could not be prolonged: they were ended by a write, or are another's by now.
    fn keep_those_that_stand(&mut self, due: Vec<Due>, stand: Vec<bool>) {
        let mut stand = stand.into_iter();
        for Due { place, number, mut leases, .. } in due {
            leases.retain(|_| stand.next() == Some(true));
            // Meanwhile the load may have ended, and another begun in its place.
            if let Some(held) = self.leases.get_mut(place).filter(|held| held.number == number) {
                held.leases = leases;
            }
        }
    }
}

/// How long a lease of this life stands before it is prolonged: two attempts may be lost before others take over.
fn pause(life: Duration) -> Duration {
    life / 3
}

impl Engine {
    /// Prolongs leases of this life. Not in the task of the loader: one that does not yield is alive all the same.
    pub(crate) fn hold(self: &Arc<Self>, leases: Leased, life: Duration) -> Hold {
        if leases.is_empty() {
            return Hold { engine: Arc::clone(self), place: None };
        }
        let due = Instant::now() + pause(life);
        let mut held = self.holds.lock();
        let place = held.put(leases, life, due);
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
        Hold { engine: Arc::clone(self), place: Some(place) }
    }

    /// The leases that are due, and when the next are; nothing where there are none any more, which ends the keeper.
    fn due(&self) -> Option<(Vec<Due>, Instant)> {
        let mut held = self.holds.lock();
        let due = held.due(Instant::now());
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
            Ok(stand) => self.holds.lock().keep_those_that_stand(due, stand),
            Err(error) => tracing::debug!(%error, "leases could not be prolonged; it is tried again"),
        }
    }
}

struct Due {
    place: usize,
    number: u64,
    leases: Leased,
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

#[cfg(test)]
mod tests {
    use smallvec::smallvec;

    use super::*;

    const LIFE: Duration = Duration::from_secs(3);

    fn leased(names: &[&str]) -> Leased {
        names.iter().map(|name| (Key::from_physical(name).unwrap(), Token(1))).collect()
    }

    fn names(due: &[Due]) -> Vec<&str> {
        due.iter().flat_map(|due| &due.leases).map(|(key, _)| key.as_str()).collect()
    }

    #[test]
    fn each_is_due_after_a_third_of_its_life_and_then_again() {
        let (mut held, start, second) = (Held::default(), Instant::now(), Duration::from_secs(1));
        held.put(leased(&["a"]), LIFE, start + second);
        held.put(leased(&["b", "c"]), LIFE, start + second / 2);
        assert_eq!(names(&held.due(start)), [""; 0]);
        assert_eq!(held.keeper, Some(start + second / 2));
        assert_eq!(names(&held.due(start + second / 2)), ["b", "c"]);
        assert_eq!(held.keeper, Some(start + second));
        assert_eq!(names(&held.due(start + second * 3 / 2)), ["a", "b", "c"]);
        assert_eq!(held.keeper, Some(start + second * 5 / 2));
    }

    #[test]
    fn what_does_not_stand_any_more_is_not_asked_for_again() {
        let (mut held, now) = (Held::default(), Instant::now());
        held.put(leased(&["a", "b"]), LIFE, now);
        held.put(leased(&["c"]), LIFE, now);
        let due = held.due(now);
        held.keep_those_that_stand(due, vec![false, true, false]);
        assert_eq!(names(&held.due(now + LIFE)), ["b"]);
        let due = held.due(now + LIFE * 2);
        held.keep_those_that_stand(due, vec![false]);
        assert_eq!((names(&held.due(now + LIFE * 3)), held.keeper), (vec![], None), "nothing is left to look after");
    }

    #[test]
    fn what_became_of_leases_says_nothing_about_those_in_their_place() {
        let (mut held, now) = (Held::default(), Instant::now());
        let place = held.put(leased(&["a"]), LIFE, now);
        let due = held.due(now);
        held.leases.remove(place);
        assert_eq!(held.put(smallvec![(Key::from_physical("b").unwrap(), Token(2))], LIFE, now), place);
        held.keep_those_that_stand(due, vec![false]);
        assert_eq!(names(&held.due(now)), ["b"]);
    }
}
