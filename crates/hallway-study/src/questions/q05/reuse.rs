//! How often capacities hit on a stream: with caches that begin empty, and with caches that are full already.

use serde::{Deserialize, Serialize};

use crate::formulas::conditional_hit_ratio;
use crate::trace::{Distances, Log, OnWrite};

/// Capacities that are looked at, entries: of the local tier up to the last but one, of the shared one from 1,024 on.
pub(super) const CAPACITIES: [u64; 12] =
    [64, 128, 256, 512, 1_024, 2_048, 4_096, 8_192, 16_384, 32_768, 65_536, 131_072];
/// Capacities of the shared tier begin here.
pub(super) const FIRST_SHARED: u64 = 1_024;

/// A stream in two halves, by capacity.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Reuse {
    pub(super) label: String,
    pub(super) note: Option<String>,
    pub(super) keys: u64,
    /// The first half, with caches that begin empty.
    pub(super) cold: Hits,
    /// The second half.
    pub(super) warm: Hits,
}

/// Hits by [`CAPACITIES`].
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Hits {
    pub(super) reads: u64,
    pub(super) hits: Vec<u64>,
}

impl Hits {
    /// Hit ratio of a capacity that is one of the list.
    pub(super) fn at(&self, entries: u64) -> f64 {
        let place = CAPACITIES.iter().position(|capacity| *capacity == entries);
        let hits = place.and_then(|place| self.hits.get(place)).copied().unwrap_or(0);
        hits as f64 / self.reads.max(1) as f64
    }

    /// Of what a local tier misses, the share that a shared one behind it hits (F8).
    pub(super) fn behind(&self, local: u64, shared: u64) -> f64 {
        conditional_hit_ratio(self.at(local), self.at(shared))
    }
}

impl Reuse {
    pub(super) fn of(label: String, note: Option<String>, log: &Log) -> Self {
        let mut distances = Distances::new();
        let mut snapshots = [Hits::default(), Hits::default()];
        let ends = [log.len() / 2, log.len()];
        for (done, request) in (1..).zip(log.iter()) {
            distances.request(request, OnWrite::Invalidate);
            for (snapshot, _) in snapshots.iter_mut().zip(ends).filter(|(_, end)| *end == done) {
                let curve = distances.curve();
                let hits = CAPACITIES.map(|entries| curve.hits_at(entries)).to_vec();
                *snapshot = Hits { reads: distances.reads(), hits };
            }
        }
        let [cold, whole] = snapshots;
        let hits = whole.hits.iter().zip(cold.hits.iter().chain(std::iter::repeat(&0)));
        let warm = Hits { reads: whole.reads - cold.reads, hits: hits.map(|(whole, cold)| whole - cold).collect() };
        Self { label, note, keys: distances.keys(), cold, warm }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_are_counted_each_on_its_own() {
        // 100 keys in turn, four times: 64 entries never hit, 128 from the second time on.
        let log: Log = (0..400).map(|at| at % 100).collect();
        let reuse = Reuse::of("made".to_owned(), None, &log);
        assert_eq!((reuse.keys, reuse.cold.reads, reuse.warm.reads), (100, 200, 200));
        assert_eq!([reuse.cold.at(64), reuse.cold.at(128)], [0.0, 0.5]);
        assert_eq!([reuse.warm.at(64), reuse.warm.at(128)], [0.0, 1.0]);
        assert_eq!(reuse.cold.behind(64, 1_024), 0.5);
        assert_eq!(reuse.warm.behind(128, 1_024), 0.0);
    }
}
