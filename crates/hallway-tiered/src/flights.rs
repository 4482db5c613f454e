//! Single flight: one load per key at a time in this process.
//!
//! The load runs in a task of its own, so that a caller who leaves takes nobody with him. Whoever comes meanwhile waits for
//! the same answer, but only while that answer cannot be older than what he is promised: a flight that began before a
//! write may not answer a caller who came after it.
//!
//! A flight may tell its answer before it is over, as when only the copy for other processes is still to be written. Whoever
//! then needs what comes of it can wait for its end.

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
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
    /// Of those under way, how many have told their answer.
    told: AtomicUsize,
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
    /// Whether the value was told before the flight was over.
    early: AtomicBool,
    over: AtomicBool,
    /// The value is there, or the flight is over.
    news: Notify,
    /// Whether a caller who comes now may have this answer.
    may_join: F,
}

/// Tells an answer before its flight is over.
pub(crate) struct Teller<T> {
    inner: Arc<Inner<T>>,
    answer: Arc<Answer<T>>,
}

/// A flight that has told its answer and is not over.
pub(crate) struct Ending<T>(Arc<Answer<T>>);

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
                told: AtomicUsize::new(0),
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

    /// The flight of `key`, if it has told its answer and is not over.
    pub(crate) fn ending(&self, key: &Key) -> Option<Ending<T>> {
        // As a rule there is none. Counted before the answer is told, so that whoever has it finds its flight.
        if self.inner.told.load(Ordering::Acquire) == 0 {
            return None;
        }
        let map = self.inner.lock();
        let flight = map.get(key).filter(|flight| flight.answer.value.get().is_some())?;
        Some(Ending(Arc::clone(&flight.answer)))
    }

    /// Whether a flight of `key` is under way that may be joined.
    pub(crate) fn flies(&self, key: &Key) -> bool {
        self.inner.lock().get(key).is_some_and(|flight| (flight.answer.may_join)())
    }

    /// Joins the flight of `key`, or begins one by spawning `load`.
    ///
    /// # Errors
    /// `Overloaded` when too many keys are being loaded. Those that have told their answer do not count.
    pub(crate) fn board<F>(
        &self,
        key: &Key,
        kind: Kind,
        may_join: impl Fn() -> bool + Send + Sync + 'static,
        load: impl FnOnce(Teller<T>) -> F,
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
            let told = self.inner.told.load(Ordering::Relaxed);
            if old.is_none() && map.len().saturating_sub(told) >= self.inner.most {
                let most = self.inner.most;
                return Err(Error::new(
                    ErrorKind::Overloaded,
                    format!("{most} keys are being loaded already: shed load"),
                ));
            }
            let id = self.inner.begun.fetch_add(1, Ordering::Relaxed);
            let answer: Arc<Answer<T>> = Arc::new(Answer {
                value: OnceLock::new(),
                early: AtomicBool::new(false),
                over: AtomicBool::new(false),
                news: Notify::new(),
                may_join,
            });
            ticket = Ticket { answer: Arc::clone(&answer), leads: true };
            map.insert(key.clone(), Flight { id, kind, answer: Arc::clone(&answer) });
            landing = Landing { inner: Arc::clone(&self.inner), key: key.clone(), id, answer };
        }
        // Not in a block of its own, which would have room for the load twice: as it is made and as it is waited for.
        let teller = Teller { inner: Arc::clone(&self.inner), answer: Arc::clone(&landing.answer) };
        let landed = load(teller).map(move |answer| {
            // What was told stands. Nobody else sets it: the landing itself comes after.
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
        if self.answer.early.load(Ordering::Relaxed) {
            self.inner.told.fetch_sub(1, Ordering::Relaxed);
        }
        self.answer.over.store(true, Ordering::Release);
        self.answer.news.notify_waiters();
    }
}

impl<T> Teller<T> {
    /// Gives those who wait, and who join from now on, their answer.
    pub(crate) fn tell(&self, answer: Result<T>) {
        if self.answer.early.swap(true, Ordering::Relaxed) {
            return;
        }
        self.inner.told.fetch_add(1, Ordering::Release);
        // Nobody else sets it before the flight is over.
        let _ = self.answer.value.set(answer);
        self.answer.news.notify_waiters();
    }
}

impl<T> Ending<T> {
    /// Waits for the flight to be over.
    pub(crate) async fn over(self) {
        loop {
            // Made before the look, so that an end in between wakes it.
            let news = self.0.news.notified();
            if self.0.over.load(Ordering::Acquire) {
                return;
            }
            news.await;
        }
    }
}

impl<T: Clone> Ticket<T> {
    /// Waits for the answer. Dropping the future leaves the load running.
    pub(crate) async fn wait(self) -> Result<T> {
        loop {
            let news = self.answer.news.notified();
            if let Some(answer) = self.answer.value.get() {
                return answer.clone();
            }
            // Made before the look, so that an answer in between wakes it.
            news.await;
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
            let load = |_| async move {
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
            |_| async {
                tokio::time::sleep(Duration::from_millis(5)).await;
                Ok(7)
            },
        );
        drop(first);
        let joined = flights.board(&key("a"), Kind::Waited, || true, |_| async { Ok(8) }).unwrap();
        assert!(!joined.leads);
        assert_eq!(joined.wait().await.unwrap(), 7);
        let panics: Ticket<i32> =
            flights.board(&key("b"), Kind::Waited, || true, |_| async { panic!("as planned") }).unwrap();
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
        let old = flights.board(&key("a"), Kind::Waited, || false, |_| slow(1)).unwrap();
        let new = flights.board(&key("a"), Kind::Waited, || true, |_| slow(2)).unwrap();
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
        let old = flights.board(&key("a"), Kind::Waited, may_join, |_| slow(1)).unwrap();
        fresh.store(false, Ordering::SeqCst);
        let new = flights.board(&key("a"), Kind::Waited, || true, |_| slow(2)).unwrap();
        let joins_new = flights.board(&key("a"), Kind::Waited, || true, |_| slow(3)).unwrap();
        assert_eq!((old.wait().await.unwrap(), new.wait().await.unwrap()), (1, 2));
        assert_eq!(joins_new.wait().await.unwrap(), 2);
    }

    #[tokio::test(start_paused = true)]
    async fn the_map_is_bounded() {
        let flights = Flights::new(2);
        let forever = || std::future::pending::<Result<i32>>();
        let _a = flights.board(&key("a"), Kind::Waited, || true, |_| forever()).unwrap();
        let _b = flights.board(&key("b"), Kind::Waited, || true, |_| forever()).unwrap();
        assert_eq!(
            flights.board(&key("c"), Kind::Waited, || true, |_| forever()).err().unwrap().kind(),
            ErrorKind::Overloaded
        );
        assert!(!flights.board(&key("a"), Kind::Waited, || true, |_| forever()).unwrap().leads);
    }

    /// A flight that tells its answer at once and is over when the sender is dropped.
    fn early(
        flights: &Flights<u32>,
        may_join: impl Fn() -> bool + Send + Sync + 'static,
    ) -> (tokio::sync::oneshot::Sender<()>, Ticket<u32>) {
        let (end, ends) = tokio::sync::oneshot::channel::<()>();
        let load = |teller: Teller<u32>| async move {
            teller.tell(Ok(1));
            assert!(ends.await.is_err(), "as if the rest had gone wrong");
            Ok(2)
        };
        (end, flights.board(&key("a"), Kind::Waited, may_join, load).unwrap())
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_may_be_told_before_the_flight_is_over() {
        let flights = Flights::new(1);
        let (end, ticket) = early(&flights, || true);
        assert!(flights.ending(&key("a")).is_none(), "it has told nothing yet");
        assert_eq!(ticket.wait().await.unwrap(), 1);
        assert_eq!(flights.join(&key("a")).unwrap().wait().await.unwrap(), 1);
        assert!(flights.ending(&key("b")).is_none());
        let mut over = Box::pin(flights.ending(&key("a")).unwrap().over());
        let soon = Duration::from_secs(1);
        assert!(tokio::time::timeout(soon, &mut over).await.is_err());
        // One that has told takes nobody's place.
        let other = flights.board(&key("b"), Kind::Waited, || true, |_| async { Ok(3) }).unwrap();
        assert_eq!(other.wait().await.unwrap(), 3);
        drop(end);
        over.await;
        assert!(flights.ending(&key("a")).is_none());
        assert_eq!((flights.len(), flights.inner.told.load(Ordering::SeqCst)), (0, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn what_was_told_stands_and_is_over_although_the_load_panics_or_another_has_its_place() {
        let flights = Flights::new(1);
        let load = |teller: Teller<u32>| async move {
            teller.tell(Ok(1));
            tokio::time::sleep(Duration::from_secs(1)).await;
            panic!("as planned");
        };
        let ticket = flights.board(&key("a"), Kind::Waited, || true, load).unwrap();
        assert_eq!(ticket.wait().await.unwrap(), 1);
        flights.ending(&key("a")).unwrap().over().await;
        assert_eq!((flights.len(), flights.inner.told.load(Ordering::SeqCst)), (0, 0));

        let (end, ticket) = early(&flights, || false);
        assert_eq!(ticket.wait().await.unwrap(), 1);
        let over = flights.ending(&key("a")).unwrap().over();
        let newer = flights.board(&key("a"), Kind::Waited, || true, |_| async { Ok(4) }).unwrap();
        assert!(newer.leads);
        assert_eq!(newer.wait().await.unwrap(), 4);
        drop(end);
        over.await;
        assert_eq!((flights.len(), flights.inner.told.load(Ordering::SeqCst)), (0, 0));
    }
}
