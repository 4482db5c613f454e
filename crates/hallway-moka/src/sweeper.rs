//! One background thread that removes dead entries of all stores in the process.

use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::thread;
use std::time::{Duration, Instant};

use hallway_core::{Error, ErrorKind, Result};

use crate::map::Map;

/// How often clocks are read and stores looked at. It bounds how late a cheap clock learns of a suspend.
const TICK: Duration = Duration::from_millis(100);

/// Between two slices of one pass, so that sweeping takes a fraction of one core.
const PAUSE: Duration = Duration::from_millis(2);

/// Between the ends of two passes over all stores, so that many short TTLs do not keep the thread busy.
const REST: Duration = Duration::from_secs(1);

/// Watches stores without keeping them alive. The thread runs while there are any and then ends; being detached, it
/// never keeps the process alive either.
#[derive(Debug)]
pub(crate) struct Sweeper {
    // Blocking mutex: held for list operations only.
    watched: Mutex<Watched>,
}

#[derive(Debug)]
struct Watched {
    maps: Vec<Weak<Map>>,
    running: bool,
}

impl Sweeper {
    const fn new() -> Self {
        Self { watched: Mutex::new(Watched { maps: Vec::new(), running: false }) }
    }

    /// The one of this process.
    pub(crate) fn shared() -> &'static Self {
        static SHARED: Sweeper = Sweeper::new();
        &SHARED
    }

    /// Watches a map until it is dropped.
    ///
    /// # Errors
    /// `Overloaded` if the system gives no thread.
    pub(crate) fn watch(&'static self, map: &Arc<Map>) -> Result<()> {
        let mut watched = self.lock();
        if !watched.running {
            thread::Builder::new().name("hallway-moka-sweeper".into()).spawn(|| self.run()).map_err(|error| {
                Error::new(ErrorKind::Overloaded, "the system gives no thread to sweep expired entries")
                    .at("moka", "open")
                    .with_source(error)
            })?;
            watched.running = true;
        }
        watched.maps.push(Arc::downgrade(map));
        Ok(())
    }

    fn run(&self) {
        let _ended = Ended(self);
        let mut rested = Instant::now();
        loop {
            thread::sleep(TICK);
            let Some(maps) = self.alive() else { return };
            // Every clock is read on every tick, also while there is nothing to sweep.
            let due: Vec<_> =
                maps.into_iter().filter(|map| map.upgrade().is_some_and(|map| map.needs_sweep())).collect();
            if due.is_empty() || rested.elapsed() < REST {
                continue;
            }
            for map in due {
                if let Some(map) = map.upgrade() {
                    map.sweep(|| self.pause(&map));
                }
            }
            rested = Instant::now();
        }
    }

    /// What is still watched; `None`, and no thread any more, when nothing is.
    fn alive(&self) -> Option<Vec<Weak<Map>>> {
        let mut watched = self.lock();
        watched.maps.retain(|map| map.strong_count() > 0);
        if watched.maps.is_empty() {
            // Under the lock, so that whoever comes next starts another thread.
            watched.running = false;
            return None;
        }
        Some(watched.maps.clone())
    }

    fn pause(&self, swept: &Arc<Map>) -> ControlFlow<()> {
        thread::sleep(PAUSE);
        // A pass over one large store must not keep the clocks of others unread.
        let maps = self.lock().maps.clone();
        for map in maps.iter().filter_map(Weak::upgrade) {
            map.needs_sweep();
        }
        // Ours is the only handle left: nobody needs the rest swept.
        if Arc::strong_count(swept) == 1 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    fn lock(&self) -> MutexGuard<'_, Watched> {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Lets another thread be started should this one ever panic.
struct Ended<'a>(&'a Sweeper);

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        if thread::panicking() {
            self.0.lock().running = false;
        }
    }
}

#[cfg(test)]
mod tests {
    use hallway_core::{SystemClock, ValueCap};

    use super::*;
    use crate::config::Bound;

    fn map() -> Arc<Map> {
        Arc::new(Map::new(Bound::Bytes(1 << 20), ValueCap::default(), Arc::new(SystemClock)))
    }

    fn wait_until(what: &str, holds: impl Fn() -> bool) {
        let patience = Instant::now() + Duration::from_secs(30);
        while !holds() {
            assert!(Instant::now() < patience, "{what}");
            thread::sleep(Duration::from_millis(5));
        }
    }

    #[test]
    fn the_thread_ends_with_the_last_store_and_starts_with_the_next() {
        let sweeper: &'static Sweeper = Box::leak(Box::new(Sweeper::new()));
        for _ in 0..2 {
            let (one, two) = (map(), map());
            sweeper.watch(&one).unwrap();
            sweeper.watch(&two).unwrap();
            drop(one);
            wait_until("the dropped store is forgotten", || sweeper.lock().maps.len() == 1);
            assert!(sweeper.lock().running);
            drop(two);
            wait_until("the thread ends", || !sweeper.lock().running);
            assert!(sweeper.lock().maps.is_empty());
        }
    }

    #[test]
    fn a_store_dropped_in_mid_sweep_is_let_go() {
        let swept = map();
        let sweeper: &'static Sweeper = Box::leak(Box::new(Sweeper::new()));
        let other = swept.clone();
        assert!(sweeper.pause(&swept).is_continue());
        drop(other);
        assert!(sweeper.pause(&swept).is_break());
    }
}
