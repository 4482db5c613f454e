//! Builds and runs the ratios of `hallway-bench`.

use std::process::Command;

use crate::{Result, shell};

/// What to measure and how to print it.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Measure only goals whose id matches this regular expression, such as `^redis/get/`
    #[arg(long)]
    only: Option<String>,
    /// Print JSON on standard output instead of a table
    #[arg(long)]
    json: bool,
}

pub(crate) fn run(args: &Args) -> Result {
    // Both programs of the package: `ratios` runs the one that counts allocations.
    let build = "build --release --quiet --locked --package hallway-bench --bins";
    shell::run(&mut shell::cargo(build.split(' ')))?;
    let mut ratios = Command::new(shell::target_dir().join("release/ratios"));
    if let Some(only) = &args.only {
        ratios.args(["--only", only]);
    }
    if args.json {
        ratios.arg("--json");
    }
    shell::run(&mut ratios)
}
