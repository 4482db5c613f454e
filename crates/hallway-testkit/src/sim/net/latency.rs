//! How long messages are under way.

use std::time::Duration;

use crate::sim::rng::SimRng;

/// A range of durations, and now and then a longer one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Latency {
    /// The shortest. Default: 100 µs.
    pub least: Duration,
    /// The longest of the usual ones. Default: 2 ms.
    pub most: Duration,
    /// How often it takes longer. Default: 0.01.
    pub rare: f64,
    /// The longest of all. Default: 40 ms.
    pub worst: Duration,
}

impl Latency {
    /// Always between these two.
    #[must_use]
    pub const fn between(least: Duration, most: Duration) -> Self {
        Self { least, most, rare: 0.0, worst: most }
    }

    /// One duration of these, in microseconds.
    pub(crate) fn draw(&self, rng: &mut SimRng) -> u64 {
        let range = if self.rare > 0.0 && rng.chance(self.rare) {
            self.most.min(self.worst)..=self.worst
        } else {
            self.least..=self.most.max(self.least)
        };
        rng.duration(range).as_micros() as u64
    }
}

impl Default for Latency {
    fn default() -> Self {
        Self {
            least: Duration::from_micros(100),
            most: Duration::from_millis(2),
            rare: 0.01,
            worst: Duration::from_millis(40),
        }
    }
}
