//! What is counted.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::counter::{Counter, Tally};
use crate::engine::Engine;

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident,)+) => {
        /// Counters of one store and its caches.
        #[derive(Debug, Default)]
        pub(crate) struct Counters {
            pub(crate) local_hits: Tally,
            $(pub(crate) $name: Counter,)+
        }

        /// What a [`TieredStore`](crate::TieredStore) and its caches have counted since they were built.
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
        #[non_exhaustive]
        pub struct TieredStats {
            /// Reads answered by a local copy.
            pub local_hits: u64,
            $($(#[$doc])* pub $name: u64,)+
        }

        impl Counters {
            fn snapshot(&self) -> TieredStats {
                TieredStats { local_hits: self.local_hits.get(), $($name: self.$name.get(),)+ }
            }
        }
    };
}

counters! {
    /// Reads answered by the shared tier, which had a copy or is the authority, over its link.
    shared_hits,
    /// Reads answered by the authority, found or not: each key of a batch is one, and refreshes are none. Beside loaders and
    /// the consistent tier it is the shared tier, where that is the authority and its link does not work.
    authority_reads,
    /// Calls of loaders, one for a batch; and keys asked of the consistent tier for want of a copy.
    loads,
    /// Reads answered by the authority because the shared tier could not be asked.
    bypassed,
    /// Reads answered by a stale value.
    stale,
    /// Copies written to the shared tier.
    fills,
    /// Copies that could not be written, or whose lease was gone.
    failed_fills,
    /// Copies found damaged and removed.
    poisoned,
    /// Keys that the shared tier said have changed.
    invalidations,
    /// Times that all local copies were given up: reconnects, flushes.
    flushes,
    /// Writes announced by a marker.
    marked_writes,
    /// Writes that went on although the shared tier could not be told.
    unannounced_writes,
    /// Writes refused because the shared tier could not be told.
    refused_writes,
    /// Writes of unknown outcome.
    unknown_writes,
    /// Owed invalidations that were made good, outbox rows included.
    repairs,
    /// Calls that failed because the shared tier gave no answer.
    shared_failures,
    /// Calls not even tried because the shared tier is known to be down.
    shared_refusals,
}

/// Hits that caches have counted for themselves: one count for a hit has to do.
#[derive(Debug, Default)]
pub(crate) struct CacheHits(Mutex<Hits>);

#[derive(Debug, Default)]
struct Hits {
    /// Of caches that are gone.
    ended: u64,
    live: Vec<Arc<Tally>>,
}

impl CacheHits {
    /// A counter of the hits of one cache, to be given back with [`end`](Self::end).
    pub(crate) fn begin(&self) -> Arc<Tally> {
        let counter = Arc::new(Tally::default());
        self.lock().live.push(Arc::clone(&counter));
        counter
    }

    pub(crate) fn end(&self, counter: &Arc<Tally>) {
        let mut hits = self.lock();
        hits.live.retain(|live| !Arc::ptr_eq(live, counter));
        hits.ended += counter.get();
    }

    fn get(&self) -> u64 {
        let hits = self.lock();
        hits.ended + hits.live.iter().map(|live| live.get()).sum::<u64>()
    }

    fn lock(&self) -> MutexGuard<'_, Hits> {
        // Numbers and a list that are valid at every step.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Engine {
    pub(crate) fn stats(&self) -> TieredStats {
        let own = self.counters.snapshot();
        TieredStats { local_hits: own.local_hits + self.cache_hits.get(), ..own }
    }
}
