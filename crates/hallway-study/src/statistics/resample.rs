//! Intervals from resampled rounds, widened for how few rounds there are.

use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};

use super::{median, student_t};
use crate::Result;

/// The fewest rounds from which an interval is given. With three, simulated 95 % intervals held in 0.74 of the runs.
pub const LEAST_ROUNDS: usize = 5;

/// How often rounds are drawn again, unless told otherwise.
pub const RESAMPLES: usize = 2000;

/// A value and its 95 % interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Estimate {
    /// The value from all rounds.
    pub median: f64,
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

impl Estimate {
    /// Both ends.
    pub fn interval(&self) -> [f64; 2] {
        [self.low, self.high]
    }

    fn map(self, f: impl Fn(f64) -> f64) -> Self {
        Self { median: f(self.median), low: f(self.low), high: f(self.high) }
    }
}

/// The median over rounds of a positive value, such as nanoseconds, with its interval.
///
/// # Errors
/// As [`ratio_interval`].
pub fn median_interval(values_per_round: &[f64], seed: u64) -> Result<Estimate> {
    let of_rounds =
        |rounds: &[usize]| median(&mut rounds.iter().map(|round| values_per_round[*round]).collect::<Vec<_>>());
    ratio_interval(values_per_round.len(), seed, of_rounds)
}

/// A positive statistic of rounds, such as the ratio of two costs, with its interval.
///
/// As [`statistic_interval`], but widened by factors instead of differences: an end can never reach 0.
///
/// # Errors
/// As [`statistic_interval`], and if the statistic is not positive.
pub fn ratio_interval(rounds: usize, seed: u64, statistic: impl Fn(&[usize]) -> f64) -> Result<Estimate> {
    Ok(statistic_interval(rounds, seed, |drawn| statistic(drawn).ln())?.map(f64::exp))
}

/// Any statistic of rounds with its interval: it is given round numbers, some of them several times.
///
/// Values of both sides of a quotient belong to the same rounds, so that what the rounds share cancels.
///
/// # Errors
/// Fewer than [`LEAST_ROUNDS`] rounds, a statistic that is not finite over all rounds or is NaN over some of them.
pub fn statistic_interval(rounds: usize, seed: u64, statistic: impl Fn(&[usize]) -> f64) -> Result<Estimate> {
    enough_rounds(rounds)?;
    let all: Vec<usize> = (0..rounds).collect();
    let center = statistic(&all);
    if !center.is_finite() {
        return Err(format!("the statistic over all {rounds} rounds is {center}: look at what was measured").into());
    }
    let resamples = Resamples::draw(rounds, RESAMPLES, seed);
    let mut values: Vec<f64> = resamples.iter().map(&statistic).collect();
    if values.iter().any(|value| value.is_nan()) {
        return Err("the statistic is undefined in some resamples: measure more rounds".into());
    }
    let [low, high] = interval(center, &mut values, widening(rounds));
    Ok(Estimate { median: center, low, high })
}

pub(super) fn enough_rounds(rounds: usize) -> Result<()> {
    if rounds >= LEAST_ROUNDS {
        return Ok(());
    }
    Err(format!(
        "an interval needs at least {LEAST_ROUNDS} rounds, got {rounds}: from three, 95 % intervals hold in 0.74 of the cases; measure more rounds"
    )
    .into())
}

/// Rounds, drawn with replacement.
pub(super) struct Resamples {
    rounds: usize,
    drawn: Vec<usize>,
}

impl Resamples {
    pub(super) fn draw(rounds: usize, resamples: usize, seed: u64) -> Self {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
        Self { rounds, drawn: (0..resamples * rounds).map(|_| rng.random_range(0..rounds)).collect() }
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &[usize]> {
        self.drawn.chunks_exact(self.rounds)
    }
}

/// What percentiles of resampled rounds are too narrow by: `t(R - 1, 0.975) / 1.96 * sqrt(R / (R - 1))`.
pub(super) fn widening(rounds: usize) -> f64 {
    let r = rounds as f64;
    student_t(0.975, rounds - 1) / 1.96 * (r / (r - 1.0)).sqrt()
}

/// The 2.5 and 97.5 percentiles of the values, moved away from the center by `widening`. They come back sorted.
pub(super) fn interval(center: f64, values: &mut [f64], widening: f64) -> [f64; 2] {
    values.sort_by(f64::total_cmp);
    [0.025, 0.975].map(|p| center + widening * (percentile(values, p) - center))
}

fn percentile(sorted: &[f64], p: f64) -> f64 {
    let place = p * (sorted.len() - 1) as f64;
    let (below, above) = (sorted[place.floor() as usize], sorted[place.ceil() as usize]);
    if below == above { below } else { below + (above - below) * place.fract() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_rounds_are_widened_most() {
        assert!((widening(5) - 1.583).abs() < 0.001);
        assert!((widening(12) - 1.173).abs() < 0.001);
        assert!(widening(200) < 1.01);
    }

    #[test]
    fn rounds_that_agree_have_no_interval() {
        let estimate = median_interval(&[7.0; 5], 1).unwrap();
        assert!((estimate.median - 7.0).abs() < 1e-12 && (estimate.high - estimate.low).abs() < 1e-12);
    }

    #[test]
    fn an_interval_covers_its_median_and_repeats_with_its_seed() {
        let values = [90.0, 95.0, 100.0, 104.0, 180.0, 99.0, 101.0];
        let estimate = median_interval(&values, 3).unwrap();
        assert!((estimate.median - 100.0).abs() < 1e-9);
        assert!(estimate.low < 100.0 && 100.0 < estimate.high && estimate.low > 0.0);
        assert_eq!(median_interval(&values, 3).unwrap(), estimate);
        let mean = |rounds: &[usize]| rounds.iter().map(|round| values[*round]).sum::<f64>() / 7.0;
        assert_ne!(statistic_interval(7, 3, mean).unwrap(), statistic_interval(7, 5, mean).unwrap());
    }

    #[test]
    fn what_both_sides_share_cancels_in_a_ratio_of_the_same_rounds() {
        let drift = [1.0, 1.5, 2.0, 2.5, 3.0, 4.0];
        let of = |base: f64, rounds: &[usize]| {
            median(&mut rounds.iter().map(|round| base * drift[*round]).collect::<Vec<_>>())
        };
        let estimate = ratio_interval(6, 9, |rounds| of(30.0, rounds) / of(60.0, rounds)).unwrap();
        assert!((estimate.low - 0.5).abs() < 1e-9 && (estimate.high - 0.5).abs() < 1e-9);
    }

    #[test]
    fn what_has_no_interval_is_refused() {
        assert!(median_interval(&[1.0; 4], 1).unwrap_err().to_string().contains("at least 5 rounds, got 4"));
        assert!(statistic_interval(5, 1, |_| f64::INFINITY).is_err());
        let often_undefined = |rounds: &[usize]| if rounds[0] == rounds[1] { f64::NAN } else { 1.0 };
        assert!(statistic_interval(5, 1, often_undefined).unwrap_err().to_string().contains("undefined"));
    }

    #[test]
    fn a_slope_may_be_negative() {
        let slopes = [-3.0, -2.0, -2.5, 1.0, -2.2];
        let mean = |rounds: &[usize]| rounds.iter().map(|round| slopes[*round]).sum::<f64>() / rounds.len() as f64;
        let estimate = statistic_interval(5, 1, mean).unwrap();
        assert!(estimate.low < estimate.median && estimate.median < estimate.high);
    }
}
