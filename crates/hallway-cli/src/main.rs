//! The `hallway` command: read and write any store, watch and verify tiers, replay access traces through them, say what a cache is worth.

mod copies;
mod failure;
mod key_args;
mod numbers;
mod output;
mod preset_arg;
mod progress;
mod redact;
mod replay;
mod store_args;
mod tier_args;
mod ttl;
mod verbs;

use std::process::ExitCode;

use clap::Parser;

use crate::failure::Failure;
use crate::output::Output;
use crate::verbs::Verb;

/// Read and write key-value state wherever it lives: in this process, in Redis, in SQL.
#[derive(Parser)]
#[command(name = "hallway", version, max_term_width = 100, after_help = failure::EXIT_CODES)]
struct Cli {
    /// Answer with one JSON document on standard output
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    verb: Verb,
}

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return redact::report_usage(&error),
    };
    match run(cli) {
        Ok(code) => code,
        Err(failure) => failure.report(),
    }
}

fn run(cli: Cli) -> Result<ExitCode, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::local("cannot start the runtime", error))?;
    let code = runtime.block_on(cli.verb.run(Output { json: cli.json }));
    // A read of standard input or a driver's thread may still hang; the answer is out already.
    runtime.shutdown_background();
    code
}
