//! A clock that only tests move.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use hallway_core::{Clock, Timestamp};

/// A [`Clock`] that stands still until it is told otherwise, for stores that keep time themselves.
///
/// A clone is another handle to the same clock: keep one and hand the other to the store.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use hallway_core::Clock;
/// use hallway_testkit::ManualClock;
///
/// let clock = ManualClock::new();
/// let before = clock.now();
/// clock.advance(Duration::from_millis(5));
/// assert_eq!(clock.now() - before, 5_000);
/// ```
#[derive(Debug, Clone)]
pub struct ManualClock(Arc<Hands>);

#[derive(Debug)]
struct Hands {
    // Microseconds. They only grow.
    now: AtomicU64,
    // What is added to `now` for a date. It may jump either way, as a wall clock does.
    date: AtomicI64,
}

/// Not zero, so that a subtraction in the store under test cannot wrap unseen.
const START: u64 = 3_600_000_000;

/// 2020-09-13, like any other day.
const DATE: i64 = 1_600_000_000_000_000;

impl ManualClock {
    /// A clock an hour after its start, in the year 2020.
    #[must_use]
    pub fn new() -> Self {
        Self(Arc::new(Hands { now: AtomicU64::new(START), date: AtomicI64::new(DATE) }))
    }

    /// Moves the clock forward. There is no way back.
    pub fn advance(&self, by: Duration) {
        let by = u64::try_from(by.as_micros()).unwrap_or(u64::MAX / 4);
        self.0.now.fetch_add(by, Ordering::SeqCst);
    }

    /// Makes the date jump by some seconds, negative ones too, as NTP or an operator does. Time itself goes on
    /// undisturbed: nothing may expire earlier or later for it.
    pub fn step_date(&self, seconds: i64) {
        self.0.date.fetch_add(seconds.saturating_mul(1_000_000), Ordering::SeqCst);
    }
}

impl Default for ManualClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for ManualClock {
    fn now(&self) -> u64 {
        self.0.now.load(Ordering::SeqCst)
    }

    fn timestamp(&self) -> Timestamp {
        let now = i64::try_from(self.now()).unwrap_or(i64::MAX);
        Timestamp::from_unix_micros(now.saturating_add(self.0.date.load(Ordering::SeqCst)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_of_the_date_leaves_time_alone() {
        let clock = ManualClock::new();
        let (now, date) = (clock.now(), clock.timestamp());
        clock.step_date(-3_600);
        assert_eq!(clock.now(), now);
        assert_eq!(date.saturating_since(clock.timestamp()), Duration::from_secs(3_600));
        clock.clone().advance(Duration::from_secs(3_600));
        assert_eq!((clock.now() - now, clock.timestamp()), (3_600_000_000, date));
    }
}
