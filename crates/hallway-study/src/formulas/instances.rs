//! Hit ratios behind writes, behind another tier, and split over instances.

use super::{product, saturating};

/// The hit ratio that is left when `write_share` of the requests write to keys by chance and invalidate them (F7).
///
/// `h(w) = (1 - w) h(0)`: exact to 0.003 on three traces for shares up to a half, while capacity is no limit.
pub fn hit_ratio_with_write_share(hit_ratio_without_writes: f64, write_share: f64) -> f64 {
    (1.0 - write_share) * hit_ratio_without_writes
}

/// The share of the reads that reach a second tier and hit there (F8): `(H2 - H1) / (1 - H1)`.
///
/// `local_alone` and `shared_alone` are the hit ratios of the two capacities each on its own, both from the trace's
/// reuse distances; it holds while the second tier is much larger. 0 if nothing reaches it, or if it is no larger.
pub fn conditional_hit_ratio(local_alone: f64, shared_alone: f64) -> f64 {
    if local_alone >= 1.0 { 0.0 } else { ((shared_alone - local_alone) / (1.0 - local_alone)).max(0.0) }
}

/// The hit ratio of one key in each of `instances` local tiers that share its reads evenly (F9).
///
/// `l T / (N + l T)` with `reads` over all instances together; only a TTL ends a copy. What ends by capacity has to be
/// replayed instead.
pub fn hit_ratio_of_instances(reads: f64, ttl: f64, instances: u32) -> f64 {
    saturating(product(reads, ttl) / f64::from(instances.max(1)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::formulas::hit_ratio_with_ttl;

    #[test]
    fn the_second_tier_of_the_design_gets_half() {
        // 1,000 entries alone hit 0.796 and 10,000 alone 0.90; the replay of both found 0.516.
        assert!((conditional_hit_ratio(0.796, 0.90) - 0.51).abs() < 0.001);
    }

    #[test]
    fn limits() {
        assert_eq!(conditional_hit_ratio(0.0, 0.7), 0.7);
        assert_eq!(conditional_hit_ratio(1.0, 1.0), 0.0);
        assert_eq!(conditional_hit_ratio(0.5, 0.4), 0.0);
        assert_eq!(hit_ratio_with_write_share(0.8, 1.0), 0.0);
        assert_eq!(hit_ratio_of_instances(0.0, f64::INFINITY, 4), 0.0);
        assert_eq!(hit_ratio_of_instances(1.0, f64::INFINITY, 4), 1.0);
    }

    proptest! {
        #[test]
        fn both_tiers_together_hit_as_the_larger_one(local in 0.0..0.999f64, more in 0.0..1.0f64) {
            let shared = local + more * (1.0 - local);
            let together = local + (1.0 - local) * conditional_hit_ratio(local, shared);
            prop_assert!((together - shared).abs() < 1e-9);
        }

        #[test]
        fn one_instance_is_the_ttl_formula_and_more_hit_less(reads in 0.0..1e6, ttl in 0.0..1e6, n in 1u32..1000) {
            prop_assert!((hit_ratio_of_instances(reads, ttl, 1) - hit_ratio_with_ttl(reads, 0.0, ttl)).abs() < 1e-12);
            prop_assert!(hit_ratio_of_instances(reads, ttl, n + 1) <= hit_ratio_of_instances(reads, ttl, n));
        }
    }
}
