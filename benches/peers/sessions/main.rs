//! What a session costs a request: hallway's sessions beside tower-sessions with its own stores, interleaved in one run.
//!
//! A request of hallway is one `load`, which also keeps the session alive. Of tower-sessions there are two: `load`, which
//! lets an active visitor's session end, and `load` and `save`, which is how it keeps one alive
//! (`Expiry::OnInactivity` with `with_always_save(true)`). Each iteration is one request of every one of 64 tasks.

mod contenders;
mod report;
mod rounds;

use std::io;
use std::path::Path;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, SamplingMode, Throughput};
use hallway_bench::machine::Origin;
use hallway_bench::{Result, Stage};
use tokio::runtime::Runtime;

use crate::contenders::{Backend, Visitor, open};
use crate::report::{print_json, print_table};
use crate::rounds::{TASKS, ratios, run};

fn main() {
    if let Err(error) = measure() {
        eprintln!("error: {error}");
        std::process::exit(1);
    }
}

fn measure() -> Result<()> {
    let runtime = Runtime::new()?;
    let mut stage = Stage::default();
    let folder = tempfile::tempdir()?;
    if std::env::args().any(|arg| arg == "--json") {
        return as_json(&runtime, &mut stage, folder.path());
    }
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_millis(1_000))
        .sample_size(10)
        .nresamples(2_000)
        .without_plots()
        .configure_from_args();
    // `cargo bench -- --test` and `--list` are answered by criterion; the table costs half a minute.
    let is_quick = std::env::args().any(|arg| arg == "--test" || arg == "--list");
    println!("requests of {TASKS} tasks; times their throughput, median of the rounds (lowest to highest)");
    for backend in Backend::ALL {
        let visitors = runtime.block_on(open(&mut stage, folder.path(), backend))?;
        if !is_quick {
            let rows = runtime.block_on(ratios(backend, &visitors))?;
            print_table(&mut io::stdout().lock(), &rows)?;
        }
        bench(&mut criterion, &runtime, backend, &visitors);
    }
    criterion.final_summary();
    println!("\nmeasured on: {}", runtime.block_on(origin(&stage))?.machine);
    Ok(())
}

/// The table alone, for programs; criterion would not know the argument and has nothing to say in JSON.
fn as_json(runtime: &Runtime, stage: &mut Stage, folder: &Path) -> Result<()> {
    let mut rows = Vec::new();
    for backend in Backend::ALL {
        eprintln!("{} ...", backend.name());
        let visitors = runtime.block_on(open(stage, folder, backend))?;
        rows.extend(runtime.block_on(ratios(backend, &visitors))?);
    }
    let origin = runtime.block_on(origin(stage))?;
    Ok(print_json(&mut io::stdout().lock(), &origin, &rows)?)
}

async fn origin(stage: &Stage) -> Result<Origin> {
    Origin::here(stage, "cargo bench --manifest-path benches/peers/Cargo.toml --bench sessions --").await
}

fn bench(criterion: &mut Criterion, runtime: &Runtime, backend: Backend, visitors: &[Visitor]) {
    let mut group = criterion.benchmark_group(format!("session-request/{}/{TASKS}", backend.name()));
    group.throughput(Throughput::Elements(TASKS as u64)).sampling_mode(SamplingMode::Flat);
    for visitor in visitors {
        group.bench_function(BenchmarkId::from_parameter(visitor.name), |bencher| {
            bencher.iter_custom(|iterations| match runtime.block_on(run(visitor, iterations)) {
                Ok(elapsed) => elapsed,
                // A figure with a failed request in it is void.
                Err(error) => panic!("{error}"),
            });
        });
    }
    group.finish();
}
