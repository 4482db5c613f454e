//! What a TTL, and a bus of invalidations, cost in hits and in stale answers.

use super::{product, saturating};

/// The hit ratio of a key whose copy ends by its TTL or by the next write, whichever comes first (F3).
///
/// A copy lives `L = (1 - exp(-m T)) / m` on average, and `h = l L / (1 + l L)`. Without writes that is
/// `l T / (1 + l T)` (Jung, Berger, Balakrishnan 2003); without a TTL (infinity) `l / (l + m)`.
pub fn hit_ratio_with_ttl(reads: f64, writes: f64, ttl: f64) -> f64 {
    saturating(product(reads, mean_life(writes, ttl)))
}

fn mean_life(writes: f64, ttl: f64) -> f64 {
    if writes == 0.0 || ttl == 0.0 { ttl } else { -(-writes * ttl).exp_m1() / writes }
}

/// The share of the hits that are stale when nothing but the TTL ends a copy (F4).
///
/// `1 - (1 - exp(-m T)) / (m T)`, about `m T / 2` while that is small: a hit finds the copy at an age that is uniform
/// within the TTL, and it is stale if a write came in that time. Reads do not matter.
pub fn stale_share_by_ttl(writes: f64, ttl: f64) -> f64 {
    let x = product(writes, ttl);
    if x < 1e-3 {
        // The closed form would subtract two numbers that are nearly equal; the next term is below x^4 / 120.
        x / 2.0 - x * x / 6.0 + x * x * x / 24.0
    } else {
        1.0 + (-x).exp_m1() / x
    }
}

/// The longest TTL that keeps the share of stale hits within `stale_share` when nothing else ends a copy (F5), seconds.
///
/// `T = 2 e / m`, the straight line above F4: the real share stays below. Infinity without writes, or if every hit may
/// be stale.
pub fn longest_ttl(writes: f64, stale_share: f64) -> f64 {
    if writes == 0.0 || stale_share >= 1.0 { f64::INFINITY } else { 2.0 * stale_share / writes }
}

/// The hit ratio that is left under [`longest_ttl`] (F5): `2 e rho / (1 + 2 e rho)` with `rho` reads per write.
///
/// One stale hit in a hundred needs 50 reads per write for every second read to hit.
pub fn hit_ratio_within_stale_share(reads_per_write: f64, stale_share: f64) -> f64 {
    if reads_per_write == 0.0 {
        0.0
    } else if stale_share >= 1.0 {
        1.0
    } else {
        saturating(product(2.0 * stale_share, reads_per_write))
    }
}

/// The share of the hits that are stale when a bus ends copies `delay` seconds after a write (F6): about `m d`, at most 1.
///
/// The hit ratio is then that of [`hit_ratio_with_ttl`]: the bus buys back what F5 forbids.
pub fn stale_share_by_bus(writes: f64, delay: f64) -> f64 {
    product(writes, delay).min(1.0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rand::rngs::Xoshiro256PlusPlus;
    use rand::{RngExt, SeedableRng};

    use super::*;

    /// `[l T, m T, hit ratio of F3, stale share of F4]` of the design's table.
    const QUOTED: [[f64; 4]; 4] =
        [[10.0, 0.1, 0.905, 0.048], [10.0, 1.0, 0.863, 0.368], [5.0, 5.0, 0.498, 0.801], [50.0, 2.5, 0.948, 0.633]];

    /// Reads and writes of one key by chance, with a TTL of one second: `[hit ratio, stale share of the hits]`.
    fn simulate(reads: f64, writes: f64, invalidates: bool, seed: u64) -> [f64; 2] {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
        let (mut now, mut copy_ends, mut is_stale) = (0.0, 0.0, false);
        let (mut seen, mut hits, mut stale) = (0.0, 0.0, 0.0);
        while seen < 100_000.0 {
            now -= (1.0 - rng.random::<f64>()).ln() / (reads + writes);
            if rng.random::<f64>() * (reads + writes) < writes {
                is_stale = true;
                if invalidates {
                    copy_ends = now;
                }
                continue;
            }
            seen += 1.0;
            if now < copy_ends {
                hits += 1.0;
                stale += f64::from(u8::from(is_stale));
            } else {
                (copy_ends, is_stale) = (now + 1.0, false);
            }
        }
        [hits / seen, stale / hits]
    }

    #[test]
    fn the_figures_of_the_design() {
        for [reads, writes, hits, stale] in QUOTED {
            assert!((hit_ratio_with_ttl(reads, writes, 1.0) - hits).abs() < 6e-4);
            assert!((stale_share_by_ttl(writes, 1.0) - stale).abs() < 6e-4);
        }
    }

    #[test]
    fn a_simulation_finds_the_same() {
        for (seed, [reads, writes, ..]) in (0..).zip(QUOTED) {
            let [hits, stale] = simulate(reads, writes, true, seed);
            assert!((hits - hit_ratio_with_ttl(reads, writes, 1.0)).abs() < 0.01, "{reads} {writes}: {hits}");
            assert_eq!(stale, 0.0);
            let [hits, stale] = simulate(reads, writes, false, seed);
            assert!((hits - hit_ratio_with_ttl(reads, 0.0, 1.0)).abs() < 0.01, "{reads} {writes}: {hits}");
            assert!((stale - stale_share_by_ttl(writes, 1.0)).abs() < 0.015, "{reads} {writes}: {stale}");
        }
    }

    #[test]
    fn limits() {
        assert_eq!(hit_ratio_with_ttl(10.0, 0.0, 1.0), 10.0 / 11.0);
        assert_eq!(hit_ratio_with_ttl(3.0, 1.0, f64::INFINITY), 0.75);
        assert_eq!(hit_ratio_with_ttl(3.0, 0.0, f64::INFINITY), 1.0);
        assert_eq!(hit_ratio_with_ttl(0.0, 0.0, f64::INFINITY), 0.0);
        assert_eq!(hit_ratio_with_ttl(3.0, f64::INFINITY, 0.0), 0.0);
        assert_eq!(stale_share_by_ttl(0.0, f64::INFINITY), 0.0);
        assert_eq!(stale_share_by_ttl(1.0, f64::INFINITY), 1.0);
        assert_eq!(longest_ttl(0.0, 0.0), f64::INFINITY);
        assert_eq!(longest_ttl(1.0, 0.0), 0.0);
        assert_eq!(hit_ratio_within_stale_share(50.0, 0.01), 0.5);
        assert_eq!(hit_ratio_within_stale_share(f64::INFINITY, 0.0), 0.0);
        assert_eq!(hit_ratio_within_stale_share(0.0, 1.0), 0.0);
        assert_eq!(stale_share_by_bus(0.5, 0.01), 0.005);
        assert_eq!(stale_share_by_bus(1e6, 1.0), 1.0);
    }

    #[test]
    fn the_series_meets_the_closed_form() {
        let x = 1e-3_f64;
        assert!((stale_share_by_ttl(x.next_down(), 1.0) - stale_share_by_ttl(x, 1.0)).abs() < 1e-12);
    }

    proptest! {
        #[test]
        fn shares_are_shares_and_grow_with_the_ttl(
            reads in 0.0..1e6, writes in 0.0..1e6, ttl in 0.0..1e6, longer in 1.0..10.0,
        ) {
            for share in [hit_ratio_with_ttl(reads, writes, ttl), stale_share_by_ttl(writes, ttl)] {
                prop_assert!((0.0..=1.0).contains(&share));
            }
            prop_assert!(hit_ratio_with_ttl(reads, writes, ttl * longer) >= hit_ratio_with_ttl(reads, writes, ttl));
            prop_assert!(stale_share_by_ttl(writes, ttl * longer) >= stale_share_by_ttl(writes, ttl) - 1e-12);
        }

        #[test]
        fn the_longest_ttl_keeps_the_promise(writes in 1e-6..1e6, share in 0.0..1.0, reads_per_write in 0.0..1e6) {
            let ttl = longest_ttl(writes, share);
            prop_assert!(stale_share_by_ttl(writes, ttl) <= share);
            let left = hit_ratio_within_stale_share(reads_per_write, share);
            prop_assert!((left - hit_ratio_with_ttl(reads_per_write * writes, 0.0, ttl)).abs() < 1e-9);
        }
    }
}
