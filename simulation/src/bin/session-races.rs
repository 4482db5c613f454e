//! Many races of sessions on one backend, on all cores, resumable.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use clap::Parser;
use hallway_simulation::sessions::{Home, Tally, run};

/// How many seeds there are between two notes in the state file.
const CHUNK: u64 = 500;

#[derive(Debug, Parser)]
#[command(
    name = "session-races",
    about = "Races sessions on the simulated form of a backend and says which promise was not kept, if any"
)]
struct Args {
    /// Where the sessions live
    #[arg(long)]
    home: Home,
    /// First seed
    #[arg(long, default_value_t = 0)]
    from: u64,
    /// How many seeds
    #[arg(long, default_value_t = 2_000)]
    seeds: u64,
    /// Notes what is done in this file, and goes on from there when run again
    #[arg(long)]
    state: Option<PathBuf>,
    /// Prints the whole history of the seed that fails
    #[arg(long)]
    verbose: bool,
}

fn main() -> ExitCode {
    let args = Args::parse();
    match races(&args) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(2)
        }
    }
}

fn races(args: &Args) -> Result<bool, String> {
    let end = args.from + args.seeds;
    let mut from = match &args.state {
        Some(path) => resume(path)?.unwrap_or(args.from),
        None => args.from,
    };
    let began = Instant::now();
    let mut said = began;
    let first = from;
    let mut total = Tally::default();
    while from < end {
        let to = (from + CHUNK).min(end);
        match chunk(args.home, from, to) {
            Ok(tally) => total.add(&tally),
            Err(text) => {
                let text = if args.verbose { text.as_str() } else { text.lines().next().unwrap_or_default() };
                println!("{text}");
                return Ok(false);
            }
        }
        from = to;
        if let Some(path) = &args.state {
            std::fs::write(path, format!("{from}\n")).map_err(|error| format!("{}: {error}", path.display()))?;
        }
        if said.elapsed() >= Duration::from_secs(5) {
            said = Instant::now();
            let rate = (from - first) as f64 / began.elapsed().as_secs_f64();
            eprintln!("{} seeds, {rate:.0} a second, about {:.0} s left", from - first, (end - from) as f64 / rate);
        }
    }
    println!(
        "{:?}, seeds {first} to {}: 0 violations in {} calls ({} found a session, {} found none, {} of unknown outcome, {} rotations), {:.1} s",
        args.home,
        end.saturating_sub(1),
        total.calls,
        total.live,
        total.gone,
        total.unknown,
        total.rotated,
        began.elapsed().as_secs_f64()
    );
    Ok(true)
}

/// A few seeds on all cores.
fn chunk(home: Home, from: u64, to: u64) -> Result<Tally, String> {
    let next = AtomicU64::new(from);
    let stop = AtomicBool::new(false);
    let total = Mutex::new(Ok(Tally::default()));
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, std::num::NonZero::get) {
            scope.spawn(|| {
                let mut own = Tally::default();
                while !stop.load(Ordering::Relaxed) {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= to {
                        break;
                    }
                    match run(seed, home) {
                        Ok(tally) => own.add(&tally),
                        Err(violation) => {
                            stop.store(true, Ordering::Relaxed);
                            *total.lock().unwrap_or_else(PoisonError::into_inner) = Err(violation.to_string());
                        }
                    }
                }
                if let Ok(total) = &mut *total.lock().unwrap_or_else(PoisonError::into_inner) {
                    total.add(&own);
                }
            });
        }
    });
    total.into_inner().unwrap_or_else(PoisonError::into_inner)
}

fn resume(path: &Path) -> Result<Option<u64>, String> {
    match std::fs::read_to_string(path) {
        Ok(text) => match text.trim().parse() {
            Ok(seed) => {
                eprintln!("going on at seed {seed}");
                Ok(Some(seed))
            }
            Err(_) => Err(format!("{} does not hold a seed; remove it", path.display())),
        },
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(format!("{}: {error}", path.display())),
    }
}
