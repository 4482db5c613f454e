//! How long an entry lives.

use std::num::NonZeroU64;
use std::time::Duration;

use crate::{Error, Result};

/// The longest finite time to live: ten years of 365.25 days.
pub const MAX_TTL: Duration = Duration::from_secs(315_576_000);

/// Time to live, always stated: a duration, or `Forever` spelled out.
///
/// A store turns it into whole milliseconds, rounded up, and hands them to its own clock.
/// `After(0)` and anything above [`MAX_TTL`] are refused with
/// [`ErrorKind::InvalidInput`](crate::ErrorKind::InvalidInput) by every operation that takes a TTL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Ttl {
    /// Gone after this long, counted from the moment the backend runs the operation.
    After(Duration),
    /// Never expires.
    Forever,
}

impl Ttl {
    /// A TTL in milliseconds, for numbers that come from outside and may be negative.
    ///
    /// # Errors
    /// `InvalidInput` unless `0 < millis <= 10 years`.
    pub fn from_millis(millis: i64) -> Result<Self> {
        let ttl = match u64::try_from(millis) {
            Ok(millis) => Self::After(Duration::from_millis(millis)),
            Err(_) => {
                return Err(Error::invalid_input(format!("a TTL of {millis} ms is negative; use 1 ms to 10 years")));
            }
        };
        ttl.whole_millis().map(|_| ttl)
    }

    /// The TTL in whole milliseconds, rounded up; `None` is forever. Backends call this before anything is sent.
    ///
    /// # Errors
    /// `InvalidInput` for zero and for more than ten years.
    pub fn whole_millis(self) -> Result<Option<NonZeroU64>> {
        let Self::After(duration) = self else { return Ok(None) };
        if duration > MAX_TTL {
            return Err(Error::invalid_input("a TTL is at most 10 years; use Ttl::Forever for no expiry"));
        }
        // Ten years of nanoseconds fit in u64, so the cast below loses nothing.
        match NonZeroU64::new(duration.as_nanos().div_ceil(1_000_000) as u64) {
            Some(millis) => Ok(Some(millis)),
            None => Err(Error::invalid_input("a TTL must be longer than 0; use delete to remove an entry")),
        }
    }

    /// Whether the entry never expires.
    #[must_use]
    pub fn is_forever(self) -> bool {
        matches!(self, Self::Forever)
    }

    /// The duration, or `None` for forever.
    #[must_use]
    pub fn duration(self) -> Option<Duration> {
        match self {
            Self::After(duration) => Some(duration),
            Self::Forever => None,
        }
    }
}

impl From<Duration> for Ttl {
    fn from(duration: Duration) -> Self {
        Self::After(duration)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(duration: Duration, expected: Option<u64>) {
        assert_eq!(Ttl::After(duration).whole_millis().ok().flatten().map(NonZeroU64::get), expected, "{duration:?}");
    }

    #[test]
    fn rounds_up_to_whole_milliseconds_and_refuses_the_ends() {
        check(Duration::ZERO, None);
        check(Duration::from_nanos(1), Some(1));
        check(Duration::from_micros(1_001), Some(2));
        check(Duration::from_millis(1), Some(1));
        check(MAX_TTL, Some(315_576_000_000));
        check(MAX_TTL + Duration::from_nanos(1), None);
        check(Duration::MAX, None);
    }

    #[test]
    fn negative_numbers_are_refused() {
        assert!(Ttl::from_millis(-1).is_err());
        assert!(Ttl::from_millis(0).is_err());
        assert!(Ttl::from_millis(i64::MAX).is_err());
        assert_eq!(Ttl::from_millis(5).unwrap(), Ttl::After(Duration::from_millis(5)));
    }
}
