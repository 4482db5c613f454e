//! The capacity curve as a chart.

use super::curve::{CapacityCurve, CapacityPoint};
use crate::chart::{Axis, Chart, Lines, Mark, Scale, Series, Spot, Style, Unit};

/// Hit ratio over entries, with a mark where LRU has 90 % of all that caching can gain.
#[must_use]
pub fn capacity_chart(title: &str, curve: &CapacityCurve) -> Chart {
    points_chart(title, &curve.points, curve.gain(0.9).entries)
}

/// The same of points alone, with the place of the mark; 0 for none.
pub(crate) fn points_chart(title: &str, points: &[CapacityPoint], enough: u64) -> Chart {
    let series = |label: &str, style, ratio: fn(&CapacityPoint) -> Option<f64>| {
        let spot = |point: &CapacityPoint| {
            Some(Spot { x: point.entries as f64, y: ratio(point)?, interval: None, label: None })
        };
        Series { label: label.to_owned(), points: points.iter().filter_map(spot).collect(), style }
    };
    let all = [
        series("clairvoyant", Style::Computed, |point| point.clairvoyant),
        series("moka", Style::Measured, |point| point.moka),
        series("LRU", Style::Computed, |point| Some(point.lru)),
    ];
    let mark = Mark {
        x: enough as f64,
        interval: None,
        tie_band: None,
        label: "90 % of the gain".to_owned(),
        left: None,
        right: None,
    };
    Chart::Lines(Lines {
        title: title.to_owned(),
        x: Axis { label: "entries".to_owned(), unit: Unit::Count, scale: Scale::Log },
        y: Axis { label: "hit ratio".to_owned(), unit: Unit::Share, scale: Scale::Linear },
        series: all.into_iter().filter(|series| !series.points.is_empty()).collect(),
        // Where nothing can be gained there is no such place.
        marks: if enough > 0 { vec![mark] } else { Vec::new() },
    })
}
