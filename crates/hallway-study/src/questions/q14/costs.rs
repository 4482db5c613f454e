//! What single operations on sessions cost, and requests made of them.

use super::{BACKENDS, LOAD, SAVE, SLIDE};
use crate::chart::{Axis, Chart, Lines, Scale, Series, Spot, Style, Unit};
use crate::lab::Backend;
use crate::report::{Figure, Table};
use crate::study::{BYTES, Found, common_rounds, drawn_median};

/// The rounds of a load and of a save.
pub(super) fn rounds(found: &Found<'_>, backend: Backend) -> [Vec<f64>; 2] {
    [LOAD, SAVE].map(|group| found.primitive_means(group, backend))
}

/// The middle of all rounds.
pub(super) fn middle(rounds: &[f64]) -> f64 {
    drawn_median(rounds, &(0..rounds.len()).collect::<Vec<_>>())
}

/// Single operations, and what a touch adds to a load.
pub(super) fn table(found: &Found<'_>) -> Option<Table> {
    let mut rows = Vec::new();
    for backend in BACKENDS {
        let [load, slide, save] = [LOAD, SLIDE, SAVE].map(|group| found.cost(group, backend.name(), BYTES as f64));
        let (Some(load), Some(slide), Some(save)) = (load, slide, save) else { continue };
        let nanos = |nanos| Unit::Nanos.text(nanos);
        let touch = (slide.median - load.median).max(0.0);
        rows.push(vec![
            backend.name().to_owned(),
            nanos(load.median),
            nanos(slide.median),
            nanos(touch),
            nanos(save.median),
        ]);
    }
    let columns = ["sessions in", "load", "load that touches", "so a touch", "save"].map(str::to_owned).into();
    (!rows.is_empty()).then_some(Table { caption: "One operation of one task".to_owned(), columns, rows })
}

/// The mean of a request over the share that saves.
pub(super) fn figure(found: &Found<'_>) -> Option<Figure> {
    let mut series = Vec::new();
    for backend in BACKENDS {
        let [load, save] = rounds(found, backend);
        let count = common_rounds(&[&load, &save]);
        let places = [0.0, 0.05, 0.1, 0.25, 0.5, 0.75, 1.0];
        let spot = |share: f64| {
            let mean =
                found.statistic(count, |drawn| drawn_median(&load, drawn) + share * drawn_median(&save, drawn))?;
            Some(Spot { x: share, y: mean.median, interval: Some(mean.interval()), label: None })
        };
        let points: Vec<Spot> = places.into_iter().filter_map(spot).collect();
        if !points.is_empty() {
            series.push(Series { label: backend.name().to_owned(), points, style: Style::Measured });
        }
    }
    (!series.is_empty()).then(|| Figure {
        name: "q14-request".to_owned(),
        caption: "The mean of a request that loads its session and sometimes saves it: composed from measured loads and saves. YCSB A saves in half of the requests.".to_owned(),
        chart: Chart::Lines(Lines {
            title: "A request by how often it saves".to_owned(),
            x: Axis { label: "requests that save".to_owned(), unit: Unit::Share, scale: Scale::Linear },
            y: Axis { label: "mean of a request".to_owned(), unit: Unit::Nanos, scale: Scale::Log },
            series,
            marks: Vec::new(),
        }),
    })
}
