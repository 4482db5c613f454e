//! The clock of stores that keep time themselves.

use std::fmt;
use std::sync::LazyLock;
use std::time::Instant;

use crate::Timestamp;

/// A clock that only goes forward, for stores that decide expiry in this process. Tests hand in their own.
pub trait Clock: fmt::Debug + Send + Sync + 'static {
    /// Microseconds since some fixed instant, never going back. Deadlines are computed with it.
    fn now(&self) -> u64;

    /// An upper bound of [`now`](Self::now) that is cheap to read and at most a few milliseconds ahead.
    ///
    /// Hits compare it with their deadline, so that nothing is served after it.
    fn now_at_most(&self) -> u64 {
        self.now()
    }

    /// The same instant as a date.
    fn timestamp(&self) -> Timestamp;
}

/// The clock of this machine.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

static START: LazyLock<Instant> = LazyLock::new(Instant::now);

impl Clock for SystemClock {
    fn now(&self) -> u64 {
        START.elapsed().as_micros() as u64
    }

    fn timestamp(&self) -> Timestamp {
        Timestamp::now()
    }
}
