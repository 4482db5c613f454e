//! Counters that threads do not fight over.

use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use thread_local::ThreadLocal;

use crate::threads;

const STRIPES: usize = 8;

/// Counts in one of a few cache lines, chosen by thread: a hit costs no more for being counted by several threads.
#[derive(Debug, Default)]
pub(crate) struct Counter([Stripe; STRIPES]);

#[derive(Debug, Default)]
#[repr(align(64))]
struct Stripe(AtomicU64);

thread_local! {
    static STRIPE: usize = {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        NEXT.fetch_add(1, Ordering::Relaxed) % STRIPES
    };
}

impl Counter {
    #[inline]
    pub(crate) fn add(&self, count: u64) {
        // A thread that is ending counts with the first.
        let stripe = STRIPE.try_with(|stripe| *stripe).unwrap_or(0);
        self.0[stripe].0.fetch_add(count, Ordering::Relaxed);
    }

    #[inline]
    pub(crate) fn one(&self) {
        self.add(1);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.iter().map(|stripe| stripe.0.load(Ordering::Relaxed)).sum()
    }
}

/// Counts for each thread apart, in a cache line that no other thread writes: the least that counting can cost, for what
/// is counted at every hit.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    threads: ThreadLocal<Stripe>,
    /// Of threads that are ending.
    others: AtomicU64,
}

impl Tally {
    #[inline]
    pub(crate) fn one(&self) {
        match threads::own(&self.threads, || Some(Stripe::default())) {
            // Not one locked step but two plain ones: nobody else writes here.
            Some(Stripe(count)) => count.store(count.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed),
            None => _ = self.others.fetch_add(1, Ordering::Relaxed),
        }
    }

    pub(crate) fn get(&self) -> u64 {
        let others = self.others.load(Ordering::Relaxed);
        self.threads.iter().map(|stripe| stripe.0.load(Ordering::Relaxed)).fold(others, u64::wrapping_add)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_count_of_every_thread_is_in_the_sum() {
        let counter = Counter::default();
        std::thread::scope(|scope| {
            for _ in 0..20 {
                scope.spawn(|| (0..1_000).for_each(|_| counter.one()));
            }
        });
        counter.add(5);
        assert_eq!(counter.get(), 20_005);
    }

    #[test]
    fn a_tally_has_every_count_of_every_thread_also_of_threads_gone() {
        let tally = Tally::default();
        for round in 1..=3 {
            std::thread::scope(|scope| {
                for _ in 0..20 {
                    scope.spawn(|| (0..1_000).for_each(|_| tally.one()));
                }
            });
            assert_eq!(tally.get(), round * 20_000);
        }
        tally.one();
        assert_eq!(tally.get(), 60_001);
    }

    /// What a thread has for itself is dropped in an order that nobody chose: what counts there must neither panic nor
    /// be lost.
    #[test]
    fn a_tally_counts_what_happens_while_a_thread_ends() {
        struct Counts(std::sync::Arc<Tally>);
        impl Drop for Counts {
            fn drop(&mut self) {
                self.0.one();
            }
        }
        thread_local! {
            static EARLY: std::cell::RefCell<Option<Counts>> = const { std::cell::RefCell::new(None) };
            static LATE: std::cell::RefCell<Option<Counts>> = const { std::cell::RefCell::new(None) };
        }
        let tally = std::sync::Arc::new(Tally::default());
        for before in [true, false] {
            let tally = std::sync::Arc::clone(&tally);
            let thread = std::thread::spawn(move || {
                EARLY.set(Some(Counts(std::sync::Arc::clone(&tally))));
                if before {
                    tally.one();
                }
                LATE.set(Some(Counts(tally)));
            });
            thread.join().unwrap();
        }
        assert_eq!(tally.get(), 5);
    }
}
