//! Who answers a stream that is split over instances: counted, without any store.

use serde::{Deserialize, Serialize};

use crate::study::Hits;
use crate::trace::{Coherence, Log, Split, SplitShares};

/// Instances that are looked at.
pub(super) const INSTANCES: [usize; 5] = [1, 2, 4, 8, 16];
/// Entries of each local cache, and of the shared one.
pub(super) const LOCAL: usize = 1_000;
pub(super) const SHARED: usize = 10_000;
/// A TTL in requests of the whole stream: with 1,000 requests a second, 10 s.
pub(super) const TTL: u64 = 10_000;

/// A stream over more and more instances.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Counts {
    pub(super) label: String,
    pub(super) note: Option<String>,
    /// By [`INSTANCES`].
    pub(super) shares: Vec<Shares>,
}

/// Who answered.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct Shares {
    pub(super) instances: usize,
    /// Local caches alone, whose copies stay until they are pushed out.
    pub(super) alone: SplitShares,
    /// Local caches alone, whose copies live for [`TTL`].
    pub(super) alone_ttl: SplitShares,
    /// Local caches before a shared one.
    pub(super) both: SplitShares,
    /// The same with local copies that live for [`TTL`].
    pub(super) both_ttl: SplitShares,
}

impl Counts {
    pub(super) fn of(label: String, note: Option<String>, log: &Log, seed: u64) -> Self {
        let shares = INSTANCES.map(|instances| {
            let replay = |shared_entries, coherence| {
                Split { instances, local_entries: LOCAL, shared_entries, coherence, write_share: 0.0, seed }
                    .replay(log.iter())
            };
            let ttl = Coherence::Ttl { requests: TTL };
            Shares {
                instances,
                alone: replay(0, Coherence::None),
                alone_ttl: replay(0, ttl),
                both: replay(SHARED, Coherence::Bus),
                both_ttl: replay(SHARED, ttl),
            }
        });
        Self { label, note, shares: shares.to_vec() }
    }
}

/// As the composition of a mean wants it.
pub(super) fn hits(shares: &SplitShares, shared: bool) -> Hits {
    Hits { local: Some(shares.local()), shared: shared.then(|| shares.shared_behind().unwrap_or(0.0)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::questions::streams;
    use crate::trace::Preset;

    #[test]
    fn a_shared_tier_makes_the_database_blind_to_the_number_of_instances() {
        let stream = streams::generated(Preset::OrmBusy, 42, 50_000);
        let counts = Counts::of(stream.label, None, &stream.log, 42);
        let loads = |of: fn(&Shares) -> SplitShares| -> Vec<f64> {
            counts.shares.iter().map(|shares| of(shares).loads()).collect()
        };
        let (alone, both) = (loads(|shares| shares.alone), loads(|shares| shares.both));
        assert!(alone.is_sorted() && alone[4] > 1.5 * alone[0], "{alone:?}");
        assert!((both[4] / both[0] - 1.0).abs() < 0.1, "{both:?}");
        assert!(counts.shares.iter().all(|shares| shares.alone_ttl.loads() >= shares.alone.loads()));
        assert_eq!(hits(&counts.shares[0].alone, false).shared, None);
    }
}
