//! What is counted.

use std::sync::atomic::{AtomicU64, Ordering};

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident,)+) => {
        #[derive(Debug, Default)]
        pub(crate) struct Counters { $(pub(crate) $name: Counter,)+ }

        /// What a [`Sessions`](crate::Sessions) has counted since it was built, all its clones together.
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
        #[non_exhaustive]
        pub struct SessionStats { $($(#[$doc])* pub $name: u64,)+ }

        impl Counters {
            pub(crate) fn snapshot(&self) -> SessionStats {
                SessionStats { $($name: self.$name.0.load(Ordering::Relaxed),)+ }
            }
        }

        impl SessionStats {
            /// Every counter with its name.
            pub fn iter(&self) -> impl Iterator<Item = (&'static str, u64)> {
                [$((stringify!($name), self.$name),)+].into_iter()
            }
        }
    };
}

counters! {
    /// Sessions made, those made by a rotation not among them.
    created,
    /// Loads that found a live session.
    loaded,
    /// Loads, saves and rotations that found none.
    gone,
    /// Loads that found a record of another shape.
    incompatible,
    /// Records that were not what was written: damaged, moved from another key, or sealed by an unknown key.
    damaged,
    /// Times that a session's idle timeout began anew in the store.
    touched,
    /// Times that it could not.
    untouched,
    /// Records replaced.
    saved,
    /// Saves that another save had come before.
    conflicts,
    /// New ids given.
    rotated,
    /// Sessions ended before their time.
    deleted,
    /// Sessions ended because their subject had too many.
    evicted,
    /// Calls that failed because the store did not answer.
    unavailable,
}

#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn one(&self) {
        self.add(1);
    }

    pub(crate) fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }
}
