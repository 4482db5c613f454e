//! The crossover study as a target: `cargo bench --package hallway-bench --bench crossover -- --start`.
//!
//! The same as `cargo hallway compare`, for those who measure with criterion: below `--out` lies a tree of its baselines,
//! one for each round.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use hallway_study::lab::{Choice, Choices};
use hallway_study::placement::Placement;
use hallway_study::report::StudyMode;
use hallway_study::study::{self, Plan, Progress, Stop};

#[derive(Parser)]
struct Args {
    /// Measure for about half an hour instead of two minutes
    #[arg(long)]
    full: bool,
    /// Questions to answer, such as Q3,Q9; all of them if not given
    #[arg(long, value_name = "IDS", value_delimiter = ',')]
    only: Vec<String>,
    /// Start Redis and PostgreSQL privately; without it those are used that run on this machine
    #[arg(long)]
    start: bool,
    /// Folder for the report and the tree
    #[arg(long, value_name = "DIR", default_value = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/crossover"))]
    out: PathBuf,
    /// What `cargo bench` always passes
    #[arg(long, hide = true)]
    bench: bool,
}

/// A line for each step; criterion's own go to a file below the folder.
#[derive(Debug)]
struct Lines;

impl Progress for Lines {
    fn begin(&self, seconds: f64) {
        eprintln!("about {seconds:.0} s to go");
    }

    fn at(&self, seconds: f64, next: &str) {
        eprintln!("{seconds:>7.1} s  {next}");
    }

    fn say(&self, text: &str) {
        eprintln!("{text}");
    }
}

fn main() -> ExitCode {
    let args = Args::parse();
    let choice = if args.start { Choice::Start } else { Choice::Find };
    let plan = Plan {
        mode: if args.full { StudyMode::Full } else { StudyMode::Quick },
        only: args.only,
        out: args.out,
        choices: Choices {
            redis: choice.clone(),
            postgres: choice,
            placement: Placement::pinned_or_shared(|why| eprintln!("{why}")),
        },
        seed: 42,
        injection: None,
        supposed: None,
        traces: Vec::new(),
        restart: false,
    };
    match study::run(&plan, &Lines, &Stop::default()) {
        Ok(studied) => {
            println!("{}", studied.files.index.display());
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
