//! A folder with everything that a study leaves behind.

use std::collections::BTreeSet;
use std::fs::{self, Permissions};
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::Result;
use crate::chart::svg;
use crate::report::{Figure, JSON_SCHEMA, Report, exports, html, json, markdown};

/// What was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Files {
    /// `index.html`: everything on one page, without any other file.
    pub index: PathBuf,
    /// `report.md`: the verdicts as a table.
    pub markdown: PathBuf,
    /// `crossover.json`: the report itself.
    pub json: PathBuf,
    /// `crossover.schema.json`: what the JSON may hold.
    pub schema: PathBuf,
    /// `github-action-benchmark.json`: see [`exports::github_action_benchmark`].
    pub benchmark: PathBuf,
    /// Each figure as `NAME.svg`.
    pub figures: Vec<PathBuf>,
}

/// Writes the report into a folder, which is made if there is none. Each file is replaced as a whole or not at all.
///
/// # Errors
/// If a figure has a name that no file can have or two have the same, if a number is not finite, or if the folder cannot
/// be written.
pub fn write(report: &Report, dir: &Path) -> Result<Files> {
    let figures: Vec<&Figure> = report.answers.iter().flat_map(|answer| &answer.figures).collect();
    check_names(&figures)?;
    let text = json::text(report)?;
    fs::create_dir_all(dir).map_err(|error| format!("{} cannot be made: {error}", dir.display()))?;
    let keep = |name: &str, text: &str| {
        let path = dir.join(name);
        save(&path, text).map(|()| path)
    };
    // The page last: whoever sees it finds what it speaks of.
    let pictures = figures.iter().map(|figure| keep(&format!("{}.svg", figure.name), &svg(&figure.chart)));
    Ok(Files {
        figures: pictures.collect::<Result<_>>()?,
        schema: keep("crossover.schema.json", JSON_SCHEMA)?,
        benchmark: keep("github-action-benchmark.json", &exports::github_action_benchmark(report)?)?,
        markdown: keep("report.md", &markdown::report(report))?,
        json: keep("crossover.json", &text)?,
        index: keep("index.html", &html::report(report, &text))?,
    })
}

/// Replaces a file as a whole or not at all: readers see what was there before, or all of the new text.
///
/// # Errors
/// If its folder cannot be written.
pub fn save(path: &Path, text: &str) -> Result<()> {
    let attempt = || -> std::io::Result<()> {
        let dir = path.parent().filter(|dir| !dir.as_os_str().is_empty()).unwrap_or(Path::new("."));
        // For everybody whom the umask lets read, unlike other temporary files.
        let everybody = Permissions::from_mode(0o666);
        let mut file = tempfile::Builder::new().prefix(".hallway-").permissions(everybody).tempfile_in(dir)?;
        file.write_all(text.as_bytes())?;
        file.as_file().sync_all()?;
        file.persist(path)?;
        Ok(())
    };
    attempt().map_err(|error| format!("{} cannot be written: {error}", path.display()).into())
}

fn check_names(figures: &[&Figure]) -> Result<()> {
    let mut seen = BTreeSet::new();
    for Figure { name, .. } in figures {
        let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if name.is_empty() || !name.chars().all(is_plain) {
            return Err(format!("a figure cannot be named `{name}`; use a to z, 0 to 9 and -").into());
        }
        if !seen.insert(name) {
            return Err(format!("two figures are named `{name}`; each needs a name of its own").into());
        }
    }
    Ok(())
}
