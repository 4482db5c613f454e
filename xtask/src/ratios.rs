//! Builds and runs the ratios of `hallway-bench`.

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
    let mut command = shell::cargo([
        "run",
        "--release",
        "--quiet",
        "--locked",
        "--package",
        "hallway-bench",
        "--bin",
        "ratios",
        "--",
    ]);
    if let Some(only) = &args.only {
        command.args(["--only", only]);
    }
    if args.json {
        command.arg("--json");
    }
    shell::run(&mut command)
}
