//! Builds and runs the ratios of `hallway-bench`.

use std::path::Path;
use std::process::Command;

use crate::{Result, shell};

/// What to measure and how to print it.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Measure only goals whose id matches this regular expression, such as `^redis/get/`
    #[arg(long)]
    only: Option<String>,
    /// Measure the goals with values of so many bytes instead of those that they are for
    #[arg(long, value_name = "N", conflicts_with = "peers")]
    value_bytes: Option<u32>,
    /// Print JSON on standard output instead of a table
    #[arg(long)]
    json: bool,
    /// Afterwards run hallway beside its rivals, which are built for it; `--only` selects among both
    #[arg(long)]
    peers: bool,
}

/// The rivals are a workspace of their own, so that nothing else builds them.
const PEERS: &str = "benches/peers";

pub(crate) fn run(args: &Args) -> Result {
    // Both programs of the package: `ratios` runs the one that counts allocations.
    let build = "build --release --quiet --locked --package hallway-bench --bins";
    shell::run(&mut shell::cargo(build.split(' ')))?;
    let target = shell::target_dir();
    let goals = shell::run(&mut measurement(&target.join("release/ratios"), args));
    if !args.peers {
        return goals;
    }
    // A goal that could not be measured is no reason to leave the rivals out.
    let (manifest, target) = (shell::root().join(PEERS).join("Cargo.toml"), target.join("peers"));
    let mut build = shell::cargo("build --release --quiet --locked --manifest-path".split(' '));
    shell::run(build.arg(manifest).arg("--target-dir").arg(&target))?;
    let peers = shell::run(&mut measurement(&target.join("release/hallway-peers"), args));
    goals.and(peers)
}

/// One of the two programs, which understand the same arguments.
fn measurement(program: &Path, args: &Args) -> Command {
    let mut command = Command::new(program);
    if let Some(only) = &args.only {
        command.args(["--only", only]);
    }
    if let Some(bytes) = args.value_bytes {
        command.arg("--value-bytes").arg(bytes.to_string());
    }
    if args.json {
        command.arg("--json");
    }
    if args.peers {
        // What `--only` selects may be of the other program alone.
        command.arg("--may-be-none");
    }
    command
}
