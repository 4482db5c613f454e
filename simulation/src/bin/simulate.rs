//! Many seeds of the simulation, on all cores, resumable.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use clap::Parser;
use hallway_simulation::Report;

/// How many seeds a thread takes at a time.
const CHUNK: u64 = 50;

#[derive(Debug, Parser)]
#[command(name = "simulate", about = "Runs seeds of the simulation and says which promise was not kept, if any")]
struct Args {
    /// First seed
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// How many seeds
    #[arg(long, default_value_t = 2_000)]
    seeds: u64,
    /// Threads; all cores by default
    #[arg(long)]
    jobs: Option<usize>,
    /// Notes what is done in this file, and goes on from there when run again
    #[arg(long)]
    state: Option<PathBuf>,
    /// Makes this mistake (feature `mutants`) and succeeds when a seed notices it
    #[arg(long)]
    mutant: Option<String>,
    /// Stops at the first violation and writes its history there as JSON
    #[arg(long)]
    json: Option<PathBuf>,
    /// Prints what each seed means and counts
    #[arg(long)]
    verbose: bool,
    /// Prints the result alone
    #[arg(long)]
    quiet: bool,
    /// Prints the names of the mistakes that can be made
    #[arg(long)]
    list_mutants: bool,
}

/// What all threads together have done.
#[derive(Debug, Default)]
struct Total {
    seeds: u64,
    operations: u64,
    local_hits: u64,
    shared_hits: u64,
    loads: u64,
    unannounced: u64,
}

impl Total {
    fn add(&mut self, report: &Report) {
        self.seeds += 1;
        self.operations += report.operations as u64;
        self.local_hits += report.local_hits;
        self.shared_hits += report.shared_hits;
        self.loads += report.loads;
        self.unannounced += report.unannounced;
    }
}

fn main() -> ExitCode {
    let args = Args::parse();
    match run(&args) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(2)
        }
    }
}

fn run(args: &Args) -> Result<bool, String> {
    if args.list_mutants {
        for mutant in hallway_core::mutant::Mutant::ALL {
            println!("{}", mutant.name());
        }
        return Ok(true);
    }
    let mutant = args.mutant.as_deref().map(switch_on).transpose()?;
    let first = match &args.state {
        Some(path) => resume(path, args.from)?,
        None => args.from,
    };
    let end = args.from + args.seeds;
    let next = AtomicU64::new(first);
    let found: Mutex<BTreeMap<u64, String>> = Mutex::default();
    let total = Mutex::new(Total::default());
    let done: Mutex<BTreeMap<u64, u64>> = Mutex::default();
    let began = Instant::now();
    if first > args.from {
        eprintln!("going on at seed {first}");
    }
    let jobs = args.jobs.unwrap_or_else(|| std::thread::available_parallelism().map_or(1, std::num::NonZero::get));
    std::panic::set_hook(Box::new(|_| {}));
    std::thread::scope(|scope| {
        for _ in 0..jobs {
            scope.spawn(|| {
                loop {
                    let chunk = next.fetch_add(CHUNK, Ordering::SeqCst);
                    let stopped = !lock(&found).is_empty();
                    if chunk >= end || stopped {
                        return;
                    }
                    for seed in chunk..(chunk + CHUNK).min(end) {
                        match one(seed, args) {
                            Ok(report) => lock(&total).add(&report),
                            Err(text) => {
                                lock(&found).insert(seed, text);
                                return;
                            }
                        }
                    }
                    lock(&done).insert(chunk, (chunk + CHUNK).min(end));
                }
            });
        }
        scope.spawn(|| report(args, first, end, &done, &found, &total, began));
    });
    let total = lock(&total);
    let found = lock(&found);
    let seconds = began.elapsed().as_secs_f64();
    if !args.quiet {
        println!(
            "{} seeds in {seconds:.1} s: {} operations, {} local hits, {} shared hits, {} loads, {} unannounced writes",
            total.seeds, total.operations, total.local_hits, total.shared_hits, total.loads, total.unannounced
        );
    }
    match (found.first_key_value(), mutant) {
        (None, None) => {
            println!("seeds {first} to {}: 0 violations", end - 1);
            Ok(true)
        }
        (Some((seed, text)), None) => {
            println!("seed {seed}: {text}");
            Ok(false)
        }
        (Some((seed, text)), Some(name)) => {
            println!("{name}: caught by seed {seed}: {}", text.lines().next().unwrap_or_default());
            Ok(true)
        }
        (None, Some(name)) => {
            println!("{name}: NOT caught by seeds {first} to {}", end - 1);
            Ok(false)
        }
    }
}

fn one(seed: u64, args: &Args) -> Result<Report, String> {
    match catch_unwind(AssertUnwindSafe(|| hallway_simulation::run(seed))) {
        Ok(Ok(report)) => {
            if args.verbose {
                println!("{}: {report:?}", hallway_simulation::Scenario::of(seed));
            }
            Ok(report)
        }
        Ok(Err(failure)) => {
            if let Some(path) = &args.json
                && let Err(error) = std::fs::write(path, &failure.json)
            {
                eprintln!("{}: {error}", path.display());
            }
            Err(failure.to_string())
        }
        Err(panic) => {
            let text = panic.downcast_ref::<String>().map(String::as_str);
            Err(format!("panicked: {}", text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("?")))
        }
    }
}

/// Progress and the state file, once a second, until all is done.
fn report(
    args: &Args,
    first: u64,
    end: u64,
    done: &Mutex<BTreeMap<u64, u64>>,
    found: &Mutex<BTreeMap<u64, String>>,
    total: &Mutex<Total>,
    began: Instant,
) {
    let mut said = Instant::now();
    let mut reached = first;
    loop {
        std::thread::sleep(Duration::from_millis(100));
        // Chunks end in any order; the file says up to where none is missing.
        while let Some(to) = lock(done).remove(&reached) {
            reached = to;
        }
        let over = reached >= end || !lock(found).is_empty();
        if over || said.elapsed() >= Duration::from_secs(5) {
            said = Instant::now();
            if let Some(path) = &args.state
                && let Err(error) = std::fs::write(path, format!("{reached}\n"))
            {
                eprintln!("{}: {error}", path.display());
            }
            if args.quiet {
                if over {
                    return;
                }
                continue;
            }
            let seeds = lock(total).seeds;
            let rate = seeds as f64 / began.elapsed().as_secs_f64().max(0.001);
            let left = (end - first).saturating_sub(seeds) as f64 / rate.max(0.001);
            eprintln!("{seeds} seeds, {rate:.0} a second, about {left:.0} s left");
            // Progress is for people; a closed pipe is no reason to stop.
            let _ = std::io::stderr().flush();
        }
        if over {
            return;
        }
    }
}

fn resume(path: &Path, from: u64) -> Result<u64, String> {
    match std::fs::read_to_string(path) {
        Ok(text) => {
            let seed = text.trim().parse::<u64>();
            seed.map(|seed| seed.max(from)).map_err(|_| format!("{} does not hold a seed; remove it", path.display()))
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(from),
        Err(error) => Err(format!("{}: {error}", path.display())),
    }
}

#[cfg(feature = "mutants")]
fn switch_on(name: &str) -> Result<&'static str, String> {
    use hallway_core::mutant::Mutant;
    let mutant = Mutant::ALL.iter().find(|mutant| mutant.name() == name);
    let mutant = mutant.ok_or_else(|| {
        format!(
            "no mutant `{name}`; there are {}",
            Mutant::ALL.iter().map(|mutant| mutant.name()).collect::<Vec<_>>().join(", ")
        )
    })?;
    mutant.switch_on();
    Ok(mutant.name())
}

#[cfg(not(feature = "mutants"))]
fn switch_on(_name: &str) -> Result<&'static str, String> {
    Err("built without mutants; add `--features mutants`".into())
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    // Every value behind these locks is whole at any time.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
