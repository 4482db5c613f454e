//! Which versions of a key its writer has been told are written, and when.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The log of one key. Version 0 was there before anything began.
#[derive(Debug, Default)]
pub(super) struct Acknowledged {
    // A blocking lock: nothing awaits while holding it. `at[v]` is when version `v + 1` was acknowledged.
    at: Mutex<Vec<Instant>>,
}

/// What a read must not fall behind.
#[derive(Debug, Clone, Copy)]
pub(super) struct Floor {
    begun: Instant,
    version: u64,
}

impl Acknowledged {
    /// The next version has been written.
    pub(super) fn push(&self, now: Instant) {
        self.at.lock().unwrap_or_else(PoisonError::into_inner).push(now);
    }

    /// How many have been.
    pub(super) fn count(&self) -> u64 {
        self.at.lock().unwrap_or_else(PoisonError::into_inner).len() as u64
    }

    /// Before a read.
    pub(super) fn floor(&self, begun: Instant) -> Floor {
        Floor { begun, version: self.count() }
    }

    /// How stale an answer is: how long before the read the first version newer than it was acknowledged. `None` for one
    /// that misses nothing.
    pub(super) fn staleness(&self, floor: Floor, version: u64) -> Option<Duration> {
        if version >= floor.version {
            return None;
        }
        let at = self.at.lock().unwrap_or_else(PoisonError::into_inner);
        at.get(usize::try_from(version).ok()?).map(|newer| floor.begun.saturating_duration_since(*newer))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_as_old_as_the_first_write_that_it_misses() {
        let log = Acknowledged::default();
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        log.push(at(1));
        log.push(at(3));
        let floor = log.floor(at(10));
        // Acknowledged after the read began: it may be seen or not.
        log.push(at(11));
        assert_eq!(log.staleness(floor, 0), Some(Duration::from_secs(9)));
        assert_eq!(log.staleness(floor, 1), Some(Duration::from_secs(7)));
        assert_eq!([2, 3, 4].map(|version| log.staleness(floor, version)), [None; 3]);
    }
}
