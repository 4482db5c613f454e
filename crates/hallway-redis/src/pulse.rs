//! Whether anything still comes from the server.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use tokio::time::Instant;

/// More timeouts than this in a row, and the connection is given up.
const MAX_TIMEOUTS: u32 = 5;

/// Deadlines shorter than a round trip must not end a healthy connection: it has to be silent as long as the store
/// itself waits for an answer, within these bounds.
const SILENCE: std::ops::RangeInclusive<Duration> = Duration::from_millis(100)..=Duration::from_secs(1);

/// Added to every reading, so that the first call can have begun before the connection.
const PAST: Duration = Duration::from_secs(3_600);

/// Counts timeouts since the last byte came. Shared by the connection, which beats, and the calls, which time out.
#[derive(Debug)]
pub(crate) struct Pulse {
    start: Instant,
    min_silence: Duration,
    /// Whether the server turned us away for the number of its clients.
    crowded: AtomicBool,
    timeouts: AtomicU32,
    silent_since: AtomicU64,
}

impl Pulse {
    /// For a store whose own deadline is `patience`.
    pub(crate) fn new(patience: Duration) -> Self {
        let min_silence = patience.clamp(*SILENCE.start(), *SILENCE.end());
        Self {
            start: Instant::now(),
            min_silence,
            crowded: AtomicBool::new(false),
            timeouts: AtomicU32::new(0),
            silent_since: AtomicU64::new(0),
        }
    }

    /// Bytes came. Called by the driver's task for every read, so it writes only after a timeout.
    pub(crate) fn beat(&self) {
        if self.timeouts.load(Relaxed) != 0 {
            self.timeouts.store(0, Relaxed);
        }
    }

    /// The first bytes of a connection came. The driver loses this answer, as none to its further questions follows.
    pub(crate) fn greeted(&self, bytes: &[u8]) {
        self.crowded.store(bytes.starts_with(b"-ERR max number of clients"), Relaxed);
    }

    pub(crate) fn is_crowded(&self) -> bool {
        self.crowded.load(Relaxed)
    }

    /// A call got no answer in time; says whether the connection is to be given up.
    pub(crate) fn missed(&self, waited: Duration) -> bool {
        let now = (self.start.elapsed() + PAST).as_micros() as u64;
        let timeouts = self.timeouts.fetch_add(1, Relaxed) + 1;
        if timeouts == 1 {
            self.silent_since.store(now.saturating_sub(waited.as_micros() as u64), Relaxed);
        }
        let silent = Duration::from_micros(now.saturating_sub(self.silent_since.load(Relaxed)));
        timeouts > MAX_TIMEOUTS && silent >= self.min_silence
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn more_than_five_timeouts_in_a_row_end_the_connection() {
        let pulse = Pulse::new(Duration::from_secs(9));
        let second = Duration::from_secs(1);
        assert!((0..5).all(|_| !pulse.missed(second)));
        assert!(pulse.missed(second));
        pulse.beat();
        assert!((0..5).all(|_| !pulse.missed(second)));
    }

    #[test]
    fn an_impatient_view_does_not_end_what_others_still_wait_for() {
        let pulse = Pulse::new(Duration::from_millis(500));
        assert!((0..100).all(|_| !pulse.missed(Duration::from_millis(200))));
        let pulse = Pulse::new(Duration::from_millis(150));
        assert!((0..5).all(|_| !pulse.missed(Duration::from_millis(200))));
        assert!(pulse.missed(Duration::from_millis(200)));
    }

    #[test]
    fn deadlines_of_no_length_do_not_end_it() {
        let pulse = Pulse::new(Duration::ZERO);
        assert!((0..100).all(|_| !pulse.missed(Duration::from_micros(1))));
    }
}
