//! How large the value of a key is: a distribution like those seen in production caches.

use super::mix::{mix, unit};

/// Share of keys with a value of at most so many bytes; straight lines between the logarithms. Median 200 B,
/// p99 1.5 KB, in the range that published key-value cache workloads show.
const QUANTILES: [(f64, f64); 9] = [
    (0.0, 24.0),
    (0.10, 60.0),
    (0.25, 110.0),
    (0.50, 200.0),
    (0.75, 340.0),
    (0.90, 560.0),
    (0.99, 1_500.0),
    (0.999, 4_096.0),
    (1.0, 16_384.0),
];

/// The length of the value of the key with this hash. Always the same for the same key.
pub fn value_len(hash: u64) -> usize {
    // Mixed again: the contents start from the same hash.
    let share = unit(mix(hash ^ 0x5175_e5ee_d517_e500));
    let above = QUANTILES.iter().position(|(upto, _)| share < *upto).unwrap_or(QUANTILES.len() - 1).max(1);
    let ((q0, b0), (q1, b1)) = (QUANTILES[above - 1], QUANTILES[above]);
    (b0 * (b1 / b0).powf((share - q0) / (q1 - q0))).round() as usize
}

#[cfg(test)]
mod tests {
    use super::super::mix::hash;
    use super::*;

    #[test]
    fn the_distribution_is_the_table() {
        let mut sizes: Vec<usize> = (0..100_000).map(|key| value_len(hash(&format!("key-{key}")))).collect();
        sizes.sort_unstable();
        let at = |share: f64| sizes[(share * 100_000.0) as usize];
        assert!((190..=210).contains(&at(0.5)), "median {}", at(0.5));
        assert!((1_000..=2_000).contains(&at(0.99)), "p99 {}", at(0.99));
        assert!(sizes[0] >= 24 && sizes[99_999] <= 16_384);
    }

    #[test]
    fn a_key_keeps_its_size() {
        assert_eq!(value_len(hash("42")), value_len(hash("42")));
    }
}
