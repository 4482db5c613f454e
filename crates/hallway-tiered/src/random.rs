//! Chance: tokens, jitter, early refreshes. Seeded by the operating system, or by a test that wants the same run twice.

use std::fmt;
use std::ops::Range;
use std::sync::{Arc, Mutex, PoisonError};

use hallway_core::Token;
use rand::rngs::StdRng;
use rand::{Rng, RngExt, SeedableRng};

#[derive(Clone)]
pub(crate) struct Random(Source);

#[derive(Clone)]
enum Source {
    /// A generator for each thread: one for all would be what the loads of all threads wait for.
    Threads,
    Seeded(Arc<Mutex<StdRng>>),
}

impl Random {
    pub(crate) fn new(seed: Option<u64>) -> Self {
        Self(match seed {
            Some(seed) => Source::Seeded(Arc::new(Mutex::new(StdRng::seed_from_u64(seed)))),
            None => Source::Threads,
        })
    }

    /// A name that nobody else has: 64 random bits, never 0.
    pub(crate) fn token(&self) -> Token {
        Token(self.id())
    }

    /// 64 random bits, never 0.
    pub(crate) fn id(&self) -> u64 {
        self.draw(|rng| rng.random_range(1..=u64::MAX))
    }

    pub(crate) fn range(&self, range: Range<f64>) -> f64 {
        self.draw(|rng| rng.random_range(range))
    }

    fn draw<T>(&self, draw: impl FnOnce(&mut dyn Rng) -> T) -> T {
        match &self.0 {
            Source::Threads => draw(&mut rand::rng()),
            // Numbers have no half-done state.
            Source::Seeded(rng) => draw(&mut *rng.lock().unwrap_or_else(PoisonError::into_inner)),
        }
    }
}

impl fmt::Debug for Random {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Random")
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn draws(random: &Random) -> Vec<u64> {
        (0..1_000).map(|_| random.id()).collect()
    }

    #[test]
    fn a_seed_makes_the_same_run_and_handles_share_it() {
        let (random, again) = (Random::new(Some(3)), Random::new(Some(3)));
        let (first, rest) = (draws(&random), draws(&random.clone()));
        assert_eq!([first.clone(), rest], [draws(&again), draws(&again)]);
        assert_ne!(first, draws(&Random::new(Some(4))));
    }

    #[test]
    fn without_a_seed_no_two_are_the_same_in_any_thread() {
        let random = Random::new(None);
        let all = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(|| draws(&random))).collect();
            threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect::<BTreeSet<u64>>()
        });
        assert_eq!(all.len(), 4_000);
        assert!((0..1_000).all(|_| (0.25..0.5).contains(&random.range(0.25..0.5))));
    }
}
