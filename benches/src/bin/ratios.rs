//! Measures hallway against the libraries beneath it and says which goals are met.

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;
use hallway_bench::machine::Origin;
use hallway_bench::ratios::{measure, print_json, print_table};
use hallway_bench::{Result, Stage};
use regex::Regex;

/// Measures hallway against the libraries beneath it and says which goals are met
#[derive(Debug, Parser)]
#[command(name = "ratios")]
struct Args {
    /// Measure only goals whose id matches this regular expression, such as `^redis/get/`
    #[arg(long, value_name = "REGEX")]
    only: Option<Regex>,
    /// Print JSON on standard output instead of a table
    #[arg(long)]
    json: bool,
    /// Measure with values of so many bytes instead of those that the goals are for
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(8..=1 << 20))]
    value_bytes: Option<u32>,
    /// Succeed, and print nothing, if no id matches
    #[arg(long)]
    may_be_none: bool,
}

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Whether everything asked for was measured; a goal that is missed is a result, not a failure.
fn run(args: &Args) -> Result<bool> {
    let value_bytes = args.value_bytes.map(|bytes| bytes as usize);
    let allocations = std::env::current_exe()?.with_file_name("allocations");
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let mut stage = Stage::default();
    let (origin, outcomes) = runtime.block_on(async {
        let outcomes = measure(&mut stage, args.only.as_ref(), value_bytes, &allocations).await;
        Ok::<_, hallway_bench::Failure>((Origin::here(&stage, "cargo xtask ratios").await?, outcomes))
    })?;
    if outcomes.is_empty() && args.may_be_none {
        return Ok(true);
    }
    if outcomes.is_empty() {
        return Err("no goal has an id that matches".into());
    }
    let mut out = io::stdout().lock();
    if args.json {
        print_json(&mut out, &origin, &outcomes)
    } else {
        print_table(&mut out, &origin.machine, value_bytes, &outcomes)
    }?;
    out.flush()?;
    Ok(outcomes.iter().all(|outcome| outcome.error.is_none()))
}
