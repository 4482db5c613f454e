//! Two curves, measured in rounds at the same points.

use super::median;
use super::resample::enough_rounds;
use crate::Result;
use crate::chart::Scale;

/// What two sides cost at the points of one axis, in each round.
///
/// Less is better: nanoseconds, or whatever else a point costs.
#[derive(Debug, Clone, PartialEq)]
pub struct Curves {
    scale: Scale,
    xs: Vec<f64>,
    /// `[point][round]`, `ln a - ln b`.
    differences: Vec<Vec<f64>>,
    a: Vec<Vec<f64>>,
    b: Vec<Vec<f64>>,
}

impl Curves {
    /// Curves over `xs`; `a[round][point]` and `b[round][point]` are the medians of one round.
    ///
    /// On [`Scale::Log`] a crossing is interpolated by the logarithm of `x`, on [`Scale::Linear`] by `x` itself, which
    /// may then be 0.
    ///
    /// # Errors
    /// Fewer than two points or than [`LEAST_ROUNDS`](super::LEAST_ROUNDS) rounds, points that do not increase, rounds
    /// of another length, a cost that is not positive and finite, or a point at or below 0 on a logarithmic axis.
    pub fn new(scale: Scale, xs: Vec<f64>, a: Vec<Vec<f64>>, b: Vec<Vec<f64>>) -> Result<Self> {
        if xs.len() < 2 {
            return Err(format!("a curve needs at least two points, got {}: measure more of the axis", xs.len()).into());
        }
        if !xs.iter().all(|x| x.is_finite()) || !xs.is_sorted_by(|one, next| one < next) {
            return Err(format!("the points of a curve must be finite and increase, got {xs:?}").into());
        }
        if scale == Scale::Log && xs[0] <= 0.0 {
            return Err(format!("{} has no place on a logarithmic axis: use a linear one", xs[0]).into());
        }
        enough_rounds(a.len())?;
        if a.len() != b.len() {
            return Err(format!("one side has {} rounds, the other {}: pairs need both", a.len(), b.len()).into());
        }
        for (side, rounds) in [("a", &a), ("b", &b)] {
            for (round, costs) in rounds.iter().enumerate() {
                if costs.len() != xs.len() {
                    let (have, want) = (costs.len(), xs.len());
                    return Err(format!("round {round} of side {side} has {have} points, the axis {want}").into());
                }
                if let Some(cost) = costs.iter().find(|cost| !(cost.is_finite() && **cost > 0.0)) {
                    return Err(format!("a cost must be positive and finite: {cost} in round {round} of {side}").into());
                }
            }
        }
        let difference = |point: usize| a.iter().zip(&b).map(|(a, b)| a[point].ln() - b[point].ln()).collect();
        let differences = (0..xs.len()).map(difference).collect();
        Ok(Self { scale, xs, differences, a, b })
    }

    /// How the axis is spaced.
    pub fn scale(&self) -> Scale {
        self.scale
    }

    /// The points, increasing.
    pub fn xs(&self) -> &[f64] {
        &self.xs
    }

    /// The costs of one side: `[round][point]`.
    pub fn a(&self) -> &[Vec<f64>] {
        &self.a
    }

    /// The costs of the other side: `[round][point]`.
    pub fn b(&self) -> &[Vec<f64>] {
        &self.b
    }

    /// How many rounds there are.
    pub fn rounds(&self) -> usize {
        self.a.len()
    }

    /// `ln a - ln b` of each round at one point.
    pub(super) fn differences(&self, point: usize) -> &[f64] {
        &self.differences[point]
    }

    /// `x` as it is spaced on the axis.
    pub(super) fn spaced(&self, x: f64) -> f64 {
        match self.scale {
            Scale::Linear => x,
            Scale::Log => x.ln(),
        }
    }

    /// What [`Curves::spaced`] made of `x`, back within the range.
    pub(super) fn unspaced(&self, u: f64) -> f64 {
        let x = match self.scale {
            Scale::Linear => u,
            Scale::Log => u.exp(),
        };
        x.clamp(self.xs[0], self.xs[self.xs.len() - 1])
    }
}

/// The largest difference that one backend shows against itself: `max |median over rounds of ln a - ln b|` over the points.
///
/// Both sides must be the same backend under two names. [`Judge::new`](super::Judge::new) wants it.
pub fn noise_floor(aa: &Curves) -> f64 {
    (0..aa.xs.len()).map(|point| median(&mut aa.differences[point].clone()).abs()).fold(0.0, f64::max)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rounds(n: usize, costs: &[f64]) -> Vec<Vec<f64>> {
        vec![costs.to_vec(); n]
    }

    fn error(scale: Scale, xs: &[f64], a: Vec<Vec<f64>>, b: Vec<Vec<f64>>) -> String {
        Curves::new(scale, xs.to_vec(), a, b).unwrap_err().to_string()
    }

    #[test]
    fn three_rounds_are_refused_and_the_reason_given() {
        let three = rounds(3, &[1.0, 2.0]);
        let error = error(Scale::Log, &[1.0, 2.0], three.clone(), three);
        assert!(error.contains("at least 5 rounds, got 3") && error.contains("0.74"), "{error}");
    }

    #[test]
    fn what_is_no_curve_is_refused() {
        let five = rounds(5, &[1.0, 2.0]);
        assert!(error(Scale::Log, &[1.0], rounds(5, &[1.0]), rounds(5, &[1.0])).contains("two points"));
        assert!(error(Scale::Log, &[2.0, 2.0], five.clone(), five.clone()).contains("increase"));
        assert!(error(Scale::Log, &[1.0, f64::NAN], five.clone(), five.clone()).contains("finite"));
        assert!(error(Scale::Log, &[0.0, 2.0], five.clone(), five.clone()).contains("linear"));
        assert!(error(Scale::Log, &[1.0, 2.0], five.clone(), rounds(6, &[1.0, 2.0])).contains("5 rounds, the other 6"));
        assert!(error(Scale::Log, &[1.0, 2.0], five.clone(), rounds(5, &[1.0])).contains("1 points, the axis 2"));
        for cost in [0.0, -1.0, f64::INFINITY, f64::NAN] {
            assert!(error(Scale::Log, &[1.0, 2.0], five.clone(), rounds(5, &[1.0, cost])).contains("positive"));
        }
        assert!(Curves::new(Scale::Linear, vec![0.0, 2.0], five.clone(), five).is_ok());
    }

    #[test]
    fn the_noise_floor_is_the_largest_median() {
        let mut a = rounds(5, &[100.0, 100.0, 100.0]);
        a[2] = vec![100.0, 100.0, 900.0];
        for (round, factor) in a.iter_mut().zip([1.0, 1.01, 1.02, 1.03, 1.04]) {
            round[1] /= factor;
        }
        let curves = Curves::new(Scale::Log, vec![1.0, 2.0, 4.0], a, rounds(5, &[100.0; 3])).unwrap();
        assert!((noise_floor(&curves) - 1.02_f64.ln()).abs() < 1e-12);
    }
}
