//! Seeds on all cores.

use std::fmt;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

/// Runs seeds on all cores, for tests.
///
/// # Panics
/// At the first seed that fails, with what it says.
pub fn on_all_cores<E: fmt::Display>(seeds: Range<u64>, run: impl Fn(u64) -> Result<(), E> + Sync) {
    let next = AtomicU64::new(seeds.start);
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(2, std::num::NonZero::get) {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::SeqCst);
                    if seed >= seeds.end {
                        return;
                    }
                    if let Err(failure) = run(seed) {
                        panic!("{failure}");
                    }
                }
            });
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_seed_runs_once_and_one_that_fails_is_heard() {
        let sum = AtomicU64::new(0);
        on_all_cores(10..20, |seed| {
            sum.fetch_add(seed, Ordering::SeqCst);
            Ok::<_, String>(())
        });
        assert_eq!(sum.into_inner(), (10..20).sum::<u64>());
        let heard = std::panic::catch_unwind(|| {
            on_all_cores(0..100, |seed| if seed == 57 { Err("seed 57") } else { Ok(()) });
        });
        assert!(heard.is_err());
    }
}
