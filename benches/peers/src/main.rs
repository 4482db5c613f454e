//! hallway beside its rivals, interleaved in one process: hits, misses, loads, a mix of keys. See README.md.

mod contenders;
mod report;
mod stampede;
mod timed;

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;
use hallway_bench::machine::Origin;
use hallway_bench::{Result, Stage};
use hallway_testkit::servers::RedisServer;
use regex::Regex;

use crate::report::{Row, print_json, print_table};

/// Readers of one key in a stampede, in one process or in all of several.
const READERS: usize = 1_000;
const PROCESSES: usize = 4;
const ROUNDS: usize = 5;

/// The contender that is ours.
const OURS: &str = "hallway";

/// Measures hallway beside its rivals, interleaved in one process
#[derive(Debug, Parser)]
#[command(name = "hallway-peers")]
struct Args {
    /// Measure only operations whose id matches this regular expression, such as `^shared-hit/`
    #[arg(long, value_name = "REGEX")]
    only: Option<Regex>,
    /// Print JSON on standard output instead of a table
    #[arg(long)]
    json: bool,
    /// Succeed, and print nothing, if no id matches
    #[arg(long)]
    may_be_none: bool,
    /// Be one of several processes of a stampede
    #[arg(long, hide = true, requires_all = ["redis", "processes", "readers"])]
    child: Option<String>,
    #[arg(long, hide = true)]
    redis: Option<String>,
    #[arg(long, hide = true)]
    processes: Option<usize>,
    #[arg(long, hide = true)]
    readers: Option<usize>,
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

/// Whether everything asked for was measured.
fn run(args: &Args) -> Result<bool> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    if let Args {
        child: Some(contender), redis: Some(url), processes: Some(processes), readers: Some(readers), ..
    } = args
    {
        runtime.block_on(stampede::child(contender, url, *processes, *readers))?;
        return Ok(true);
    }
    let mut stage = Stage::default();
    let server = stage.start_redis()?;
    let wanted = |id: &str| args.only.as_ref().is_none_or(|only| only.is_match(id));
    let rows = runtime.block_on(async {
        let mut rows = timed::measure(server, wanted).await?;
        rows.extend(loads(server, wanted).await);
        Ok::<_, hallway_bench::Failure>(rows)
    })?;
    let command = "cargo run --release --manifest-path benches/peers/Cargo.toml --";
    let origin = runtime.block_on(Origin::here(&stage, command))?;
    if rows.is_empty() && args.may_be_none {
        return Ok(true);
    }
    if rows.is_empty() {
        return Err("no operation has an id that matches".into());
    }
    let mut out = io::stdout().lock();
    if args.json { print_json(&mut out, &origin, &rows) } else { print_table(&mut out, &origin.machine, &rows) }?;
    out.flush()?;
    Ok(rows.iter().all(|row| row.error.is_none()))
}

/// Counts, which no other contender disturbs: one after the other.
async fn loads(server: &RedisServer, wanted: impl Fn(&str) -> bool) -> Vec<Row> {
    let (one, several) = (format!("loads/1x{READERS}"), format!("loads/{PROCESSES}x{}", READERS / PROCESSES));
    let mut rows = Vec::new();
    for (operation, processes) in [(one, 1), (several, PROCESSES)] {
        if !wanted(&operation) {
            continue;
        }
        eprintln!("{operation} ...");
        let mut counted = Vec::new();
        for contender in stampede::CONTENDERS {
            let url = server.url();
            let loads = match processes {
                1 => stampede::one_process(contender, &url, READERS, ROUNDS).await,
                _ => stampede::several_processes(contender, &url, processes, READERS / processes, ROUNDS).await,
            };
            counted.push((contender, loads));
        }
        let ours = counted.iter().find(|(contender, _)| *contender == OURS);
        let ours = ours.and_then(|(_, loads)| loads.as_deref().ok());
        rows.extend(counted.iter().map(|(contender, loads)| Row::loads(&operation, contender, loads, ours)));
    }
    rows
}
