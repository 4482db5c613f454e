//! What open loops have found, told.

use super::BACKENDS;
use super::offered::Offered;
use crate::Result;
use crate::chart::{Axis, Chart, Lines, Scale, Series, Spot, Style, Unit};
use crate::report::{Figure, Table};
use crate::study::{Findings, Found};

/// A table of all runs, a curve and a sentence of the valid ones, and the reason where none was.
pub(super) fn open(found: &Found<'_>, findings: &mut Findings) -> Result<()> {
    let mut table = Table {
        caption: "Reads at shares of the capacity, from when they were due".to_owned(),
        columns: ["backend", "offered", "of capacity", "p50", "p99", "p99 of service", "note"]
            .map(str::to_owned)
            .into(),
        rows: Vec::new(),
    };
    let mut series = Vec::new();
    for backend in BACKENDS {
        let Some(offered) = found.run::<Offered>("Q10", backend.name())? else { continue };
        table.rows.extend(rows(&offered));
        match offered.valid().next() {
            Some((share, cell)) => findings.answer.rules.push(format!(
                "{backend}: offered {:.0} reads/s, {} of what it can do here, 99 of 100 readers wait at most {}.",
                cell.offered_per_second,
                Unit::Share.text(*share),
                Unit::Nanos.text(cell.response.p99_ns as f64),
            )),
            None => findings.lacks(format!("Q10: {backend} at a rate"), why_void(&offered)),
        }
        let spot = |share: f64, p99: u64| Spot { x: share, y: p99 as f64, interval: None, label: None };
        let mut points: Vec<Spot> = offered.valid().map(|(share, cell)| spot(*share, cell.response.p99_ns)).collect();
        points.reverse();
        series.push(Series { label: offered.backend, points, style: Style::Measured });
    }
    series.retain(|series| !series.points.is_empty());
    if !series.is_empty() {
        findings.answer.figures.push(Figure {
            name: "q10-open".to_owned(),
            caption: "What the slowest of a hundred readers waits as the load nears the capacity.".to_owned(),
            chart: Chart::Lines(Lines {
                title: "p99 by load".to_owned(),
                x: Axis { label: "share of the capacity".to_owned(), unit: Unit::Share, scale: Scale::Linear },
                y: Axis { label: "p99 from when due".to_owned(), unit: Unit::Nanos, scale: Scale::Log },
                series,
                marks: Vec::new(),
            }),
        });
    }
    if !table.rows.is_empty() {
        findings.answer.tables.push(table);
    }
    Ok(())
}

fn rows(offered: &Offered) -> impl Iterator<Item = Vec<String>> {
    offered.cells.iter().map(|(share, cell)| {
        vec![
            offered.backend.clone(),
            format!("{:.0}/s", cell.offered_per_second),
            Unit::Share.text(*share),
            micros(cell.response.p50_ns),
            micros(cell.response.p99_ns),
            micros(cell.service.p99_ns),
            cell.void.as_ref().map_or_else(String::new, |why| format!("void: {why}")),
        ]
    })
}

fn why_void(offered: &Offered) -> String {
    let smallest = offered.cells.last().and_then(|(share, cell)| Some((*share, cell.void.as_deref()?)));
    let (share, why) = smallest.unwrap_or((0.0, "nothing was offered"));
    format!(
        "even {} of its capacity was void ({why}); measure on an idle machine with more cores",
        Unit::Share.text(share)
    )
}

fn micros(nanos: u64) -> String {
    format!("{:.0} us", nanos as f64 / 1_000.0)
}
