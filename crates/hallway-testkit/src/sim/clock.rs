//! The clocks of a simulated world: tokio's paused time, seen by machines that do not quite agree.

use std::time::Duration;

use hallway_core::{Clock, Timestamp};
use tokio::time::Instant;

/// Not zero, so that a subtraction in the code under test cannot wrap unseen.
const START: u64 = 3_600_000_000;

/// 2020-09-13, like any other day.
const DATE: u64 = 1_600_000_000_000_000;

/// How far one machine's clock is from the world's.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ClockSkew {
    /// Parts per million by which the clock is too fast, or too slow if negative. Default: 0.
    pub rate_ppm: i32,
    /// What its date is ahead, in microseconds, or behind if negative. Default: 0.
    pub date_offset: i64,
}

/// A [`Clock`] that goes as tokio's time goes: it stands still while anything runs, and jumps to the next timer when
/// everything waits.
#[derive(Debug, Clone)]
pub struct SimClock {
    began: Instant,
    /// Microseconds since 1970 when the world began.
    date: u64,
    skew: ClockSkew,
}

impl SimClock {
    /// The world's own clock, beginning now.
    #[must_use]
    pub fn starting_now() -> Self {
        Self { began: Instant::now(), date: DATE, skew: ClockSkew::default() }
    }

    /// The same with today's date, for what is used outside a world.
    pub(crate) fn starting_today() -> Self {
        let date = u64::try_from(Timestamp::now().unix_micros()).unwrap_or(DATE);
        Self { date, ..Self::starting_now() }
    }

    /// The clock of a machine that runs at another rate or has another date.
    #[must_use]
    pub fn skewed(&self, skew: ClockSkew) -> Self {
        Self { skew, ..*self }
    }

    /// The time since the world began, as the world counts it.
    #[must_use]
    pub fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    /// Microseconds since 1970 when the world began.
    pub(crate) fn date(&self) -> u64 {
        self.date
    }

    /// The same in microseconds.
    pub(crate) fn micros(&self) -> u64 {
        u64::try_from(self.elapsed().as_micros()).unwrap_or(u64::MAX)
    }

    /// When the world will be this old.
    pub(crate) fn instant(&self, micros: u64) -> Instant {
        self.began + Duration::from_micros(micros)
    }
}

/// Microseconds since 1970 when the world is this old.
pub(crate) fn unix_micros(age: u64) -> u64 {
    DATE + age
}

impl Clock for SimClock {
    fn now(&self) -> u64 {
        let age = i128::from(self.micros());
        let skewed = age + age * i128::from(self.skew.rate_ppm) / 1_000_000;
        START + u64::try_from(skewed).unwrap_or(0)
    }

    fn timestamp(&self) -> Timestamp {
        let date = i64::try_from(self.date + self.now() - START).unwrap_or(i64::MAX);
        Timestamp::from_unix_micros(date.saturating_add(self.skew.date_offset))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_skewed_clock_drifts_and_the_world_does_not() {
        let world = SimClock::starting_now();
        let fast = world.skewed(ClockSkew { rate_ppm: 500, date_offset: -1_000 });
        assert_eq!((world.now(), fast.now()), (START, START));
        tokio::time::advance(Duration::from_secs(1_000)).await;
        assert_eq!(world.now(), START + 1_000_000_000);
        assert_eq!(fast.now(), START + 1_000_500_000);
        let apart = fast.timestamp().unix_micros() - world.timestamp().unix_micros();
        assert_eq!(apart, 500_000 - 1_000);
    }
}
