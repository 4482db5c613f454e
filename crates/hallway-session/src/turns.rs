//! Who changes the same thing in one process takes turns, so that only processes get in each other's way, and those wait a
//! little before they try again.

use std::fmt;
use std::time::Duration;

use tokio::sync::{Mutex, MutexGuard};
use tokio::time::{sleep, timeout};

use crate::random::Random;

/// Things that share a turn do no harm but to wait for each other.
const STRIPES: usize = 256;

/// How often a verb tries when other processes change what it is about to change.
pub(crate) const ATTEMPTS: usize = 20;

/// The longest pause between two tries.
const LONGEST: Duration = Duration::from_millis(64);

pub(crate) struct Turns(Box<[Mutex<()>]>);

impl Turns {
    pub(crate) fn new() -> Self {
        Self((0..STRIPES).map(|_| Mutex::new(())).collect())
    }

    /// Waits until nobody else here changes `what`, but no longer than `patience`: a store that does not answer those before
    /// must not keep all others. Compare-and-set decides in any case; a turn only saves tries.
    pub(crate) async fn take(&self, what: &[u8], patience: Duration) -> Option<MutexGuard<'_, ()>> {
        // The same in every run, so that a simulated one can be repeated. What is changed has a name that is a hash itself.
        let stripe = &self.0[crc32c::crc32c(what) as usize % STRIPES];
        timeout(patience, stripe.lock()).await.ok()
    }
}

/// A pause before the next try, of chance, longer from try to try ("full jitter").
pub(crate) async fn pause(random: &Random, attempt: usize) {
    let longest = Duration::from_millis(1 << attempt.min(6)).min(LONGEST);
    let mut byte = [0; 1];
    // Without chance all wait the longest, which is worse and does no harm.
    let share = if random.fill(&mut byte).is_ok() { u32::from(byte[0]) } else { 255 };
    sleep(longest * share / 255).await;
}

impl fmt::Debug for Turns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Turns")
    }
}
