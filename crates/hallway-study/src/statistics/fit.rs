//! Straight lines through costs, and where two of them cross.

use super::{Curves, median, student_t};
use crate::Result;
use crate::report::CrossCheck;

/// A cost as a straight line.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Line {
    /// At zero.
    pub at_zero: f64,
    /// For each unit of the axis.
    pub slope: f64,
}

/// The line that a few disturbed points do not move: the median slope of all pairs, then the median of what is left (Theil, Sen).
///
/// # Errors
/// Fewer than two different places.
pub fn theil_sen(points: &[(f64, f64)]) -> Result<Line> {
    let mut slopes = Vec::new();
    for (i, one) in points.iter().enumerate() {
        let others = points[i + 1..].iter().filter(|other| other.0 != one.0);
        slopes.extend(others.map(|other| (other.1 - one.1) / (other.0 - one.0)));
    }
    if slopes.is_empty() {
        return Err("a line needs two different points of the axis: measure more".into());
    }
    let slope = median(&mut slopes);
    let at_zero = median(&mut points.iter().map(|(x, y)| y - slope * x).collect::<Vec<_>>());
    Ok(Line { at_zero, slope })
}

/// The crossing by a physical model, `t = a + b x` on both sides, with Fieller's interval.
///
/// Both lines are fitted in every round, so drift that both share hardly matters; the interval comes from how the
/// differences of the lines vary between rounds. Where it is unbounded, no crossing is supportable and both `x` and
/// the interval are absent, as they are if the lines meet below 0.
///
/// # Errors
/// None for valid curves: they have two different points.
pub fn cross_check(curves: &Curves) -> Result<CrossCheck> {
    let line = |costs: &[f64]| theil_sen(&curves.xs().iter().copied().zip(costs.iter().copied()).collect::<Vec<_>>());
    let mut rounds = Vec::new();
    for (a, b) in curves.a().iter().zip(curves.b()) {
        let (a, b) = (line(a)?, line(b)?);
        rounds.push([a.at_zero - b.at_zero, a.slope - b.slope]);
    }
    let found = fieller(&rounds);
    let (x, ci95) = (found.map(|found| found.0), found.map(|found| found.1));
    Ok(CrossCheck { method: "fieller".to_owned(), x, ci95 })
}

/// Where `offset + slope x` is zero, from one `[offset, slope]` per round (Fieller 1954).
///
/// `x` belongs to the interval while `(offset + slope x)^2 <= t^2 Var(offset + slope x)`: between the roots of a
/// quadratic, if it opens upwards.
fn fieller(rounds: &[[f64; 2]]) -> Option<(f64, [f64; 2])> {
    let n = rounds.len() as f64;
    let mean = [0, 1].map(|i| rounds.iter().map(|round| round[i]).sum::<f64>() / n);
    let covariance = |i: usize, j: usize| {
        rounds.iter().map(|round| (round[i] - mean[i]) * (round[j] - mean[j])).sum::<f64>() / (n - 1.0) / n
    };
    let t2 = student_t(0.975, rounds.len() - 1).powi(2);
    let square = mean[1] * mean[1] - t2 * covariance(1, 1);
    if square <= 0.0 {
        return None;
    }
    let half = mean[0] * mean[1] - t2 * covariance(0, 1);
    let constant = mean[0] * mean[0] - t2 * covariance(0, 0);
    let root = (half * half - square * constant).max(0.0).sqrt();
    let (x, high) = (-mean[0] / mean[1], (-half + root) / square);
    (x >= 0.0).then(|| (x, [((-half - root) / square).max(0.0), high]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::statistics::noise::{Noise, Truth};

    #[test]
    fn a_disturbed_point_does_not_move_the_line() {
        let mut points: Vec<(f64, f64)> = (0..9).map(|x| (f64::from(x), 3.0 + 2.0 * f64::from(x))).collect();
        points[4].1 = 500.0;
        assert_eq!(theil_sen(&points).unwrap(), Line { at_zero: 3.0, slope: 2.0 });
    }

    #[test]
    fn one_place_is_no_line() {
        assert!(theil_sen(&[(1.0, 2.0), (1.0, 3.0)]).unwrap_err().to_string().contains("two different points"));
    }

    #[test]
    fn exact_lines_cross_where_algebra_says() {
        let truth = Truth::of_the_design();
        let silent = Noise { round: 0.0, outliers: 0.0, outlier: 0.0, drift: 0.15 };
        let check = cross_check(&silent.measure(&truth, 5, 1).unwrap()).unwrap();
        assert!((check.x.unwrap() / truth.x.unwrap() - 1.0).abs() < 1e-9);
    }

    #[test]
    fn the_interval_holds_the_crossing_about_as_often_as_it_says() {
        let truth = Truth::of_the_design();
        let x = truth.x.unwrap();
        let held = (0..200).filter(|seed| {
            let check = cross_check(&Noise::default().measure(&truth, 12, *seed).unwrap()).unwrap();
            check.ci95.is_some_and(|[low, high]| low <= x && x <= high)
        });
        let held = held.count();
        assert!((176..200).contains(&held), "{held} of 200");
    }

    #[test]
    fn lines_that_are_as_good_as_parallel_support_no_crossing() {
        let rounds = [[5.0, 0.1], [6.0, -0.1], [5.5, 0.05], [5.2, -0.08], [5.1, 0.02]];
        assert_eq!(fieller(&rounds), None);
        assert_eq!(fieller(&[[5.0, 1.0]; 5]), None, "they meet below zero");
        assert_eq!(fieller(&[[-5.0, 1.0]; 5]), Some((5.0, [5.0, 5.0])));
    }
}
