//! Which crossing points moved between two reports.

use std::path::Path;
use std::process::ExitCode;

use hallway_study::report;

use crate::failure::Failure;
use crate::output::Output;

pub(super) fn run(old: &Path, new: &Path, fail_on_move: bool, output: Output) -> Result<ExitCode, Failure> {
    let old = report::read(old).map_err(Failure::study)?;
    let new = report::read(new).map_err(Failure::study)?;
    let moves = report::moved(&old, &new).map_err(Failure::study)?;
    output.answer(&moves, || moves.to_string())?;
    Ok(if fail_on_move && moves.changed().next().is_some() {
        ExitCode::from(crate::failure::NO)
    } else {
        ExitCode::SUCCESS
    })
}
