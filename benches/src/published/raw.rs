//! Raw results: what the programs printed, kept as it was.

use std::fs;
use std::path::Path;

use hallway_study::report::markdown::words;
use hallway_study::report::{self, Report};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

use super::{goals, rivals, study, trust};
use crate::Result;
use crate::controls::Controls;
use crate::machine::Origin;
use crate::ratios::Outcome;

/// Hexadecimal digits of a checksum that a table shows.
const DIGITS: usize = 16;

/// All raw results there are.
#[derive(Debug, Default)]
pub(super) struct Raw {
    pub(super) goals: Vec<GoalRun>,
    pub(super) peers: Vec<RivalRun>,
    pub(super) sessions: Vec<RivalRun>,
    pub(super) controls: Vec<Controls>,
    pub(super) studies: Vec<Report>,
    /// Computed with a delay, and measured with one.
    pub(super) injected: Vec<Report>,
    files: Vec<Kept>,
}

/// A run of `cargo xtask ratios`.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct GoalRun {
    #[serde(flatten)]
    origin: Origin,
    pub(super) goals: Vec<Outcome>,
}

/// A run of one of the programs of `benches/peers`.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct RivalRun {
    #[serde(flatten)]
    origin: Origin,
    #[serde(alias = "peers", alias = "sessions")]
    pub(super) rows: Vec<rivals::Row>,
}

/// A file and where it comes from.
#[derive(Debug)]
struct Kept {
    name: String,
    checksum: String,
    origin: Origin,
}

impl Raw {
    /// Reads the folder. What is not there was not measured.
    ///
    /// # Errors
    /// If the folder or a file cannot be read, or a file is not what its name says.
    pub(super) fn read(folder: &Path) -> Result<Self> {
        let entries = fs::read_dir(folder).map_err(|error| format!("{}: {error}", folder.display()))?;
        let mut names = Vec::new();
        for entry in entries {
            names.push(entry?.file_name().to_string_lossy().into_owned());
        }
        names.sort();
        let mut raw = Self::default();
        for name in names.iter().filter(|name| name.ends_with(".json")) {
            let path = folder.join(name);
            let text = fs::read_to_string(&path).map_err(|error| format!("{name}: {error}"))?;
            let origin = match name.split(['.', '-']).next().unwrap_or_default() {
                "ratios" => {
                    raw.goals.push(parse(name, &text, goals::COMMAND)?);
                    raw.goals.last().map(|run| run.origin.clone())
                }
                "peers" => {
                    raw.peers.push(parse(name, &text, rivals::PEERS)?);
                    raw.peers.last().map(|run| run.origin.clone())
                }
                "sessions" => {
                    raw.sessions.push(parse(name, &text, rivals::SESSIONS)?);
                    raw.sessions.last().map(|run| run.origin.clone())
                }
                "controls" => {
                    raw.controls.push(parse(name, &text, trust::CONTROLS)?);
                    raw.controls.last().map(|run| run.origin.clone())
                }
                kind @ ("crossover" | "injection") => {
                    let report = report::read(&path)?;
                    if kind == "crossover" && report.slower.is_some() {
                        return Err(format!(
                            "{name} is a study of a backend that was made slower; call it injection-…"
                        )
                        .into());
                    }
                    let origin = study::origin(&report);
                    let kept = if kind == "crossover" { &mut raw.studies } else { &mut raw.injected };
                    kept.push(report);
                    Some(origin)
                }
                _ => {
                    return Err(format!(
                        "{name} is no raw result: those are controls.json, crossover.json, injection-1-computed.json, peers.json, ratios-1.json, sessions.json"
                    )
                    .into());
                }
            };
            raw.files.extend(origin.map(|origin| Kept { name: name.clone(), checksum: checksum(&text), origin }));
        }
        Ok(raw)
    }

    /// The study whose points the documents tell: the last in the order of names.
    pub(super) fn study(&self) -> Option<&Report> {
        self.studies.last()
    }

    /// The files with what they are, so that anyone can see whether a table is made from them.
    pub(super) fn table(&self) -> String {
        let mut text = String::from("| file | SHA-256 | measured | by | on |\n|---|---|---|---|---|\n");
        for Kept { name, checksum, origin } in &self.files {
            let (date, machine) = (words(&origin.date), words(&origin.machine));
            text.push_str(&format!("| `{name}` | `{checksum}` | {date} | `{}` | {machine} |\n", origin.command));
        }
        if self.files.is_empty() { "_None yet._".to_owned() } else { text }
    }
}

fn parse<T: DeserializeOwned>(name: &str, text: &str, command: &str) -> Result<T> {
    let failed = |error| format!("{name} is not what `{command}` prints ({error}); measure it again with that");
    Ok(serde_json::from_str(text).map_err(failed)?)
}

fn checksum(text: &str) -> String {
    let digest = Sha256::digest(text.as_bytes());
    let mut hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
    hex.truncate(DIGITS);
    hex
}

/// What stands in the place of something that nobody measured.
pub(super) fn missing(command: &str) -> String {
    format!("_Not measured yet: `{command}`, then `cargo xtask bench-tables`._")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_checksum_is_the_beginning_of_what_sha256sum_prints() {
        assert_eq!(checksum("abc"), "ba7816bf8f01cfea");
    }
}
