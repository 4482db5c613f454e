//! The streams whose hit ratios are studied: the built-in ones, and key logs that the user gives.

use std::path::Path;

use crate::Result;
use crate::lab::Lab;
use crate::trace::{Interner, Log, ORM_BUSY, Preset, Reader, Requests, StackModel, WEB12};

/// A stream in memory.
#[derive(Debug)]
pub(super) struct Stream {
    /// What it is called in sentences.
    pub(super) label: String,
    /// Whether it was generated, with the locality of a trace and not its frequencies.
    pub(super) generated: bool,
    /// Its first requests.
    pub(super) log: Log,
    /// Mean bytes of a key.
    pub(super) key_bytes: f64,
    /// To be said beside figures from it.
    pub(super) note: Option<String>,
}

/// What applications call their objects is about that long.
const PRESET_KEY_BYTES: f64 = 16.0;

/// The names of the streams, as runs are called by them.
pub(super) fn names(traces: usize) -> impl Iterator<Item = String> {
    let presets = Preset::ALL.map(|preset| preset.name().to_owned());
    presets.into_iter().chain((1..=traces).map(|number| format!("trace-{number}")))
}

/// A sentence about a run, with the stream's own name in it: a run of a key log is called by a number.
pub(super) fn named(sentence: &str, name: &str, label: &str) -> String {
    sentence.replacen(name, label, 1)
}

/// The first requests of a stream, at most so many.
///
/// # Errors
/// If a key log cannot be read, or has no requests.
pub(super) fn open(lab: &Lab, name: &str, seed: u64, requests: usize) -> Result<Stream> {
    if let Some(preset) = Preset::ALL.into_iter().find(|preset| preset.name() == name) {
        return Ok(generated(preset, seed, requests));
    }
    let number: Option<usize> = name.strip_prefix("trace-").and_then(|number| number.parse().ok());
    let path = number.and_then(|number| lab.traces().get(number.checked_sub(1)?));
    logged(path.ok_or_else(|| format!("there is no stream {name}"))?, requests)
}

/// A built-in stream.
pub(super) fn generated(preset: Preset, seed: u64, requests: usize) -> Stream {
    let mut model = StackModel::new(preset, seed);
    let log = std::iter::repeat_with(|| model.next_request()).take(requests).collect();
    let note = format!("{} has the locality of its trace, not its frequencies", preset.name());
    Stream { label: preset.name().to_owned(), generated: true, log, key_bytes: PRESET_KEY_BYTES, note: Some(note) }
}

fn logged(path: &Path, most: usize) -> Result<Stream> {
    let failed = |error| format!("cannot read the trace {}: {error}", path.display());
    let mut requests = Requests::new(Reader::open(path, None).map_err(failed)?, Interner::default());
    let mut log = Log::new();
    while log.len() < most
        && let Some(request) = requests.next()
    {
        log.push(request.map_err(failed)?);
    }
    if log.is_empty() {
        return Err(format!("the trace {} has no requests", path.display()).into());
    }
    let name = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned();
    let known = [ORM_BUSY, WEB12].into_iter().find(|known| known.name == name);
    let note = known.map(|known| format!("{}: {}", known.name, known.attribution));
    Ok(Stream { label: name, generated: false, log, key_bytes: requests.interner().mean_key_bytes(), note })
}
