//! Copies for the shared tier that are written after their callers have been answered.
//!
//! A caller of a loader has no use for the copy, and waiting for it takes as long as asking for its lease did. So he has his
//! answer first (`docs/decisions/0022-answer-first.md`), as long as few copies are on their way: where the shared tier takes
//! fewer than are loaded, callers wait for theirs, or what is to be written would grow without end.

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, timeout_at};

use super::Engine;

/// How many may be on their way: about what the shared tier is sent at once.
pub(crate) const MOST: u32 = 64;

#[derive(Debug)]
pub(super) struct Behind(Semaphore);

impl Default for Behind {
    fn default() -> Self {
        Self(Semaphore::new(MOST as usize))
    }
}

impl Engine {
    /// The right to write one copy after the answer, for as long as it is held; `None` if so many do already.
    pub(crate) fn write_behind(&self) -> Option<SemaphorePermit<'_>> {
        self.behind.0.try_acquire().ok()
    }

    /// Waits until none is on its way. Says whether it came to that.
    pub(super) async fn all_written(&self, deadline: Instant) -> bool {
        // The semaphore is never closed.
        matches!(timeout_at(deadline, self.behind.0.acquire_many(MOST)).await, Ok(Ok(_)))
    }
}
