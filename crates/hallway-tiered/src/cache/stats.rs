//! What a cache counts.

use std::sync::Arc;

use crate::counter::{Counter, Tally};

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident,)+) => {
        /// Counters of one cache.
        #[derive(Debug)]
        pub(super) struct Counters {
            /// Shared with the store, which counts those of all caches.
            pub(super) local_hits: Arc<Tally>,
            $(pub(super) $name: Counter,)+
        }

        /// What a [`Cache`](super::Cache) has counted since it was built, all its clones together.
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
        #[non_exhaustive]
        pub struct CacheStats {
            /// Reads answered by a copy in this process.
            pub local_hits: u64,
            $($(#[$doc])* pub $name: u64,)+
        }

        #[cfg(feature = "metrics")]
        impl CacheStats {
            pub(crate) fn add(&mut self, other: &Self) {
                self.local_hits += other.local_hits;
                $(self.$name += other.$name;)+
            }
        }

        impl Counters {
            pub(super) fn new(local_hits: Arc<Tally>) -> Self {
                Self { local_hits, $($name: Counter::default(),)+ }
            }

            pub(super) fn snapshot(&self) -> CacheStats {
                CacheStats { local_hits: self.local_hits.get(), $($name: self.$name.get(),)+ }
            }
        }
    };
}

counters! {
    /// Reads answered by a copy in the shared tier.
    shared_hits,
    /// Reads that found nothing.
    misses,
    /// Reads that waited for a load that another caller had begun.
    joined,
    /// Answers past their TTL, counted among the hits too.
    stale,
    /// Calls of a loader.
    loads,
    /// Loads that ended with an error, a panic or at their deadline.
    failed_loads,
    /// Microseconds spent in loaders.
    load_micros,
    /// Loads that found nothing.
    not_found,
    /// Refreshes begun in the background.
    refreshes,
    /// Refreshes not begun because too many were going on.
    skipped_refreshes,
    /// Reads and loads refused because too many were going on.
    overloaded,
    /// Copies in the shared tier that were no value of this cache, and were removed.
    undecodable,
    /// Loads whose value could not be kept: no shared tier, a write meanwhile, a tag replaced meanwhile.
    unfilled,
    /// Values written to the shared tier.
    fills,
    /// Reads that had to do without the shared tier.
    bypassed,
    /// Writes through the cache.
    writes,
    /// Keys invalidated here.
    invalidations,
}
