//! Zipf's law: the popularity of a key falls with its rank.

/// Ranks from 0, drawn with a probability proportional to `1 / (rank + 1) ^ exponent`.
#[derive(Debug)]
pub(crate) struct Zipf {
    // The probability of this rank or a smaller one.
    cumulative: Vec<f64>,
}

impl Zipf {
    pub(crate) fn new(ranks: usize, exponent: f64) -> Self {
        let mut sum = 0.0;
        let mut cumulative: Vec<_> = (1..=ranks)
            .map(|rank| {
                sum += (rank as f64).powf(-exponent);
                sum
            })
            .collect();
        cumulative.iter_mut().for_each(|probability| *probability /= sum);
        Self { cumulative }
    }

    /// The rank for 64 random bits.
    pub(crate) fn draw(&self, random: u64) -> usize {
        // 53 bits are what a float between 0 and 1 can hold.
        let uniform = (random >> 11) as f64 / (1_u64 << 53) as f64;
        self.cumulative.partition_point(|probability| *probability <= uniform).min(self.cumulative.len() - 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::workload::mix;

    #[test]
    fn frequencies_follow_the_ranks() {
        let zipf = Zipf::new(100, 1.0);
        let mut counts = [0_u32; 100];
        for draw in 0..1_000_000 {
            counts[zipf.draw(mix(draw))] += 1;
        }
        let harmonic: f64 = (1..=100).map(|rank| 1.0 / f64::from(rank)).sum();
        for rank in [1_u32, 2, 10, 100] {
            let expected = 1_000_000.0 / harmonic / f64::from(rank);
            let found = f64::from(counts[rank as usize - 1]);
            assert!((found / expected - 1.0).abs() < 0.1, "rank {rank}: {found} of {expected}");
        }
    }

    #[test]
    fn the_extremes_are_ranks() {
        let zipf = Zipf::new(3, 0.99);
        assert_eq!((zipf.draw(0), zipf.draw(u64::MAX)), (0, 2));
    }
}
