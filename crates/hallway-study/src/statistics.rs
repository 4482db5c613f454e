//! What a pair of curves says, with intervals: section 5.5 of the crossover design.
//!
//! Both sides of a pair are measured next to each other in every round, so each round gives one *difference* per point,
//! `d = ln a - ln b`, from which drift that both share has gone. The median over rounds is the curve; resampling whole
//! rounds gives its intervals; a sign change of the curve is a crossing. A [`Judge`] turns [`Curves`] into a
//! [`Judgement`] with exactly one verdict.
//!
//! Intervals are per question, not simultaneous: of twenty, one is expected to miss. Medians over rounds, never means,
//! and never fewer than [`LEAST_ROUNDS`] rounds: [`noise`] shows by simulation how often the intervals hold.

mod axis_words;
mod crossing;
mod curves;
mod finding;
mod fit;
mod judge;
mod judgement;
pub mod noise;
mod resample;
mod sentence;
mod student;

pub use self::curves::{Curves, noise_floor};
pub use self::finding::Pair;
pub use self::fit::{Line, cross_check, theil_sen};
pub use self::judge::{Judge, Middle};
pub use self::judgement::{Beyond, Crossing, Judgement, Side};
pub use self::resample::{Estimate, LEAST_ROUNDS, RESAMPLES, median_interval, ratio_interval, statistic_interval};
pub use self::student::student_t;

/// The middle of the values: of an even number the mean of both middles. They come back sorted; none gives NaN.
fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    let half = values.len() / 2;
    match values.len() {
        0 => f64::NAN,
        n if n % 2 == 1 => values[half],
        _ => f64::midpoint(values[half - 1], values[half]),
    }
}
