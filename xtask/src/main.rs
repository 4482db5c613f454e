//! Chores of the workspace: `cargo xtask test`, `ci`, `tidy`, `mutants`, `ratios`, `bench-tables`.

mod bench_tables;
mod ci;
mod features;
mod metadata;
mod mutants;
mod programs;
mod ratios;
mod readme;
mod shell;
mod summary;
mod test;
mod tidy;
mod two_features;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// What a chore answers: nothing, or one line that says what is wrong and what to do.
type Result<T = ()> = std::result::Result<T, String>;

#[derive(Debug, Parser)]
#[command(name = "cargo xtask", about = "Chores of the hallway workspace")]
struct Cli {
    #[command(subcommand)]
    chore: Chore,
}

#[derive(Debug, Subcommand)]
enum Chore {
    /// Make the tables and figures of the documents from the raw results in docs/benchmarks
    BenchTables(bench_tables::Args),
    /// Everything that public CI runs: tidy, format, lints, docs, each feature alone, oldest compiler, tests
    Ci,
    /// Make each of the fourteen mistakes in the protocol and see the simulation notice it
    Mutants(mutants::Args),
    /// Measure hallway against the raw libraries and say which goals are met
    Ratios(ratios::Args),
    /// The one test command: installs the servers it needs if it may, then runs every test of the workspace
    Test(test::Args),
    /// Check what the compiler does not: crate edges, contract clauses, doc lines, feature table
    Tidy,
}

fn main() -> ExitCode {
    let done = match Cli::parse().chore {
        Chore::BenchTables(args) => bench_tables::run(&args),
        Chore::Ci => ci::run(),
        Chore::Mutants(args) => mutants::run(&args),
        Chore::Ratios(args) => ratios::run(&args),
        Chore::Test(args) => test::run(&args),
        Chore::Tidy => tidy::run(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("\nerror: {error}");
            ExitCode::FAILURE
        }
    }
}
