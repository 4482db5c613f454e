//! The store's clock, without asking it each time.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hallway_core::{Clock, KvStore, Result, Timestamp};

/// After how long the store is asked anew. Two clocks of common quality drift apart by 50 us/s at most: 3 ms in a minute.
const FRESH: Duration = Duration::from_secs(60);

/// Knows the store's time from the last answer and what has passed here since.
#[derive(Debug)]
pub(crate) struct StoreClock {
    here: Arc<dyn Clock>,
    last: Mutex<Option<Sample>>,
    /// Whether somebody is asking because the last answer is old. Others go on with that meanwhile.
    is_asking: AtomicBool,
}

/// The store said `said` somewhere between `asked` and `heard`, in microseconds here.
#[derive(Debug, Clone, Copy)]
struct Sample {
    said: Timestamp,
    asked: u64,
    heard: u64,
}

/// An instant on the store's clock, known to lie between two.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Now {
    /// It is no earlier than this.
    pub(crate) earliest: Timestamp,
    /// It is no later than this.
    pub(crate) latest: Timestamp,
}

impl StoreClock {
    pub(crate) fn new(here: Arc<dyn Clock>) -> Self {
        Self { here, last: Mutex::new(None), is_asking: AtomicBool::new(false) }
    }

    /// Milliseconds here.
    pub(crate) fn here(&self) -> u64 {
        self.here.now() / 1_000
    }

    /// The time in the store. One call in a minute asks it; until there is an answer, all do.
    pub(crate) async fn now(&self, store: &dyn KvStore) -> Result<Now> {
        let here = self.here.now();
        // Copied out: nothing waits while this is held.
        let last = *self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let mut turn = None;
        if let Some(sample) = last {
            if here.saturating_sub(sample.heard) >= FRESH.as_micros() as u64 {
                turn = Turn::take(&self.is_asking);
            }
            if turn.is_none() {
                return Ok(sample.at(here));
            }
        }
        let asked = self.here.now();
        let said = store.time().await?;
        let heard = self.here.now();
        let sample = Sample { said, asked, heard };
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(sample);
        drop(turn);
        Ok(sample.at(heard))
    }
}

/// Given back also by a call that is dropped.
struct Turn<'a>(&'a AtomicBool);

impl<'a> Turn<'a> {
    fn take(is_taken: &'a AtomicBool) -> Option<Self> {
        (!is_taken.swap(true, Ordering::Relaxed)).then_some(Self(is_taken))
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

impl Sample {
    fn at(&self, here: u64) -> Now {
        Now {
            earliest: later(self.said, here.saturating_sub(self.heard)),
            latest: later(self.said, here.saturating_sub(self.asked)),
        }
    }
}

fn later(instant: Timestamp, micros: u64) -> Timestamp {
    Timestamp::from_unix_micros(instant.unix_micros().saturating_add_unsigned(micros))
}

/// `instant` and `duration` more.
pub(crate) fn after(instant: Timestamp, duration: Duration) -> Timestamp {
    later(instant, u64::try_from(duration.as_micros()).unwrap_or(u64::MAX))
}
