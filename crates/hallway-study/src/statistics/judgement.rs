//! What a judge says about a pair of curves.

use super::Estimate;
use crate::chart::Scale;
use crate::report::Verdict;

/// One of two sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The first.
    A,
    /// The second.
    B,
}

/// What is known about a crossing that is not found: it lies beyond this point of the axis, if there is one.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Beyond {
    /// It lies above: at least 95 % of the resamples have one winner from the lower end up to here.
    Above(f64),
    /// It lies below: at least 95 % of the resamples have one winner from here up to the upper end.
    Below(f64),
}

/// Where the winner changes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Crossing {
    /// On the axis.
    pub x: f64,
    /// Its 95 % interval, never beyond the measured range.
    pub ci: [f64; 2],
    /// Around it, where the difference is below the tie.
    pub tie_band: [f64; 2],
    /// Who wins below.
    pub left: Side,
    /// Who wins above.
    pub right: Side,
}

/// The verdict about a pair of curves, and what it rests on. [`Judge`](super::Judge) gives it.
#[derive(Debug, Clone, PartialEq)]
pub struct Judgement {
    /// What was found.
    pub verdict: Verdict,
    /// How the axis is spaced.
    pub scale: Scale,
    /// Where it was measured.
    pub range: [f64; 2],
    /// Differences up to this are called equal: a logarithm of a ratio.
    pub tie: f64,
    /// `ln a - ln b` at each point: below 0 side A wins.
    pub differences: Vec<Estimate>,
    /// `ln a - ln b` in the middle of all points. Says who wins on the whole where single points are too noisy.
    pub overall: Estimate,
    /// One for `crossover`, several for `multiple`, else none.
    pub crossings: Vec<Crossing>,
    /// Share of the resamples with exactly one change of sign.
    pub p_cross: f64,
    /// For `no_crossover`: the least and the most that the winner is better by where it is not a tie, as ratios.
    pub factor: Option<[f64; 2]>,
    /// For `no_crossover`.
    pub winner: Option<Side>,
    /// Where the difference is below the tie.
    pub ties: Vec<[f64; 2]>,
    /// For `inconclusive`: where the crossing is not.
    pub beyond: Option<Beyond>,
    /// Where to measure next to narrow the crossings; none if that would not help.
    pub wants: Vec<f64>,
}
