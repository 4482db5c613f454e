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
