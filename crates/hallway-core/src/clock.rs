//! The clock of stores that keep time themselves.

use std::fmt;

use crate::Timestamp;

/// A clock that only goes forward, for stores that decide expiry in this process. Tests hand in their own.
pub trait Clock: fmt::Debug + Send + Sync + 'static {
    /// Microseconds since some fixed instant, never going back. Deadlines are computed with it.
    fn now(&self) -> u64;

    /// An upper bound of [`now`](Self::now) that is cheap to read and at most a few milliseconds ahead.
    ///
    /// Hits compare it with their deadline and ask [`now`](Self::now) only when it has passed, so that nothing is
    /// served after its deadline and nothing is lost before it.
    fn now_at_most(&self) -> u64 {
        self.now()
    }

    /// The same instant as a date.
    fn timestamp(&self) -> Timestamp;
}

/// The clock of this machine.
///
/// # Suspend
/// On Linux and Android [`now`](Clock::now) goes on while the machine is suspended (`CLOCK_BOOTTIME`), so a TTL
/// of an hour ends an hour later whatever the machine did. [`now_at_most`](Clock::now_at_most) reads
/// `CLOCK_MONOTONIC_COARSE`, which costs a fifth and stands still meanwhile, and adds what the last call of
/// [`now`](Clock::now) anywhere in this process found missing. So after a resume it may lag by the time asleep until
/// somebody calls [`now`](Clock::now): whoever serves hits by `now_at_most` calls `now` at a steady pace (the sweeper
/// of `hallway-moka` does, every 100 ms), and that pace bounds how long an entry is served too late.
///
/// Elsewhere both are `std::time::Instant`, which on some systems does not count suspend.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> u64 {
        system::now()
    }

    #[inline]
    fn now_at_most(&self) -> u64 {
        system::now_at_most()
    }

    fn timestamp(&self) -> Timestamp {
        Timestamp::now()
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
mod system {
    use std::sync::LazyLock;
    use std::sync::atomic::{AtomicU64, Ordering};

    use rustix::time::{ClockId, Timespec, clock_getres, clock_gettime};

    /// How far `CLOCK_BOOTTIME` can be ahead of a reading of `CLOCK_MONOTONIC_COARSE`, in nanoseconds: time spent
    /// suspended + one step of the coarse clock. It only grows. 0 until the first look.
    static AHEAD: AtomicU64 = AtomicU64::new(0);

    static STEP: LazyLock<u64> = LazyLock::new(|| nanos(clock_getres(ClockId::MonotonicCoarse)));

    pub(super) fn now() -> u64 {
        let coarse = read(ClockId::MonotonicCoarse);
        let boot = read(ClockId::Boottime);
        // Within `AHEAD` unless the machine slept, or this thread was held up between the two readings.
        if boot.saturating_sub(coarse) > AHEAD.load(Ordering::Relaxed) {
            measure();
        }
        boot / 1_000
    }

    #[inline]
    pub(super) fn now_at_most() -> u64 {
        let ahead = match AHEAD.load(Ordering::Relaxed) {
            0 => measure(),
            ahead => ahead,
        };
        (read(ClockId::MonotonicCoarse) + ahead).div_ceil(1_000)
    }

    #[cold]
    fn measure() -> u64 {
        let mut least = u64::MAX;
        // A reading that was held up shows too much; it would do no harm but make hits ask the exact clock earlier.
        for _ in 0..4 {
            let coarse = read(ClockId::MonotonicCoarse);
            let boot = read(ClockId::Boottime);
            least = least.min(boot.saturating_sub(coarse));
        }
        let ahead = least + *STEP;
        AHEAD.fetch_max(ahead, Ordering::Relaxed).max(ahead)
    }

    #[inline]
    fn read(clock: ClockId) -> u64 {
        nanos(clock_gettime(clock))
    }

    // Both clocks start at boot: neither part is negative, and 64 bits of nanoseconds last 584 years.
    #[inline]
    fn nanos(time: Timespec) -> u64 {
        time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
    }
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
mod system {
    use std::sync::LazyLock;
    use std::time::Instant;

    static START: LazyLock<Instant> = LazyLock::new(Instant::now);

    pub(super) fn now() -> u64 {
        START.elapsed().as_micros() as u64
    }

    pub(super) fn now_at_most() -> u64 {
        now()
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    #[test]
    fn now_never_goes_back_and_runs_at_the_pace_of_time() {
        let (start, began) = (SystemClock.now(), Instant::now());
        let mut last = start;
        while began.elapsed() < Duration::from_millis(20) {
            let now = SystemClock.now();
            assert!(now >= last);
            last = now;
        }
        let passed = Duration::from_micros(last - start);
        assert!(passed >= Duration::from_millis(19), "{passed:?}");
    }

    #[test]
    fn the_cheap_reading_is_an_upper_bound_and_close() {
        let mut furthest = 0;
        for _ in 0..200_000 {
            let before = SystemClock.now();
            let bound = SystemClock.now_at_most();
            assert!(bound >= before, "{} us behind", before - bound);
            let after = SystemClock.now();
            furthest = furthest.max(bound.saturating_sub(after));
        }
        // Two steps of the coarsest kernel tick in use (100 Hz).
        assert!(furthest <= 20_000, "{furthest} us ahead");
    }
}
