//! Chance: tokens, jitter, early refreshes. Seeded by the operating system, or by a test that wants the same run twice.

use std::fmt;
use std::ops::Range;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hallway_core::Token;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

#[derive(Clone)]
pub(crate) struct Random(Arc<Mutex<StdRng>>);

impl Random {
    pub(crate) fn new(seed: Option<u64>) -> Self {
        let rng = match seed {
            Some(seed) => StdRng::seed_from_u64(seed),
            None => rand::make_rng(),
        };
        Self(Arc::new(Mutex::new(rng)))
    }

    /// A name that nobody else has: 64 random bits, never 0.
    pub(crate) fn token(&self) -> Token {
        Token(self.id())
    }

    /// 64 random bits, never 0.
    pub(crate) fn id(&self) -> u64 {
        self.lock().random_range(1..=u64::MAX)
    }

    pub(crate) fn range(&self, range: Range<f64>) -> f64 {
        self.lock().random_range(range)
    }

    fn lock(&self) -> MutexGuard<'_, StdRng> {
        // Numbers have no half-done state.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Random {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Random")
    }
}
