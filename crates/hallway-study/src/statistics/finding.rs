//! A judgement as a row of the report.

use super::{Beyond, Crossing, Judgement, Side, sentence};
use crate::chart::{Scale, Unit};
use crate::report::{CrossCheck, CrossingPoint, Crossover};

/// What two curves are called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pair {
    /// Unique in a report and stable between reports: `Q2/get/sqlite/redis-tcp`.
    pub id: String,
    /// The question: `Q2`.
    pub question: String,
    /// What is compared, such as `median_ns`.
    pub metric: String,
    /// Side A.
    pub a: String,
    /// Side B.
    pub b: String,
    /// The axis with its unit: `value_bytes`.
    pub axis: String,
    /// The picture that shows both.
    pub plot: Option<String>,
}

impl Judgement {
    /// The row of the report, with its sentence.
    pub fn finding(&self, pair: &Pair, cross_check: Option<CrossCheck>) -> Crossover {
        let name = |side| if side == Side::A { pair.a.clone() } else { pair.b.clone() };
        let point = |crossing: &Crossing| CrossingPoint {
            x: crossing.x,
            ci95: crossing.ci,
            tie_band: crossing.tie_band,
            left: name(crossing.left),
            right: name(crossing.right),
        };
        let unit = Unit::of_name(&pair.axis);
        let method = match self.scale {
            Scale::Linear => "paired-semilog-bootstrap",
            Scale::Log => "paired-loglog-bootstrap",
        };
        Crossover {
            id: pair.id.clone(),
            question: pair.question.clone(),
            metric: pair.metric.clone(),
            a: pair.a.clone(),
            b: pair.b.clone(),
            axis: pair.axis.clone(),
            range: self.range,
            verdict: self.verdict,
            points: self.crossings.iter().map(point).collect(),
            p_cross: Some(self.p_cross),
            factor: self.factor,
            winner: self.winner.map(name),
            beyond: self.beyond.map(|beyond| match beyond {
                Beyond::Above(x) => format!("> {}", unit.text(x)),
                Beyond::Below(x) => format!("< {}", unit.text(x)),
            }),
            side: self.beyond.map(|beyond| match beyond {
                Beyond::Above(x) => [x, self.range[1]],
                Beyond::Below(x) => [self.range[0], x],
            }),
            method: method.to_owned(),
            rule: sentence::sentence(self, [&pair.a, &pair.b], &pair.axis, cross_check.as_ref()),
            cross_check,
            plot: pair.plot.clone(),
        }
    }
}
