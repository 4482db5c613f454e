//! What the compiler does not check.

mod benchmarks;
mod contract;
mod crates;
mod facade;
mod lockfile;
mod metrics;
mod named_tests;
mod sources;

use std::path::PathBuf;
use std::process::Command;

use crate::{Result, metadata, shell};

/// One thing found: where, and what to do about it.
type Finding = String;

/// A tracked text file, by its path from the root of the workspace.
#[derive(Debug)]
struct SourceFile {
    path: String,
    text: String,
}

/// Prints warnings, then fails with every finding.
pub(crate) fn run() -> Result {
    let members = metadata::members()?;
    let files = tracked_files()?;
    let locked = lockfile::versions(&files)?;

    let mut findings = crates::edges(&members);
    findings.extend(crates::lints(&members)?);
    findings.extend(sources::check(&files));
    findings.extend(contract::check(&files));
    findings.extend(facade::check(&members, &files));
    findings.extend(named_tests::check(&files));
    findings.extend(metrics::check(&files));
    findings.extend(benchmarks::check(&files));
    findings.extend(lockfile::forbidden(&locked));
    findings.extend(lockfile::rivals(&members, &files));

    for warning in sources::long_files(&files).into_iter().chain(lockfile::tolerated(&locked)) {
        println!("warning: {warning}");
    }
    if findings.is_empty() {
        println!("tidy: {} files, {} packages, nothing to complain about", files.len(), members.len());
        return Ok(());
    }
    Err(format!("tidy found {} problems\n  {}", findings.len(), findings.join("\n  ")))
}

/// Text files that git tracks or would track: what is ignored is nobody's business.
fn tracked_files() -> Result<Vec<SourceFile>> {
    let list = shell::output(
        Command::new("git")
            .current_dir(shell::root())
            .args("ls-files --cached --others --exclude-standard -z".split(' ')),
    )?;
    let mut paths: Vec<PathBuf> = list.split_terminator('\0').map(PathBuf::from).collect();
    paths.sort();
    paths.dedup();
    let mut files = Vec::new();
    for path in paths {
        // A tracked file that somebody just deleted, or one that is not text.
        let Ok(text) = std::fs::read_to_string(shell::root().join(&path)) else { continue };
        files.push(SourceFile { path: path.to_string_lossy().into_owned(), text });
    }
    Ok(files)
}
