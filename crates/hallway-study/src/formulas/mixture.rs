//! Quantiles of a chain of tiers, from the measured latencies of its parts.

use std::fmt;

use hdrhistogram::Histogram;

/// Latencies that were measured.
#[derive(Clone, Copy)]
pub enum Latencies<'a> {
    /// Counted, in the unit of the histogram's values.
    Counted(&'a Histogram<u64>),
    /// One by one, in any order.
    Samples(&'a [f64]),
}

impl fmt::Debug for Latencies<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Counted(histogram) => write!(f, "Counted({} latencies)", histogram.len()),
            Self::Samples(samples) => write!(f, "Samples({} latencies)", samples.len()),
        }
    }
}

/// One way a request may end, such as a hit of the local tier.
#[derive(Debug, Clone, Copy)]
pub struct Part<'a> {
    /// Share of the requests that end this way; all shares together need not be 1, only their proportions count.
    pub share: f64,
    /// How long they take from beginning to end.
    pub latencies: Latencies<'a>,
}

/// The latency that `quantile` of all requests stay within (F13), in the unit of the latencies.
///
/// The quantile of the mixture, not the mixture of the quantiles: the p99 of a chain stays at the level of its
/// authority until more than 99 % of the requests end before it. `None` if there is no part with a share, or one of which
/// no latency is known: the rest would not be the whole.
pub fn quantile_of_mixture(parts: &[Part<'_>], quantile: f64) -> Option<f64> {
    let mut masses: Vec<(f64, f64)> = Vec::new();
    for part in parts.iter().filter(|part| part.share > 0.0) {
        match part.latencies {
            Latencies::Counted(histogram) if histogram.is_empty() => return None,
            Latencies::Samples([]) => return None,
            Latencies::Counted(histogram) => {
                let each = part.share / histogram.len() as f64;
                let counted = histogram.iter_recorded();
                masses.extend(counted.map(|v| (v.value_iterated_to() as f64, each * v.count_at_value() as f64)));
            }
            Latencies::Samples(samples) => {
                let each = part.share / samples.len() as f64;
                masses.extend(samples.iter().map(|sample| (*sample, each)));
            }
        }
    }
    masses.sort_by(|a, b| a.0.total_cmp(&b.0));
    // A hair less than asked: sums of shares miss their exact value in the last digits.
    let wanted = quantile * masses.iter().map(|mass| mass.1).sum::<f64>() * (1.0 - 1e-12);
    let mut within = 0.0;
    let reaches = |mass: &&(f64, f64)| {
        within += mass.1;
        within >= wanted
    };
    masses.iter().find(reaches).or(masses.last()).map(|mass| mass.0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn chain(hit_ratio: f64, quantile: f64) -> f64 {
        let (hits, misses) = ([1.0, 2.0, 3.0], [900.0, 1_000.0, 1_100.0]);
        let parts = [
            Part { share: hit_ratio, latencies: Latencies::Samples(&hits) },
            Part { share: 1.0 - hit_ratio, latencies: Latencies::Samples(&misses) },
        ];
        quantile_of_mixture(&parts, quantile).unwrap()
    }

    #[test]
    fn p99_stays_at_the_authority_until_99_of_100_hit() {
        assert!(chain(0.9, 0.99) >= 900.0);
        assert!(chain(0.989, 0.99) >= 900.0);
        assert!(chain(0.991, 0.99) <= 3.0);
        assert_eq!(chain(0.991, 0.999), 1_100.0);
        assert_eq!(chain(1.0, 1.0), 3.0);
        assert_eq!(chain(0.0, 0.0), 900.0);
    }

    #[test]
    fn a_histogram_and_its_samples_agree() {
        let samples: Vec<f64> = (1..=1000).map(f64::from).collect();
        let mut histogram = Histogram::<u64>::new(3).unwrap();
        samples.iter().for_each(|sample| histogram.record(*sample as u64).unwrap());
        for quantile in [0.01, 0.5, 0.9, 0.99, 1.0] {
            let of = |latencies| quantile_of_mixture(&[Part { share: 1.0, latencies }], quantile).unwrap();
            assert_eq!(of(Latencies::Samples(&samples)), 1000.0 * quantile);
            assert_eq!(of(Latencies::Counted(&histogram)), histogram.value_at_quantile(quantile) as f64);
        }
    }

    #[test]
    fn nothing_measured_has_no_quantile() {
        assert_eq!(quantile_of_mixture(&[], 0.5), None);
        let empty = Histogram::<u64>::new(3).unwrap();
        let part = Part { share: 1.0, latencies: Latencies::Counted(&empty) };
        assert_eq!(quantile_of_mixture(&[part], 0.5), None);
        // Half of the requests are not all of them.
        let known = Part { share: 0.5, latencies: Latencies::Samples(&[1.0]) };
        for unknown in [Latencies::Counted(&empty), Latencies::Samples(&[])] {
            assert_eq!(quantile_of_mixture(&[known, Part { share: 0.5, latencies: unknown }], 0.5), None);
            assert_eq!(quantile_of_mixture(&[known, Part { share: 0.0, latencies: unknown }], 0.5), Some(1.0));
        }
    }

    proptest! {
        #[test]
        fn more_hits_never_raise_a_quantile(low in 0.0..1.0f64, high in 0.0..1.0f64, quantile in 0.0..1.0f64) {
            prop_assert!(chain(low.max(high), quantile) <= chain(low.min(high), quantile));
        }
    }
}
