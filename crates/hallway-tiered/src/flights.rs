//! Single flight: one load per key at a time in this process.
//!
//! The load runs in a task of its own, so that a caller who leaves takes nobody with him. Whoever comes meanwhile waits for
//! the same answer, but only while that answer cannot be older than what he is promised: a flight that began before a
//! write may not answer a caller who came after it.

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use futures_util::FutureExt;
use hallway_core::{Error, ErrorKind, Key, Result};
use tokio::sync::Notify;

use crate::task_pool::TaskPool;

/// The loads in progress of one cache or store.
pub(crate) struct Flights<T> {
    inner: Arc<Inner<T>>,
}

/// Seeded by chance, so that keys cannot be chosen to collide by whoever sees no hashes; and it never holds more than may be
/// loaded at a time.
type Map<T> = HashMap<Key, Flight<T>, foldhash::quality::RandomState>;

struct Inner<T> {
    // A blocking mutex: nothing waits while holding it.
    map: Mutex<Map<T>>,
    most: usize,
    begun: AtomicU64,
    tasks: TaskPool,
}

/// Whether callers have nothing else to answer with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// There is something to answer with meanwhile.
    Background,
    /// They wait.
    Waited,
}

struct Flight<T> {
    id: u64,
    kind: Kind,
    answer: Arc<Answer<T>>,
}

/// An answer that is on its way.
pub(crate) struct Ticket<T> {
    answer: Arc<Answer<T>>,
    /// Whether the caller began the load, rather than joining one.
    pub(crate) leads: bool,
}

/// What all who wait get. A `Notify`, because a `watch` wakes them in another order each time.
struct Answer<T, F: ?Sized = dyn Fn() -> bool + Send + Sync> {
    value: OnceLock<Result<T>>,
    landed: Notify,
    /// Whether a caller who comes now may have this answer.
    may_join: F,
}

/// Lands the flight however its task ends.
struct Landing<T> {
    inner: Arc<Inner<T>>,
    key: Key,
    id: u64,
    answer: Arc<Answer<T>>,
}

impl<T: Clone + Send + Sync + 'static> Flights<T> {
    /// At most `most` keys are loaded at a time.
    pub(crate) fn new(most: usize) -> Self {
        Self {
            inner: Arc::new(Inner {
                map: Mutex::new(Map::default()),
                most,
                begun: AtomicU64::new(0),
                tasks: TaskPool::default(),
            }),
        }
    }

    /// Joins the flight of `key`, if there is one that others wait for too.
    pub(crate) fn join(&self, key: &Key) -> Option<Ticket<T>> {
        let map = self.inner.lock();
        let flight = map.get(key).filter(|flight| flight.kind == Kind::Waited && (flight.answer.may_join)())?;
        Some(Ticket { answer: Arc::clone(&flight.answer), leads: false })
    }

    /// Whether a flight of `key` is under way that may be joined.
    pub(crate) fn flies(&self, key: &Key) -> bool {
        self.inner.lock().get(key).is_some_and(|flight| (flight.answer.may_join)())
    }

    /// Joins the flight of `key`, or begins one by spawning `load`.
    ///
    /// # Errors
    /// `Overloaded` when too many keys are being loaded.
    pub(crate) fn board<F>(
        &self,
        key: &Key,
        kind: Kind,
        may_join: impl Fn() -> bool + Send + Sync + 'static,
        load: impl FnOnce() -> F,
    ) -> Result<Ticket<T>>
    where
        F: Future<Output = Result<T>> + Send + 'static,
    {
        let landing;
        let ticket;
        {
            let mut map = self.inner.lock();
            let old = map.get(key);
            if let Some(flight) = old
                && (flight.answer.may_join)()
            {
                return Ok(Ticket { answer: Arc::clone(&flight.answer), leads: false });
            }
            if old.is_none() && map.len() >= self.inner.most {
                let most = self.inner.most;
                return Err(Error::new(
                    ErrorKind::Overloaded,
                    format!("{most} keys are being loaded already: shed load"),
                ));
            }
            let id = self.inner.begun.fetch_add(1, Ordering::Relaxed);
            let answer: Arc<Answer<T>> = Arc::new(Answer { value: OnceLock::new(), landed: Notify::new(), may_join });
            ticket = Ticket { answer: Arc::clone(&answer), leads: true };
            map.insert(key.clone(), Flight { id, kind, answer: Arc::clone(&answer) });
            landing = Landing { inner: Arc::clone(&self.inner), key: key.clone(), id, answer };
        }
        // Not in a block of its own, which would have room for the load twice: as it is made and as it is waited for.
        let landed = load().map(move |answer| {
            // Nobody else sets it: the landing itself comes after.
            let _ = landing.answer.value.set(answer);
        });
        self.inner.tasks.spawn(landed);
        Ok(ticket)
    }

    /// How many keys are being loaded.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.inner.lock().len()
    }
}

impl<T> Inner<T> {
    fn lock(&self) -> MutexGuard<'_, Map<T>> {
        // An entry is inserted or removed whole.
        self.map.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Drop for Landing<T> {
    fn drop(&mut self) {
        let over = {
            let mut map = self.inner.lock();
            match map.remove(&self.key) {
                // A newer flight, begun after a write, stays.
                Some(newer) if newer.id != self.id => map.insert(self.key.clone(), newer),
                over => over,
            }
        };
        // Not under the lock: it may be the last to hold what loads ask whether they may be joined.
        drop(over);
        let lost = || Err(Error::new(ErrorKind::Unavailable, "the load panicked or its runtime ended"));
        self.answer.value.get_or_init(lost);
        self.answer.landed.notify_waiters();
    }
}

impl<T: Clone> Ticket<T> {
    /// Waits for the answer. Dropping the future leaves the load running.
    pub(crate) async fn wait(self) -> Result<T> {
        loop {
            let landed = self.answer.landed.notified();
            if let Some(answer) = self.answer.value.get() {
                return answer.clone();
            }
            // Made before the look, so that a landing in between wakes it.
            landed.await;
        }
    }
}

impl<T> fmt::Debug for Flights<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Flights").field("loading", &self.inner.lock().len()).field("most", &self.inner.most).finish()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, AtomicUsize};
    use std::time::Duration;

    use super::*;

    fn key(id: &str) -> Key {
        Key::from_physical(id).unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_comes_meanwhile_gets_the_same_answer() {
        let flights = Flights::new(8);
        let loads = Arc::new(AtomicUsize::new(0));
        let mut tickets = Vec::new();
        for _ in 0..1_000 {
            let loads = Arc::clone(&loads);
            let load = || async move {
                tokio::time::sleep(Duration::from_millis(5)).await;
                Ok(loads.fetch_add(1, Ordering::SeqCst))
            };
            tickets.push(flights.board(&key("a"), Kind::Waited, || true, load).unwrap());
        }
        for ticket in tickets {
            assert_eq!(ticket.wait().await.unwrap(), 0);
        }
        assert_eq!((loads.load(Ordering::SeqCst), flights.len()), (1, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn a_flight_outlives_whoever_began_it_and_a_panic_is_an_error() {
        let flights = Flights::new(8);
        let first = flights.board(
            &key("a"),
            Kind::Waited,
            || true,
            || async {
                tokio::time::sleep(Duration::from_millis(5)).await;
                Ok(7)
            },
        );
        drop(first);
        let joined = flights.board(&key("a"), Kind::Waited, || true, || async { Ok(8) }).unwrap();
        assert!(!joined.leads);
        assert_eq!(joined.wait().await.unwrap(), 7);
        let panics: Ticket<i32> =
            flights.board(&key("b"), Kind::Waited, || true, || async { panic!("as planned") }).unwrap();
        assert_eq!(panics.wait().await.unwrap_err().kind(), ErrorKind::Unavailable);
        assert_eq!(flights.len(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_flight_that_lands_leaves_a_newer_one_of_its_key() {
        let flights = Flights::new(8);
        let slow = |value: u64| async move {
            tokio::time::sleep(Duration::from_millis(value)).await;
            Ok(value)
        };
        let old = flights.board(&key("a"), Kind::Waited, || false, || slow(1)).unwrap();
        let new = flights.board(&key("a"), Kind::Waited, || true, || slow(2)).unwrap();
        assert_eq!(old.wait().await.unwrap(), 1);
        assert_eq!(flights.len(), 1);
        assert_eq!(flights.join(&key("a")).expect("the newer one").wait().await.unwrap(), 2);
        assert_eq!((new.wait().await.unwrap(), flights.len()), (2, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn after_a_write_nobody_joins_what_began_before_it() {
        let flights = Flights::new(8);
        let fresh = Arc::new(AtomicBool::new(true));
        let may_join = {
            let fresh = Arc::clone(&fresh);
            move || fresh.load(Ordering::SeqCst)
        };
        let slow = |value: i32| async move {
            tokio::time::sleep(Duration::from_millis(5)).await;
            Ok(value)
        };
        let old = flights.board(&key("a"), Kind::Waited, may_join, || slow(1)).unwrap();
        fresh.store(false, Ordering::SeqCst);
        let new = flights.board(&key("a"), Kind::Waited, || true, || slow(2)).unwrap();
        let joins_new = flights.board(&key("a"), Kind::Waited, || true, || slow(3)).unwrap();
        assert_eq!((old.wait().await.unwrap(), new.wait().await.unwrap()), (1, 2));
        assert_eq!(joins_new.wait().await.unwrap(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn the_map_is_bounded() {
        let flights = Flights::new(2);
        let forever = || std::future::pending::<Result<i32>>();
        let _a = flights.board(&key("a"), Kind::Waited, || true, forever).unwrap();
        let _b = flights.board(&key("b"), Kind::Waited, || true, forever).unwrap();
        assert_eq!(
            flights.board(&key("c"), Kind::Waited, || true, forever).err().unwrap().kind(),
            ErrorKind::Overloaded
        );
        assert!(!flights.board(&key("a"), Kind::Waited, || true, forever).unwrap().leads);
    }
}
