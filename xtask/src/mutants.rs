//! The fourteen deliberate mistakes, one after the other: the simulation must notice each.

use std::process::Command;

use crate::{Result, shell};

/// How many seeds may pass before a mistake is noticed.
const SEEDS: u64 = 1_000;

/// Which mistakes to make.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Make only mistakes whose name contains this text
    #[arg(long)]
    only: Option<String>,
    /// How many seeds each may take
    #[arg(long, default_value_t = SEEDS)]
    seeds: u64,
    /// Where the seeds begin
    #[arg(long, default_value_t = 0)]
    from: u64,
}

pub(crate) fn run(args: &Args) -> Result {
    let build = "build --release --quiet --locked --package hallway-simulation --features mutants --bins";
    // Apart from the ordinary build, which must not carry the switches.
    let target = shell::target_dir().join("mutants");
    shell::run(shell::cargo(build.split(' ')).arg("--target-dir").arg(&target))?;
    let program = target.join("release/simulate");
    let list = shell::output(Command::new(&program).arg("--list-mutants"))?;
    let names: Vec<&str> =
        list.lines().filter(|name| args.only.as_ref().is_none_or(|only| name.contains(only))).collect();
    if names.is_empty() {
        return Err("no mutant has a name like that; without `--only` all are made".into());
    }
    let mut missed = Vec::new();
    for name in &names {
        let mut simulate = Command::new(&program);
        simulate.args([
            "--mutant",
            name,
            "--seeds",
            &args.seeds.to_string(),
            "--from",
            &args.from.to_string(),
            "--quiet",
        ]);
        if shell::run(&mut simulate).is_err() {
            missed.push(*name);
        }
    }
    println!("{} of {} mutants caught", names.len() - missed.len(), names.len());
    if missed.is_empty() {
        Ok(())
    } else {
        Err(format!("not caught within {} seeds: {}", args.seeds, missed.join(", ")))
    }
}
