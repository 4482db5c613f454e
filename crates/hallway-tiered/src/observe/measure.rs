//! Measurements, recorded where they are made. Without feature `metrics` they cost nothing.

use std::time::Duration;

use hallway_core::Error;

use super::Label;

#[cfg(feature = "metrics")]
pub(crate) const LOAD_DURATION: &str = "hallway_load_duration_seconds";
#[cfg(feature = "metrics")]
pub(crate) const REPAIR_DELAY: &str = "hallway_repair_delay_seconds";
#[cfg(feature = "metrics")]
pub(crate) const SHARED_HIT_AGE: &str = "hallway_shared_hit_age_seconds";
#[cfg(feature = "metrics")]
pub(crate) const WRITE_DURATION: &str = "hallway_write_duration_seconds";

/// When a write began, or a read of the consistent tier.
#[derive(Debug)]
pub(crate) struct Began(#[cfg(feature = "metrics")] tokio::time::Instant);

#[cfg(feature = "metrics")]
mod told {
    use metrics::histogram;
    use tokio::time::Instant;

    use super::{Began, Duration, Error, LOAD_DURATION, Label, REPAIR_DELAY, SHARED_HIT_AGE, WRITE_DURATION};

    impl Began {
        pub(crate) fn now() -> Self {
            Self(Instant::now())
        }
    }

    fn outcome(error: Option<&Error>) -> &'static str {
        error.map_or("ok", |error| error.kind().as_str())
    }

    /// A loader has ended.
    pub(crate) fn loaded(namespace: &Label, took: Duration, error: Option<&Error>) {
        histogram!(LOAD_DURATION, "namespace" => namespace.shared(), "outcome" => outcome(error)).record(took);
    }

    /// The consistent tier has answered.
    pub(crate) fn asked(namespace: &Label, began: &Began, error: Option<&Error>) {
        loaded(namespace, began.0.elapsed(), error);
    }

    /// A copy in the shared tier has answered, so long after it was made.
    pub(crate) fn shared_hit(namespace: &Label, age: Duration) {
        histogram!(SHARED_HIT_AGE, "namespace" => namespace.shared()).record(age);
    }

    /// A write has ended, or an invalidation.
    pub(crate) fn wrote(operation: &'static str, began: &Began, error: Option<&Error>) {
        let took = began.0.elapsed();
        histogram!(WRITE_DURATION, "operation" => operation, "outcome" => outcome(error)).record(took);
    }

    /// Invalidations were made good that had been owed for so long.
    pub(crate) fn repaired(delays: impl IntoIterator<Item = Duration>) {
        let delay = histogram!(REPAIR_DELAY);
        delays.into_iter().for_each(|waited| delay.record(waited));
    }
}

#[cfg(not(feature = "metrics"))]
mod told {
    use super::{Began, Duration, Error, Label};

    impl Began {
        #[inline]
        pub(crate) fn now() -> Self {
            Self()
        }
    }

    #[inline]
    pub(crate) fn loaded(_namespace: &Label, _took: Duration, _error: Option<&Error>) {}

    #[inline]
    pub(crate) fn asked(_namespace: &Label, _began: &Began, _error: Option<&Error>) {}

    #[inline]
    pub(crate) fn shared_hit(_namespace: &Label, _age: Duration) {}

    #[inline]
    pub(crate) fn wrote(_operation: &'static str, _began: &Began, _error: Option<&Error>) {}

    #[inline]
    pub(crate) fn repaired(_delays: impl IntoIterator<Item = Duration>) {}
}

pub(crate) use self::told::{asked, loaded, repaired, shared_hit, wrote};
