//! Whether a value is likely to be missing in the shared tier, going by the last ones asked for.
//!
//! As a rule a value is read first, and only who finds nothing asks for the right to fill it: the other way round each
//! value that is there would cost several times as much. Where nearly all are missing, as in an empty cache, the read is the
//! one that is wasted.

use std::sync::atomic::{AtomicU32, Ordering};

/// Three in four: from here on a read saves less than it costs.
const LIKELY: u32 = CERTAIN / 4 * 3;
const CERTAIN: u32 = 1 << 16;
/// The weight of the last one: one in 16.
const WEIGHT: u32 = 16;

/// A moving average of how many were missing.
#[derive(Debug, Default)]
pub(super) struct Odds(AtomicU32);

impl Odds {
    /// Counts one. Two threads at once may count one of theirs: it is an estimate.
    pub(super) fn count(&self, missing: bool) {
        let odds = self.0.load(Ordering::Relaxed);
        let step = if missing { odds + (CERTAIN - odds) / WEIGHT } else { odds - odds / WEIGHT };
        self.0.store(step, Ordering::Relaxed);
    }

    /// Whether the next one is likely to be missing.
    pub(super) fn are_against(&self) -> bool {
        self.0.load(Ordering::Relaxed) > LIKELY
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(counts: impl IntoIterator<Item = bool>) -> bool {
        let odds = Odds::default();
        counts.into_iter().for_each(|missing| odds.count(missing));
        odds.are_against()
    }

    #[test]
    fn many_in_a_row_make_the_next_likely() {
        assert!(!after([]));
        assert!(!after([true; 20]));
        assert!(after([true; 30]));
    }

    #[test]
    fn a_few_that_are_there_suffice_to_look_again() {
        assert!(!after([true; 1_000].into_iter().chain([false; 8])));
        assert!(!after((0..1_000).map(|at| at % 2 == 0)));
        assert!(after((0..1_000).map(|at| at % 16 != 0)), "one in 16 is not worth a read each");
    }
}
