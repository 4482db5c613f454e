//! A model of measurement noise, and how often the judge's intervals hold under it.
//!
//! The design's coverage table rests on these settings; with the residuals of a real machine it can be computed again.

use std::thread;

use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};

use super::{Curves, Judge};
use crate::Result;
use crate::chart::Scale;

/// How a machine disturbs what it measures.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Noise {
    /// Standard deviation of each value of a round, as a share.
    pub round: f64,
    /// Share of the values that are disturbed on top.
    pub outliers: f64,
    /// By how much those are longer, as a share.
    pub outlier: f64,
    /// How much slower everything has become by the last round, as a share. Both sides of a pair have it in common.
    pub drift: f64,
}

impl Default for Noise {
    /// The design's model: 5 % of noise, 5 % of the values 30 % longer, 15 % of drift.
    fn default() -> Self {
        Self { round: 0.05, outliers: 0.05, outlier: 0.3, drift: 0.15 }
    }
}

/// Two curves whose truth is known.
#[derive(Debug, Clone, PartialEq)]
pub struct Truth {
    /// The points.
    pub xs: Vec<f64>,
    /// What one side costs there.
    pub a: Vec<f64>,
    /// What the other side costs there.
    pub b: Vec<f64>,
    /// Where they cross, if they do; straight lines between the points need not cross at the same place.
    pub x: Option<f64>,
}

impl Truth {
    /// Two straight costs, `[at zero, per unit]`, measured at `xs`.
    pub fn lines(xs: Vec<f64>, a: [f64; 2], b: [f64; 2]) -> Self {
        let costs = |line: [f64; 2]| xs.iter().map(|x| line[0] + line[1] * x).collect();
        let x = (b[0] - a[0]) / (a[1] - b[1]);
        Self { a: costs(a), b: costs(b), x: (x.is_finite() && x > 0.0).then_some(x), xs }
    }

    /// The design's case: a crossing at 23.3 kB, measured from 64 B to 256 KiB at every power of four.
    ///
    /// In process, 5 us and 2.76 ns for each byte; over a socket, 60 us and 0.4 ns for each byte. Straight lines between
    /// logarithms place the crossing 2 % too high.
    pub fn of_the_design() -> Self {
        Self::lines((3..10).map(|power| 4_f64.powi(power)).collect(), [5_000.0, 2.76], [60_000.0, 0.4])
    }
}

impl Noise {
    /// The curves that a machine with this noise would measure.
    ///
    /// # Errors
    /// As [`Curves::new`], such as too few rounds.
    pub fn measure(&self, truth: &Truth, rounds: usize, seed: u64) -> Result<Curves> {
        let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
        let (mut a, mut b) = (Vec::new(), Vec::new());
        for round in 0..rounds {
            let drift = 1.0 + self.drift * round as f64 / (rounds.max(2) - 1) as f64;
            for (costs, side) in [(&truth.a, &mut a), (&truth.b, &mut b)] {
                side.push(costs.iter().map(|cost| cost * drift * self.factor(&mut rng)).collect());
            }
        }
        Curves::new(Scale::Log, truth.xs.clone(), a, b)
    }

    fn factor(&self, rng: &mut Xoshiro256PlusPlus) -> f64 {
        let disturbed = if rng.random::<f64>() < self.outliers { 1.0 + self.outlier } else { 1.0 };
        (self.round * gauss(rng)).exp() * disturbed
    }
}

/// A standard normal value (Box and Muller 1958).
fn gauss(rng: &mut Xoshiro256PlusPlus) -> f64 {
    let radius = (-2.0 * (1.0 - rng.random::<f64>()).ln()).sqrt();
    radius * (std::f64::consts::TAU * rng.random::<f64>()).cos()
}

/// How intervals fared in simulated studies.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Coverage {
    /// Studies.
    pub runs: usize,
    /// Those that found exactly one crossing.
    pub crossovers: usize,
    /// Share of those whose interval held the true crossing.
    pub covered: f64,
    /// Median over those of the upper end over the lower end.
    pub width: f64,
}

/// Judges `runs` simulated studies of `truth`, on all cores; `judge` is given a seed of its own for each.
///
/// # Errors
/// As [`Noise::measure`], and if the curves do not cross.
pub fn coverage(
    noise: Noise,
    truth: &Truth,
    rounds: usize,
    runs: usize,
    seed: u64,
    judge: impl Fn(u64) -> Judge + Sync,
) -> Result<Coverage> {
    let x = truth.x.ok_or("curves that do not cross have no crossing for an interval to hold")?;
    let study = |run: usize| -> Result<Option<[f64; 2]>> {
        let seed = seed.wrapping_mul(1_000_003).wrapping_add(run as u64);
        let judgement = judge(seed).judge(&noise.measure(truth, rounds, seed)?);
        Ok(match judgement.crossings.as_slice() {
            [only] => Some(only.ci),
            _ => None,
        })
    };
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let part = |first: usize| (first..runs).step_by(threads).map(study).collect::<Result<Vec<_>>>();
    let parts = thread::scope(|scope| {
        let started: Vec<_> = (0..threads).map(|first| scope.spawn(move || part(first))).collect();
        started.into_iter().map(|one| one.join().map_err(|_| "a simulated study panicked")?).collect::<Result<Vec<_>>>()
    })?;
    let found: Vec<[f64; 2]> = parts.into_iter().flatten().flatten().collect();
    let held = found.iter().filter(|ci| ci[0] <= x && x <= ci[1]).count();
    let width = super::median(&mut found.iter().map(|ci| ci[1] / ci[0]).collect::<Vec<_>>());
    Ok(Coverage { runs, crossovers: found.len(), covered: held as f64 / found.len() as f64, width })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistics::Middle;

    fn judge(seed: u64) -> Judge {
        Judge::new(0.02, seed).with_resamples(300)
    }

    fn of(truth: &Truth, rounds: usize, runs: usize, judge: impl Fn(u64) -> Judge + Sync) -> Coverage {
        let coverage = coverage(Noise::default(), truth, rounds, runs, 5, judge).unwrap();
        assert!(coverage.crossovers as f64 > 0.99 * runs as f64, "{coverage:?}");
        coverage
    }

    #[test]
    fn widened_intervals_hold_as_often_as_they_say() {
        for rounds in [5, 12] {
            let coverage = of(&Truth::of_the_design(), rounds, 1000, judge);
            assert!((0.92..=0.98).contains(&coverage.covered), "{rounds} rounds: {coverage:?}");
        }
    }

    #[test]
    fn plain_percentiles_hold_less_often() {
        let truth = Truth::of_the_design();
        let (plain, widened) = (of(&truth, 5, 500, |seed| judge(seed).with_widening(false)), of(&truth, 5, 500, judge));
        assert!(plain.covered < widened.covered - 0.02, "{plain:?} {widened:?}");
        assert!(plain.width < widened.width);
    }

    #[test]
    fn means_hold_less_often_than_medians() {
        let with = |middle| of(&Truth::of_the_design(), 12, 500, |seed| judge(seed).with_middle(middle));
        let (means, medians) = (with(Middle::Mean), with(Middle::Median));
        assert!(means.covered < medians.covered - 0.02, "{means:?} {medians:?}");
    }

    #[test]
    fn a_coarse_grid_misplaces_a_bent_crossing_until_it_is_refined() {
        let coarse: Vec<f64> = (3..10).map(|power| 4_f64.powi(power)).collect();
        let mut refined = coarse.clone();
        refined.insert(5, 2.0 * coarse[4]);
        let bent = |xs| of(&Truth::lines(xs, [5_000.0, 2.0], [40_000.0, 0.5]), 12, 500, judge).covered;
        let (coarse, refined) = (bent(coarse), bent(refined));
        assert!(coarse < refined - 0.04 && (0.92..=0.98).contains(&refined), "{coarse} {refined}");
    }

    #[test]
    fn three_rounds_are_refused() {
        let refused = coverage(Noise::default(), &Truth::of_the_design(), 3, 1, 1, judge).unwrap_err();
        assert!(refused.to_string().contains("at least 5 rounds, got 3"), "{refused}");
    }
}
