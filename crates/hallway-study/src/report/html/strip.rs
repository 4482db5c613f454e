//! One crossover as a strip: who wins where along the axis, with the interval and the tie band.

use std::fmt::Write as _;

use crate::markup::escape;
use crate::report::{Crossover, Verdict, told};

const WIDTH: f64 = 220.0;
const HEIGHT: f64 = 22.0;

/// The strip, and what it says to somebody who does not see it. Blue is one side, orange the other; who is which is
/// written at its ends.
pub(super) fn strip(crossover: &Crossover) -> String {
    let place = |x: f64| -> f64 {
        let [low, high] = crossover.range;
        let share = if low > 0.0 && high / low > 20.0 {
            (x.max(low) / low).ln() / (high / low).ln()
        } else {
            (x - low) / (high - low)
        };
        // A range of one point, or bounds that are not known.
        if share.is_nan() { 0.0 } else { share.clamp(0.0, 1.0) * WIDTH }
    };
    let mut shapes = String::new();
    let mut rect = |class: &str, from: f64, to: f64, inset: f64| {
        let (width, height) = ((to - from).max(0.0), HEIGHT - 2.0 * inset);
        let _never_fails = write!(
            shapes,
            "<rect class=\"{class}\" x=\"{from:.1}\" y=\"{inset}\" width=\"{width:.1}\" height=\"{height}\"/>"
        );
    };
    let side = |name: &str| if name == crossover.a { "side-a" } else { "side-b" };
    let mut from = 0.0;
    for (at, point) in crossover.points.iter().enumerate() {
        rect(side(&point.left), from, place(point.x), 4.0);
        from = place(point.x);
        if at + 1 == crossover.points.len() {
            rect(side(&point.right), from, WIDTH, 4.0);
        }
    }
    if crossover.points.is_empty() {
        let class = match (crossover.verdict, &crossover.winner) {
            (Verdict::NoCrossover, Some(winner)) => side(winner),
            (Verdict::Equal, _) => "even",
            _ => "open",
        };
        rect(class, 0.0, WIDTH, 4.0);
    }
    for point in &crossover.points {
        rect("band", place(point.tie_band[0]), place(point.tie_band[1]), 4.0);
        let [low, high] = point.ci95.map(place);
        rect("interval", low, high.max(low + 2.0), 9.0);
        rect("needle", place(point.x) - 1.0, place(point.x) + 1.0, 0.0);
    }
    let range = told::range(crossover);
    let title = escape(&format!("{} from {range}: {}", told::winner(crossover), told::place(crossover)));
    let (low, high) = range.split_once(" to ").unwrap_or_default();
    format!(
        "<div class=\"strip\"><svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" preserveAspectRatio=\"none\">\
         <title>{title}</title>{shapes}</svg><p class=\"ends\"><span>{}</span><span>{}</span><span>{}</span></p></div>",
        escape(low),
        escape(&told::axis(&crossover.axis)),
        escape(high)
    )
}
