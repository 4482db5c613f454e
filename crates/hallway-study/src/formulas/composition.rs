//! The mean cost of a request, composed from the costs of its parts.

/// The mean cost of a read through a cache in front of an authority: the cost equality behind F1.
///
/// Every read looks into the cache, which costs a miss as much as a hit; a miss reads the authority and fills.
pub fn cache_aside_mean(hit_ratio: f64, cache_read: f64, authority_read: f64, fill: f64) -> f64 {
    tiered_mean(&[CachingTier { hit_ratio, read: cache_read, fill }], authority_read)
}

/// A tier that keeps copies, as [`tiered_mean`] sees it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CachingTier {
    /// Share of the reads that arrive here and are answered here: conditional, see
    /// [`conditional_hit_ratio`](super::conditional_hit_ratio).
    pub hit_ratio: f64,
    /// What looking costs, hit or miss.
    pub read: f64,
    /// What storing a copy costs after a miss.
    pub fill: f64,
}

/// The mean cost of a read through tiers, the nearest first, in front of an authority.
///
/// Each tier costs its look; what it does not answer costs the rest of the chain and a fill.
pub fn tiered_mean(tiers: &[CachingTier], authority_read: f64) -> f64 {
    tiers.iter().rev().fold(authority_read, |behind, tier| tier.read + (1.0 - tier.hit_ratio) * (behind + tier.fill))
}

/// The mean cost of a request when `read_share` of the requests read and the others write.
pub fn mean_of_requests(read_share: f64, read: f64, write: f64) -> f64 {
    read_share * read + (1.0 - read_share) * write
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn all_hits_cost_the_cache_and_all_misses_everything() {
        assert_eq!(cache_aside_mean(1.0, 3.0, 100.0, 7.0), 3.0);
        assert_eq!(cache_aside_mean(0.0, 3.0, 100.0, 7.0), 110.0);
        assert_eq!(tiered_mean(&[], 100.0), 100.0);
    }

    #[test]
    fn two_tiers_are_a_cache_in_front_of_a_cache() {
        let local = CachingTier { hit_ratio: 0.8, read: 1.0, fill: 0.5 };
        let shared = CachingTier { hit_ratio: 0.5, read: 50.0, fill: 60.0 };
        let behind = cache_aside_mean(0.5, 50.0, 400.0, 60.0);
        assert_eq!(tiered_mean(&[local, shared], 400.0), cache_aside_mean(0.8, 1.0, behind, 0.5));
    }

    #[test]
    fn only_reads_and_only_writes_are_the_ends() {
        assert_eq!(mean_of_requests(1.0, 5.0, 9.0), 5.0);
        assert_eq!(mean_of_requests(0.0, 5.0, 9.0), 9.0);
    }

    proptest! {
        #[test]
        fn a_higher_hit_ratio_never_costs_more(
            low in 0.0..1.0f64, high in 0.0..1.0f64, read in 0.0..1e3, fill in 0.0..1e3, authority in 0.0..1e6,
        ) {
            let at = |h| cache_aside_mean(h, read, authority, fill);
            prop_assert!(at(low.max(high)) <= at(low.min(high)));
        }
    }
}
