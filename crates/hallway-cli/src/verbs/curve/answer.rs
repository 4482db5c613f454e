//! A capacity curve for people, for programs and as files.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use bytesize::ByteSize;
use hallway_study::chart::{Chart, svg};
use hallway_study::report::{Figure, Table, page};
use hallway_study::trace::{CapacityCurve, ENTRY_BYTES, Gain, SizeBasis, capacity_chart};
use serde::Serialize;

use crate::failure::Failure;
use crate::numbers::grouped;

/// The share of the gain that the sentence is about.
const SHARE: f64 = 0.9;

const COLUMNS: [&str; 5] = ["entries", "memory", "LRU", "moka", "clairvoyant"];

/// What `--json` prints, and without the chart what `curve.json` holds.
#[derive(Serialize)]
pub(crate) struct Answer<'a> {
    trace: &'a str,
    #[serde(flatten)]
    curve: &'a CapacityCurve,
    gain: Gain,
    #[serde(skip_serializing_if = "Option::is_none")]
    chart: Option<&'a Chart>,
}

pub(crate) fn json<'a>(name: &'a str, curve: &'a CapacityCurve) -> Answer<'a> {
    Answer { trace: name, curve, gain: curve.gain(SHARE), chart: None }
}

pub(crate) fn text(name: &str, curve: &CapacityCurve) -> String {
    format!("{}\n\n{}\n{}\n\n{}", summary(name, curve), table(curve), sentence(curve), basis(curve))
}

fn summary(name: &str, curve: &CapacityCurve) -> String {
    let of_them =
        if curve.reads < curve.requests { format!(", {} of them reads", grouped(curve.reads)) } else { String::new() };
    format!(
        "{name}: {} requests for {} keys{of_them}. A cache that forgets nothing hits {:.3} of the reads.",
        grouped(curve.requests),
        grouped(curve.keys),
        curve.most
    )
}

/// What a reader takes home.
fn sentence(curve: &CapacityCurve) -> String {
    let gain = curve.gain(SHARE);
    if gain.entries == 0 {
        return "No key is asked for again while a cache could hold it: no cache of any size gains anything."
            .to_owned();
    }
    format!(
        "90 % of what a cache of any size could gain needs {} entries ({}).",
        grouped(gain.entries),
        size(gain.bytes)
    )
}

fn basis(curve: &CapacityCurve) -> String {
    let values = match curve.entry_bytes_from {
        SizeBasis::Assumed => "a value of 256 B, which is assumed: see --value-bytes",
        SizeBasis::Given => "the size of a value as given",
        SizeBasis::Stream => "the mean size of a value in the trace",
    };
    format!(
        "An entry takes {:.0} B: its key, {values}, and {ENTRY_BYTES} B at most beside them.\n\
         LRU is exact, and the 90 % are by it. moka is measured with one thread.\n\
         The clairvoyant knows the future: no policy hits more often.",
        curve.entry_bytes
    )
}

fn table(curve: &CapacityCurve) -> String {
    let head = COLUMNS.map(str::to_owned);
    let rows: Vec<[String; 5]> = std::iter::once(head).chain(rows(curve)).collect();
    let widths: Vec<usize> = (0..5).map(|column| rows.iter().map(|row| row[column].len()).max().unwrap_or(0)).collect();
    let mut text = String::new();
    for row in &rows {
        let line: Vec<String> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:>width$}")).collect();
        let _ = writeln!(text, "{}", line.join("  "));
    }
    text
}

fn rows(curve: &CapacityCurve) -> impl Iterator<Item = [String; 5]> {
    let ratio = |ratio: Option<f64>| ratio.map_or_else(|| "-".to_owned(), |ratio| format!("{ratio:.3}"));
    curve.points.iter().map(move |point| {
        let memory = size(point.bytes);
        [grouped(point.entries), memory, format!("{:.3}", point.lru), ratio(point.moka), ratio(point.clairvoyant)]
    })
}

fn size(bytes: u64) -> String {
    ByteSize::b(bytes).display().iec().to_string()
}

pub(crate) fn make_folder(folder: &Path) -> Result<(), Failure> {
    fs::create_dir_all(folder).map_err(|error| Failure::local(format!("cannot make {}", folder.display()), error))
}

/// Writes the curve, its picture and a page of both into a folder.
pub(crate) fn write(folder: &Path, name: &str, curve: &CapacityCurve) -> Result<(), Failure> {
    let chart = capacity_chart(&format!("Hit ratio by entries: {name}"), curve);
    let answer = Answer { chart: Some(&chart), ..json(name, curve) };
    let json = serde_json::to_vec_pretty(&answer).map_err(|error| Failure::local("cannot write JSON", error.into()))?;
    write_file(&folder.join("curve.json"), &json)?;
    write_file(&folder.join("curve.svg"), svg(&chart).as_bytes())?;
    let figure = Figure { name: "curve".to_owned(), caption: basis(curve), chart };
    let table = Table {
        caption: summary(name, curve),
        columns: COLUMNS.map(str::to_owned).into(),
        rows: rows(curve).map(Vec::from).collect(),
    };
    let html = page("How large must the cache be?", &sentence(curve), &[figure], &[table]);
    write_file(&folder.join("curve.html"), html.as_bytes())
}

fn write_file(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    fs::write(path, bytes).map_err(|error| Failure::local(format!("cannot write {}", path.display()), error))
}
