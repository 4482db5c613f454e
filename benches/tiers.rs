//! What tiers and caches cost: hits in the process, hits on Redis, misses, a mix of keys, and consistent reads, beside
//! the libraries beneath.
//!
//! Ids read `operation/concurrency/contender`; an iteration is one operation of every task. Redis and PostgreSQL are
//! started privately if they are installed; what was not measured is said at the end.

use std::sync::Arc;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, SamplingMode, Throughput};
use hallway_bench::{Lane, Lanes, Op, Plan, Stage, Store, machine};
use tokio::runtime::Runtime;

const MIX: usize = 10;

/// What is measured of each store: name, operation, concurrencies.
type Cells = &'static [(&'static str, Op, &'static [usize])];

const STORES: [(Store, Cells); 4] = [
    (Store::CacheHot, &[("local-hit", Op::Get, &[1, 2])]),
    (Store::CacheWide, &[("local-hit-worst", Op::Get, &[1])]),
    (
        Store::CacheShared,
        &[("shared-hit", Op::First, &[64, 256]), ("full-miss", Op::Load, &[64]), ("zipf-mix", Op::Popular(MIX), &[64])],
    ),
    (Store::TieredPostgres, &[("consistent-get", Op::Get, &[1, 64])]),
];

fn main() {
    let runtime = Runtime::new().unwrap_or_else(|error| panic!("no runtime: {error}"));
    let mut criterion = Criterion::default()
        .warm_up_time(Duration::from_millis(200))
        .measurement_time(Duration::from_millis(500))
        .sample_size(10)
        .nresamples(2_000)
        .without_plots()
        .configure_from_args();
    let mut stage = Stage::default();
    let mut not_measured = Vec::new();

    for (store, cells) in STORES {
        match runtime.block_on(stage.lanes(store, &Arc::new(store.workload(None)))) {
            Ok(lanes) => measure(&mut criterion, &runtime, &lanes, cells),
            Err(error) => not_measured.push(format!("{store:?} ({error})")),
        }
    }
    criterion.final_summary();
    match runtime.block_on(machine::describe(&stage)) {
        Ok(machine) => println!("\nmeasured on: {machine}"),
        Err(error) => println!("\nmeasured on an unknown machine: {error}"),
    }
    for store in not_measured {
        println!("not measured: {store}");
    }
}

fn measure(criterion: &mut Criterion, runtime: &Runtime, lanes: &Lanes, cells: Cells) {
    for &(name, op, concurrencies) in cells {
        for &concurrency in concurrencies {
            let mut group = criterion.benchmark_group(format!("{name}/{concurrency}"));
            group.throughput(Throughput::Elements(concurrency as u64));
            if lanes.server.is_some() {
                group.sampling_mode(SamplingMode::Flat);
            }
            let plan = Plan { op, concurrency, iterations: 0, latencies: false };
            for lane in [&lanes.ours, lanes.raw(op)].into_iter().chain(&lanes.at_once).chain(&lanes.bare) {
                group.bench_function(BenchmarkId::from_parameter(lane.name()), |bencher| {
                    bencher.iter_custom(|iterations| run(runtime, lane, Plan { iterations, ..plan }));
                });
            }
            group.finish();
        }
    }
}

/// In several runs, if the lane cannot do so many iterations in one.
fn run(runtime: &Runtime, lane: &Lane, plan: Plan) -> Duration {
    let mut elapsed = Duration::ZERO;
    let mut left = plan.iterations;
    while left > 0 {
        let iterations = left.min(lane.longest(plan));
        match runtime.block_on(lane.run(Plan { iterations, ..plan })) {
            Ok(sample) => elapsed += sample.elapsed,
            // A figure with a failed or wrong read in it is void.
            Err(error) => panic!("{error}"),
        }
        left -= iterations;
    }
    elapsed
}
