//! Makes the tables and figures of the documents from the raw results in `docs/benchmarks`.

use crate::{Result, shell};

/// What to do with what is out of date.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Write nothing; fail if a table or a figure is not what the raw results say
    #[arg(long)]
    check: bool,
}

/// Builds the program of `hallway-bench` that knows how, and runs it.
pub(crate) fn run(args: &Args) -> Result {
    let mut tables = shell::cargo("run --quiet --locked --package hallway-bench --bin tables --".split(' '));
    if args.check {
        tables.arg("--check");
    }
    shell::run(&mut tables)
}
