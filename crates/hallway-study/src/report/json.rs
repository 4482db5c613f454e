//! `crossover.json`: read and written, and its JSON Schema.

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::Result;
use crate::failure::refused;
use crate::report::{Report, SCHEMA};

/// JSON Schema (2020-12) of `crossover.json`, which lies beside it as `crossover.schema.json`.
pub const JSON_SCHEMA: &str = include_str!("../../schema/crossover-1.schema.json");

/// The report of an earlier study, from its `crossover.json`.
///
/// # Errors
/// If the file cannot be read, is no report, or is one of another schema than [`SCHEMA`].
pub fn read(path: &Path) -> Result<Report> {
    let name = path.display();
    let text = fs::read_to_string(path).map_err(|error| refused(format!("{name} cannot be read: {error}")))?;
    parse(&text).map_err(|error| refused(format!("{name}: {error}")))
}

fn parse(text: &str) -> std::result::Result<Report, String> {
    let value: Value = serde_json::from_str(text).map_err(|error| format!("this is not JSON: {error}"))?;
    match value["schema"].as_str() {
        Some(SCHEMA) => serde_json::from_value(value).map_err(|error| format!("this is not a whole report: {error}")),
        Some(other) => Err(format!(
            "its schema is `{other}`, and this version of hallway reads `{SCHEMA}`; read it with the version that wrote \
             it, or measure again with `cargo hallway compare`"
        )),
        None => Err(format!(
            "this is no report: it has no `\"schema\": \"{SCHEMA}\"`; give the `crossover.json` that \
                             `cargo hallway compare` wrote"
        )),
    }
}

/// The report as JSON that [`read`] takes back.
///
/// # Errors
/// If a number is not finite: JSON does not know those, and what is not known is `null` in a field that may be.
pub(super) fn text(report: &Report) -> Result<String> {
    let mut text = serde_json::to_string_pretty(report)?;
    text.push('\n');
    match parse(&text) {
        Ok(_) => Ok(text),
        Err(error) => {
            Err(format!("the report cannot be written as JSON, a number in it is not finite: {error}").into())
        }
    }
}
