//! Which version of each value has been acknowledged when, so that a read can be judged: how stale was it?

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Acknowledged versions that are remembered of one key. Staleness beyond them is only known to be at least as much.
const REMEMBERED: usize = 8;

const SHARDS: usize = 64;

/// All keys of a replay, by hash.
#[derive(Debug)]
pub(crate) struct Versions {
    // Blocking locks: nothing awaits while holding one.
    shards: Vec<Mutex<HashMap<u64, Written>>>,
}

/// One key.
#[derive(Debug, Default)]
struct Written {
    /// Held while a version is written: writers of one key take turns, so that versions are acknowledged in order.
    turn: Arc<tokio::sync::Mutex<()>>,
    last: u64,
    acknowledged: VecDeque<(u64, Instant)>,
}

/// What a read that begins now must not fall behind.
#[derive(Debug, Default)]
pub(crate) struct Floor {
    begun: Option<Instant>,
    acknowledged: VecDeque<(u64, Instant)>,
}

impl Versions {
    pub(crate) fn new() -> Self {
        Self { shards: (0..SHARDS).map(|_| Mutex::default()).collect() }
    }

    fn with<T>(&self, hash: u64, f: impl FnOnce(&mut Written) -> T) -> T {
        let shard = &self.shards[hash as usize % SHARDS];
        f(shard.lock().unwrap_or_else(PoisonError::into_inner).entry(hash).or_default())
    }

    /// The right to write a key.
    pub(crate) async fn turn(&self, hash: u64) -> tokio::sync::OwnedMutexGuard<()> {
        self.with(hash, |written| written.turn.clone()).lock_owned().await
    }

    /// The version to write next. Only in one's [`turn`](Self::turn).
    pub(crate) fn next(&self, hash: u64) -> u64 {
        self.with(hash, |written| {
            written.last += 1;
            written.last
        })
    }

    /// Whether some version has been acknowledged.
    pub(crate) fn is_known(&self, hash: u64) -> bool {
        self.with(hash, |written| !written.acknowledged.is_empty())
    }

    pub(crate) fn acknowledge(&self, hash: u64, version: u64, now: Instant) {
        self.with(hash, |written| {
            written.acknowledged.push_back((version, now));
            if written.acknowledged.len() > REMEMBERED {
                written.acknowledged.pop_front();
            }
        });
    }

    /// Before a read.
    pub(crate) fn floor(&self, hash: u64, now: Instant) -> Floor {
        Floor { begun: Some(now), acknowledged: self.with(hash, |written| written.acknowledged.clone()) }
    }
}

impl Floor {
    /// How stale an answer is: how long before the read the first version newer than it was acknowledged. `None` for an
    /// answer that misses nothing. No answer at all is version 0.
    pub(crate) fn staleness(&self, version: u64) -> Option<Duration> {
        let (_, since) = self.acknowledged.iter().find(|(newer, _)| *newer > version)?;
        Some(self.begun?.saturating_duration_since(*since))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_read_is_as_stale_as_the_first_version_that_it_misses() {
        let versions = Versions::new();
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let _turn = versions.turn(7).await;
        assert_eq!((versions.next(7), versions.next(7), versions.is_known(7)), (1, 2, false));
        versions.acknowledge(7, 1, at(1));
        versions.acknowledge(7, 2, at(3));
        let floor = versions.floor(7, at(10));
        assert_eq!(floor.staleness(2), None);
        // A write that is not acknowledged may be seen.
        assert_eq!(floor.staleness(3), None);
        assert_eq!(floor.staleness(1), Some(Duration::from_secs(7)));
        assert_eq!(floor.staleness(0), Some(Duration::from_secs(9)));
        assert_eq!(versions.floor(8, at(10)).staleness(0), None);
    }

    #[test]
    fn what_is_forgotten_makes_reads_look_fresher_never_staler() {
        let versions = Versions::new();
        let start = Instant::now();
        for version in 1..=100 {
            versions.acknowledge(1, version, start + Duration::from_secs(version));
        }
        let floor = versions.floor(1, start + Duration::from_secs(100));
        assert_eq!(floor.staleness(0), Some(Duration::from_secs(7)));
    }
}
