//! Makes the tables and figures of the documents from the raw results, or says which are out of date.

use std::path::Path;
use std::process::ExitCode;

use clap::Parser;
use hallway_bench::Result;
use hallway_bench::published::generate;

/// Makes the tables and figures of the documents from the raw results in docs/benchmarks
#[derive(Debug, Parser)]
#[command(name = "tables")]
struct Args {
    /// Write nothing; fail if something is out of date
    #[arg(long)]
    check: bool,
}

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().ok_or("the benches lie in the workspace")?;
    let generated = generate(root)?;
    let differing: Vec<_> = generated.differing(root).iter().map(|path| path.display().to_string()).collect();
    if args.check && !differing.is_empty() {
        return Err(format!("out of date: {}; run `cargo xtask bench-tables`", differing.join(", ")).into());
    }
    if !args.check {
        generated.write(root)?;
    }
    println!("{} files, {} changed", generated.files.len(), differing.len());
    differing.iter().for_each(|path| println!("  {path}"));
    Ok(())
}
