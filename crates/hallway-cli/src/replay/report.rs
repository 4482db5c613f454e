//! The results of a replay, as a table or as JSON.

use std::fmt::Write as _;

use bytesize::ByteSize;
use serde::Serialize;

use super::run::{Counted, Outcome};
use crate::failure::Failure;
use crate::numbers::{grouped, latency, rounded};
use crate::output::Output;

/// Columns of a terminal that nobody has widened.
const WIDTH: usize = 80;

#[derive(Serialize)]
struct Report<'a> {
    requests: u64,
    stores: Vec<Row<'a>>,
}

#[derive(Serialize)]
struct Row<'a> {
    store: &'a str,
    hit_ratio: f64,
    ops_per_s: f64,
    p50_us: f64,
    p99_us: f64,
    p999_us: f64,
    bytes: u64,
}

pub(crate) fn print(outcomes: &[Outcome], concurrency: u16, output: Output) -> Result<(), Failure> {
    let report = Report {
        requests: outcomes.first().map_or(0, |outcome| outcome.requests),
        stores: outcomes.iter().map(row).collect(),
    };
    output.answer(&report, || {
        let mut text = format!(
            "{} requests through each store, {concurrency} at a time: get, and set on a miss.\nEvery value read is checked.\n\n{}",
            grouped(report.requests),
            table(&report)
        );
        for counted in [Counted::ByStore, Counted::ByScan] {
            let stores: Vec<_> = outcomes.iter().filter(|o| o.held.counted == counted).map(|o| &*o.label).collect();
            if !stores.is_empty() {
                let _ = write!(text, "\nbytes held: {}, in\n  {}", how(counted), stores.join("\n  "));
            }
        }
        text
    })
}

fn how(counted: Counted) -> &'static str {
    match counted {
        Counted::ByScan => "keys and values found at the end, not what the store adds",
        Counted::ByStore => "the store's own count: keys, values and its overhead",
    }
}

fn row(outcome: &Outcome) -> Row<'_> {
    let micros = |quantile| outcome.latency.value_at_quantile(quantile) as f64 / 1e3;
    Row {
        store: &outcome.label,
        hit_ratio: rounded(outcome.hits as f64 / outcome.requests as f64, 1e6),
        ops_per_s: rounded(outcome.requests as f64 / outcome.elapsed.as_secs_f64().max(1e-9), 10.0),
        p50_us: micros(0.5),
        p99_us: micros(0.99),
        p999_us: micros(0.999),
        bytes: outcome.held.bytes,
    }
}

fn table(report: &Report<'_>) -> String {
    let head = ["hit ratio", "requests/s", "p50", "p99", "p99.9", "bytes held"].map(str::to_owned);
    let rows = report.stores.iter().map(|row| {
        let figures = [
            format!("{:.3}", row.hit_ratio),
            grouped(row.ops_per_s.round() as u64),
            latency(row.p50_us),
            latency(row.p99_us),
            latency(row.p999_us),
            ByteSize::b(row.bytes).display().iec().to_string(),
        ];
        (row.store, figures)
    });
    let rows: Vec<(&str, [String; 6])> = std::iter::once(("store", head)).chain(rows).collect();
    let widths: Vec<usize> = (0..6)
        .map(|column| rows.iter().map(|(_, figures)| figures[column].chars().count()).max().unwrap_or(0))
        .collect();
    let store = rows.iter().map(|(store, _)| store.chars().count()).max().unwrap_or(0);
    // Where a row would be too long for a terminal, the store has a line of its own above its figures.
    let stacked = store + widths.iter().map(|width| width + 2).sum::<usize>() > WIDTH;

    let mut text = String::new();
    for (at, (name, figures)) in rows.iter().enumerate() {
        let figures: String = figures.iter().zip(&widths).map(|(cell, width)| format!("  {cell:>width$}")).collect();
        let _ = match (stacked, at == 0) {
            (false, _) => writeln!(text, "{name:<store$}{figures}"),
            (true, true) => writeln!(text, "{figures}"),
            (true, false) => writeln!(text, "{name}\n{figures}"),
        };
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(store: &str, bytes: u64) -> Row<'_> {
        Row { store, hit_ratio: 0.789, ops_per_s: 1e6, p50_us: 0.4, p99_us: 2_000.0, p999_us: 30_000.0, bytes }
    }

    #[test]
    fn columns_line_up() {
        let report = Report { requests: 1_000, stores: vec![row("moka:?max=1MiB", 5), row("ä", 5 << 20)] };
        let text = table(&report);
        let lengths: Vec<_> = text.lines().map(|line| line.chars().count()).collect();
        assert_eq!(lengths.len(), 3, "{text}");
        assert!(lengths.iter().all(|length| *length == lengths[0]), "{text}");
    }

    #[test]
    fn a_long_store_does_not_break_lines_of_figures() {
        let long = format!("sqlite:/{}/app.db", "folder/".repeat(20));
        for stores in [["moka:?max_entries=1024", "sqlite: (temporary file)"], ["moka:", &long]] {
            let report = Report { requests: 1_000, stores: stores.map(|store| row(store, 999 << 10)).into() };
            let text = table(&report);
            assert!(text.lines().all(|line| line.chars().count() <= WIDTH || line == long), "{text}");
            assert_eq!(text.lines().filter(|line| stores.contains(line)).count(), 2, "{text}");
            assert_eq!(text.lines().filter(|line| line.ends_with("999.0 KiB")).count(), 2, "{text}");
        }
    }
}
