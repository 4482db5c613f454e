//! The hit ratio above which a cache in front of an authority pays.

use super::product;

/// The hit ratio above which a shared tier in front of the database lowers the mean cost of a read (F1).
///
/// `h > (shared_read + fill) / (database_read + fill)`: without the cache a read costs `database_read`; with it every
/// read costs `shared_read`, and each miss `database_read + fill` on top. The textbook form leaves the fill out.
/// Above 1 the tier never pays, and infinity says so where there is nothing to save at all.
pub fn break_even_hit_ratio(shared_read: f64, fill: f64, database_read: f64) -> f64 {
    break_even(shared_read + fill, database_read + fill)
}

/// The hit ratio above which a shared tier pays although writes have to invalidate it (F2).
///
/// `h > (shared_read + fill + (1 - r) / r * invalidate) / (database_read + fill)` with `r` the share of reads among all
/// requests: from equality of the costs. Without reads it never pays.
pub fn break_even_hit_ratio_with_writes(
    shared_read: f64,
    fill: f64,
    database_read: f64,
    invalidate: f64,
    read_share: f64,
) -> f64 {
    if read_share <= 0.0 {
        return f64::INFINITY;
    }
    let writes_per_read = (1.0 - read_share) / read_share;
    break_even(shared_read + fill + product(writes_per_read, invalidate), database_read + fill)
}

fn break_even(spent: f64, saved_by_hit: f64) -> f64 {
    if saved_by_hit == 0.0 { f64::INFINITY } else { spent / saved_by_hit }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::formulas::{cache_aside_mean, mean_of_requests};

    #[test]
    fn the_textbook_form_is_the_ratio_of_the_reads() {
        assert_eq!(break_even_hit_ratio(50.0, 0.0, 100.0), 0.5);
        assert_eq!(break_even_hit_ratio(0.0, 0.0, 100.0), 0.0);
    }

    #[test]
    fn what_cannot_pay_lies_above_one() {
        assert!(break_even_hit_ratio(200.0, 10.0, 100.0) > 1.0);
        assert_eq!(break_even_hit_ratio(0.0, 0.0, 0.0), f64::INFINITY);
        assert_eq!(break_even_hit_ratio_with_writes(1.0, 1.0, 10.0, 0.0, 0.0), f64::INFINITY);
    }

    #[test]
    fn without_writes_both_forms_agree() {
        assert_eq!(break_even_hit_ratio_with_writes(3.0, 2.0, 10.0, 7.0, 1.0), break_even_hit_ratio(3.0, 2.0, 10.0));
    }

    proptest! {
        #[test]
        fn at_the_break_even_both_ways_cost_the_same(
            shared in 1.0..1e6, fill in 0.0..1e6, saving in 1.0..1e7, invalidate in 0.0..1e5, reads in 0.05..1.0f64,
        ) {
            let database = shared + saving;
            let h = break_even_hit_ratio_with_writes(shared, fill, database, invalidate, reads);
            let write = 5_000.0;
            let without = mean_of_requests(reads, database, write);
            let with = mean_of_requests(reads, cache_aside_mean(h, shared, database, fill), write + invalidate);
            prop_assert!((with - without).abs() <= 1e-9 * (with.abs() + without.abs() + database * h));
        }

        #[test]
        fn more_writes_ask_for_a_higher_hit_ratio(
            shared in 0.0..1e6, fill in 0.0..1e6, database in 1.0..1e7, invalidate in 0.0..1e5, reads in 0.05..0.9f64,
        ) {
            let few = break_even_hit_ratio_with_writes(shared, fill, database, invalidate, reads + 0.1);
            let many = break_even_hit_ratio_with_writes(shared, fill, database, invalidate, reads);
            prop_assert!(many >= few && few >= break_even_hit_ratio(shared, fill, database) * (1.0 - 1e-12));
        }
    }
}
