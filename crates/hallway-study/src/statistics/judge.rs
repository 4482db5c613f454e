//! The judge of two curves: differences, resampled rounds, exactly one verdict.

use super::crossing::{Change, changes, tie_around, ties};
use super::resample::{Resamples, interval, widening};
use super::{Beyond, Crossing, Curves, Estimate, Judgement, RESAMPLES, Side, median};
use crate::chart::Scale;
use crate::report::Verdict;

#[cfg(test)]
mod verdicts;

/// The share of the resamples that have to agree.
const AGREED: f64 = 0.95;

/// How the rounds of a point become one value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Middle {
    /// Their mean. For comparison only: one disturbed round moves it, and its intervals hold less often.
    Mean,
    /// Their median.
    Median,
}

/// Judges curves by section 5.5 of the design.
///
/// The verdict is the first of these that holds:
/// - `equal`: the difference stays within the tie everywhere;
/// - `crossover`: at least 95 % of the resamples change sign exactly once, the same way as the curve itself, and the curve
///   leaves the tie on both sides: who is ahead by less than the tie before he loses has never won;
/// - `multiple`: the same for a larger number of changes;
/// - `no_crossover`: fewer than 5 % of the resamples change sign at all;
/// - the same three once more with changes inside the tie band left out, which are no changes of the winner: curves that
///   part on one side and are equal on the other are not too noisy to say so;
/// - `inconclusive`.
///
/// One disturbed round of five is the median of 6 % of the resamples. So where noise reaches the difference, five rounds
/// often end `inconclusive`, and eight or twelve rarely do; [`Judgement::overall`] still says who wins on the whole.
#[derive(Debug, Clone)]
pub struct Judge {
    tie: f64,
    seed: u64,
    resamples: usize,
    middle: Middle,
    widens: bool,
}

impl Judge {
    /// A judge for measurements of which [`noise_floor`](super::noise_floor) gave `noise_floor_ln`.
    ///
    /// It calls equal what differs by less than 5 %, or by less than twice the noise floor if that is more.
    pub fn new(noise_floor_ln: f64, seed: u64) -> Self {
        let tie = 1.05_f64.ln().max(2.0 * noise_floor_ln);
        Self { tie, seed, resamples: RESAMPLES, middle: Middle::Median, widens: true }
    }

    /// How often rounds are drawn again. Default: [`RESAMPLES`].
    #[must_use]
    pub fn with_resamples(mut self, resamples: usize) -> Self {
        self.resamples = resamples.max(1);
        self
    }

    /// How the rounds of a point become one value. Default: [`Middle::Median`], which a disturbed round does not move.
    #[must_use]
    pub fn with_middle(mut self, middle: Middle) -> Self {
        self.middle = middle;
        self
    }

    /// Whether intervals are widened for how few rounds there are. Default: yes, plain percentiles are too narrow.
    #[must_use]
    pub fn with_widening(mut self, widens: bool) -> Self {
        self.widens = widens;
        self
    }

    /// Differences up to this are called equal: a logarithm of a ratio.
    pub fn tie(&self) -> f64 {
        self.tie
    }

    /// What the curves say.
    pub fn judge(&self, curves: &Curves) -> Judgement {
        let us: Vec<f64> = curves.xs().iter().map(|x| curves.spaced(*x)).collect();
        let points = us.len();
        let center: Vec<f64> = (0..points).map(|p| self.middle(&mut curves.differences(p).to_vec())).collect();
        let resamples = Resamples::draw(curves.rounds(), self.resamples, self.seed);
        let drawn = self.resampled(curves, &resamples);
        let widening = if self.widens { widening(curves.rounds()) } else { 1.0 };
        let differences: Vec<Estimate> = (0..points)
            .map(|point| {
                let mut values: Vec<f64> = drawn.iter().map(|curve| curve[point]).collect();
                let [low, high] = interval(center[point], &mut values, widening);
                Estimate { median: center[point], low, high }
            })
            .collect();
        let ties = ties(&us, &center, self.tie);
        let is_equal = center.iter().all(|d| d.abs() <= self.tie);
        let every_change = Pattern::of(&us, &center, &drawn, 0.0);
        let p_cross = every_change.share_with_one();
        let beyond_tie = Pattern::of(&us, &center, &drawn, self.tie);
        let is_won = every_change.center.len() == beyond_tie.center.len();
        let agreed = every_change.agreed().filter(|_| is_won).or_else(|| beyond_tie.agreed());
        let (verdict, crossings) = match agreed {
            _ if is_equal => (Verdict::Equal, Vec::new()),
            Some((verdict, pattern)) => (verdict, pattern.crossings(curves, &ties, widening)),
            None => (Verdict::Inconclusive, Vec::new()),
        };
        let winner = (verdict == Verdict::NoCrossover).then(|| winner(&center));
        Judgement {
            verdict,
            scale: curves.scale(),
            range: [curves.xs()[0], curves.xs()[points - 1]],
            tie: self.tie,
            overall: self.overall(curves, &resamples, widening),
            p_cross,
            factor: winner.map(|winner| factor(&differences, winner, self.tie)),
            winner,
            ties: ties.iter().map(|band| band.map(|u| curves.unspaced(u))).collect(),
            beyond: if verdict == Verdict::Inconclusive { beyond(curves.xs(), &center, &drawn) } else { None },
            wants: crossings.iter().filter_map(|crossing| wanted(curves, crossing)).collect(),
            differences,
            crossings,
        }
    }

    /// The curve of each resample.
    fn resampled(&self, curves: &Curves, resamples: &Resamples) -> Vec<Vec<f64>> {
        let rounds = curves.rounds();
        // Sorted once: the median of a resample is then found by counting, not by sorting again.
        let sorted: Vec<Vec<(f64, usize)>> = (0..curves.xs().len())
            .map(|point| {
                let mut of_point: Vec<_> = curves.differences(point).iter().copied().zip(0..).collect();
                of_point.sort_by(|one, other| one.0.total_cmp(&other.0));
                of_point
            })
            .collect();
        let resample = |drawn: &[usize]| {
            let mut counts = vec![0_usize; rounds];
            drawn.iter().for_each(|round| counts[*round] += 1);
            sorted.iter().map(|of_point| self.middle_of_counted(of_point, &counts)).collect()
        };
        resamples.iter().map(resample).collect()
    }

    /// The middle over rounds of what each round shows in the middle of its points.
    fn overall(&self, curves: &Curves, resamples: &Resamples, widening: f64) -> Estimate {
        let of_round = |round: usize| {
            let points = 0..curves.xs().len();
            self.middle(&mut points.map(|point| curves.differences(point)[round]).collect::<Vec<_>>())
        };
        let rounds: Vec<f64> = (0..curves.rounds()).map(of_round).collect();
        let drawn = |drawn: &[usize]| self.middle(&mut drawn.iter().map(|round| rounds[*round]).collect::<Vec<_>>());
        let center = self.middle(&mut rounds.clone());
        let [low, high] = interval(center, &mut resamples.iter().map(drawn).collect::<Vec<_>>(), widening);
        Estimate { median: center, low, high }
    }

    fn middle(&self, values: &mut [f64]) -> f64 {
        match self.middle {
            Middle::Mean => values.iter().sum::<f64>() / values.len() as f64,
            Middle::Median => median(values),
        }
    }

    fn middle_of_counted(&self, sorted: &[(f64, usize)], counts: &[usize]) -> f64 {
        let total = counts.len();
        if self.middle == Middle::Mean {
            return sorted.iter().map(|(d, round)| d * counts[*round] as f64).sum::<f64>() / total as f64;
        }
        let (mut seen, mut lower) = (0, None);
        for (d, round) in sorted {
            seen += counts[*round];
            if lower.is_none() && 2 * seen >= total {
                lower = Some(*d);
            }
            if 2 * seen > total {
                return f64::midpoint(lower.unwrap_or(*d), *d);
            }
        }
        f64::NAN
    }
}

/// The changes of sign of the curve and of its resamples, counted by one rule.
struct Pattern {
    center: Vec<Change>,
    drawn: Vec<Vec<Change>>,
}

impl Pattern {
    fn of(us: &[f64], center: &[f64], drawn: &[Vec<f64>], beyond: f64) -> Self {
        let drawn = drawn.iter().map(|curve| changes(us, curve, beyond)).collect();
        Self { center: changes(us, center, beyond), drawn }
    }

    /// Whether a resample changes as often as the curve, and the same way.
    fn agrees(&self, drawn: &[Change]) -> bool {
        drawn.len() == self.center.len() && drawn.first().map(|c| c.falls) == self.center.first().map(|c| c.falls)
    }

    fn share(&self, holds: impl Fn(&[Change]) -> bool) -> f64 {
        self.drawn.iter().filter(|drawn| holds(drawn)).count() as f64 / self.drawn.len() as f64
    }

    fn share_with_one(&self) -> f64 {
        self.share(|drawn| drawn.len() == 1)
    }

    /// The verdict, if the resamples agree on one.
    fn agreed(self) -> Option<(Verdict, Self)> {
        let (verdict, is_agreed) = match self.center.len() {
            0 => (Verdict::NoCrossover, self.share(|drawn| !drawn.is_empty()) < 1.0 - AGREED),
            1 => (Verdict::Crossover, self.share(|drawn| self.agrees(drawn)) >= AGREED),
            _ => (Verdict::Multiple, self.share(|drawn| self.agrees(drawn)) >= AGREED),
        };
        is_agreed.then_some((verdict, self))
    }

    fn crossings(&self, curves: &Curves, ties: &[[f64; 2]], widening: f64) -> Vec<Crossing> {
        let crossing = |(number, change): (usize, &Change)| {
            let agreeing = self.drawn.iter().filter(|drawn| self.agrees(drawn));
            let mut places: Vec<f64> = agreeing.map(|drawn| drawn[number].at).collect();
            let ci = interval(change.at, &mut places, widening).map(|u| curves.unspaced(u));
            let [left, right] = if change.falls { [Side::B, Side::A] } else { [Side::A, Side::B] };
            let tie_band = tie_around(ties, change.at).map(|u| curves.unspaced(u));
            Crossing { x: curves.unspaced(change.at), ci, tie_band, left, right }
        };
        self.center.iter().enumerate().map(crossing).collect()
    }
}

/// Who wins where the difference is largest.
fn winner(center: &[f64]) -> Side {
    let largest = center.iter().copied().max_by(|one, other| one.abs().total_cmp(&other.abs()));
    if largest.is_some_and(|d| d > 0.0) { Side::B } else { Side::A }
}

fn factor(differences: &[Estimate], winner: Side, tie: f64) -> [f64; 2] {
    let beyond_tie = differences.iter().filter(|d| d.median.abs() > tie);
    let ends = beyond_tie.map(|d| if winner == Side::B { [d.low, d.high] } else { [-d.high, -d.low] });
    let [least, most] =
        ends.fold([f64::INFINITY, f64::NEG_INFINITY], |so_far, d| [so_far[0].min(d[0]), so_far[1].max(d[1])]);
    [least.exp(), most.exp()]
}

/// How far from an end the resamples agree on one winner; the longer stretch, if both ends have one.
fn beyond(xs: &[f64], center: &[f64], drawn: &[Vec<f64>]) -> Option<Beyond> {
    let last = xs.len() - 1;
    let agreed_until = |order: &dyn Fn(usize) -> usize| {
        let wins = center[order(0)] > 0.0;
        let stretch = |curve: &Vec<f64>| (0..=last).take_while(|i| (curve[order(*i)] > 0.0) == wins).count();
        let stretches: Vec<usize> = drawn.iter().map(stretch).collect();
        let reach = |i: usize| stretches.iter().filter(|stretch| **stretch > i).count() as f64;
        (1..=last).rev().find(|i| reach(*i) >= AGREED * drawn.len() as f64)
    };
    match (agreed_until(&|i| i), agreed_until(&|i| last - i)) {
        (Some(above), below) if below.is_none_or(|below| below <= above) => Some(Beyond::Above(xs[above])),
        (_, Some(below)) => Some(Beyond::Below(xs[last - below])),
        _ => None,
    }
}

/// The middle of the points around a crossing, while they are far apart and it is sure to lie between them.
fn wanted(curves: &Curves, crossing: &Crossing) -> Option<f64> {
    let xs = curves.xs();
    let above = xs.iter().position(|x| *x > crossing.x)?;
    let [low, high] = [*xs.get(above.checked_sub(1)?)?, xs[above]];
    let is_far = match curves.scale() {
        Scale::Log => high / low > 2.0,
        Scale::Linear => high - low > (xs[xs.len() - 1] - xs[0]) / 8.0,
    };
    let is_inside = low < crossing.ci[0] && crossing.ci[1] < high;
    (is_far && is_inside).then(|| curves.unspaced(f64::midpoint(curves.spaced(low), curves.spaced(high))))
}
