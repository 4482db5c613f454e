//! What a cache was told, checked and with its defaults.

use std::time::Duration;

use hallway_core::{Error, MAX_TTL, Result};

/// What stands longer is taken for the marker of a write, which stands for 10 s and is renewed every 3 s.
const LONGEST_LEASE: Duration = Duration::from_secs(5);

/// The settings of a cache.
#[derive(Debug, Clone)]
pub(super) struct Options {
    pub(super) ttl: Duration,
    pub(super) not_found_ttl: Duration,
    pub(super) jitter: f64,
    pub(super) revalidate: Duration,
    pub(super) if_error: Duration,
    /// How long after a failure a stale value answers without another attempt.
    pub(super) retry_after: Duration,
    /// Of XFetch; 0 for none.
    pub(super) beta: f64,
    pub(super) soft_timeout: Option<Duration>,
    pub(super) hard_timeout: Duration,
    /// How long the right to load stands if its holder dies.
    pub(super) lease: Duration,
    pub(super) wait_max: Option<Duration>,
    pub(super) queue_max: Duration,
    pub(super) max_in_flight: usize,
    /// Places for hot copies.
    pub(super) front: usize,
    pub(super) max_loads: usize,
    pub(super) max_refreshes: usize,
    pub(super) write_deadline: Duration,
    /// How long after an answer was lost a write may still happen.
    pub(super) settle: Duration,
    pub(super) fail_fast: bool,
    /// Whether callers wait until what they loaded is in the shared tier.
    pub(super) wait_for_fills: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            ttl: Duration::from_secs(3_600),
            not_found_ttl: Duration::from_secs(30),
            jitter: 0.1,
            revalidate: Duration::ZERO,
            if_error: Duration::ZERO,
            retry_after: Duration::from_secs(1),
            beta: 0.0,
            soft_timeout: None,
            hard_timeout: Duration::from_secs(5),
            lease: Duration::from_secs(2),
            wait_max: None,
            queue_max: Duration::from_secs(1),
            max_in_flight: 10_000,
            front: 4_096,
            max_loads: 64,
            max_refreshes: 64,
            write_deadline: Duration::from_secs(30),
            settle: Duration::from_secs(10),
            fail_fast: false,
            wait_for_fills: false,
        }
    }
}

impl Options {
    /// How long past its TTL a value may still answer for some reason.
    pub(super) fn overtime(&self) -> Duration {
        self.revalidate.max(self.if_error)
    }

    /// Whether it matters to a reader how old a value is that has not expired.
    pub(super) fn ask_for_age(&self) -> bool {
        !self.overtime().is_zero() || self.beta != 0.0
    }

    /// How long a caller waits for another process: by default as long as a load may take, and a dead holder's lease.
    pub(super) fn wait_max(&self) -> Duration {
        self.wait_max.unwrap_or_else(|| self.queue_max.saturating_add(self.hard_timeout).saturating_add(self.lease))
    }

    /// How long a batch waits. Batches that hold leases of their own may wait for each other, so it is less then.
    pub(super) fn batch_wait(&self, holds: bool) -> Duration {
        let most = if holds { Duration::from_secs(1) } else { self.lease + Duration::from_millis(500) };
        self.wait_max().min(most)
    }

    /// How long the right to refresh a copy stands: as long as it may take, going by the last time.
    pub(super) fn claim(&self, cost: Duration) -> Duration {
        let longest = self.hard_timeout.saturating_add(Duration::from_millis(500));
        cost.saturating_mul(4).clamp(Duration::from_millis(250), longest)
    }

    /// The longest that a copy may stay anywhere.
    pub(super) fn hard_ttl(&self) -> Duration {
        self.ttl.mul_f64(1.0 + self.jitter).saturating_add(self.overtime()).min(MAX_TTL)
    }

    pub(super) fn check(&self) -> Result<()> {
        let wrong = |text: &'static str| Err(Error::invalid_config(text));
        for (name, duration) in [("ttl", self.ttl), ("hard_timeout", self.hard_timeout)] {
            if duration < Duration::from_millis(1) {
                return Err(Error::invalid_config(format!("`{name}` must be at least 1 ms")));
            }
        }
        for (name, duration) in [
            ("lease", self.lease),
            ("soft_timeout", self.soft_timeout.unwrap_or(Duration::from_secs(1))),
            ("write_deadline", self.write_deadline),
        ] {
            if duration.is_zero() {
                return Err(Error::invalid_config(format!("`{name}` must be longer than 0")));
            }
        }
        for (name, duration) in [
            ("ttl", self.ttl),
            ("not_found_ttl", self.not_found_ttl),
            ("stale_while_revalidate", self.revalidate),
            ("stale_if_error", self.if_error),
        ] {
            if duration > MAX_TTL {
                return Err(Error::invalid_config(format!("`{name}` is at most 10 years")));
            }
        }
        if self.lease > LONGEST_LEASE {
            return wrong(
                "`lease` is at most 5 s: it is prolonged while the loader runs, so it need not be longer than a load",
            );
        }
        if !(0.0..=0.5).contains(&self.jitter) {
            return wrong("`jitter` is 0 to 0.5");
        }
        if !(0.0..=100.0).contains(&self.beta) {
            return wrong("`early_refresh` is 0 to 100; 1 is the usual choice");
        }
        if self.front > 1 << 20 {
            return wrong("`front` is at most 1,048,576 places");
        }
        for (name, count) in [
            ("max_in_flight", self.max_in_flight),
            ("max_loads", self.max_loads),
            ("max_refreshes", self.max_refreshes),
        ] {
            if !(1..=1_000_000).contains(&count) {
                return Err(Error::invalid_config(format!("`{name}` is 1 to 1,000,000")));
            }
        }
        Ok(())
    }
}
