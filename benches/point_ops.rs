//! get, set and get_many of every store: hallway's through its own type, as `dyn`, and the library beneath.
//!
//! Ids read `operation/store/value size/concurrency/contender`; an iteration is one operation of every task. Redis and
//! PostgreSQL are started privately if they are installed; what was not measured is said at the end.

use std::sync::Arc;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, SamplingMode, Throughput};
use hallway_bench::{Lane, Lanes, Op, Plan, Stage, Store, Workload, machine};
use tokio::runtime::Runtime;

/// Value size, number of keys: the keys of a size fit into memory many times over.
const SIZES: [(usize, usize, &str); 3] = [(128, 1_000, "128B"), (1 << 10, 1_000, "1KiB"), (64 << 10, 64, "64KiB")];
const BATCH: usize = 100;

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

    for store in [Store::Moka, Store::Sqlite, Store::Redis, Store::Postgres] {
        for (value_bytes, keys, size) in SIZES {
            let workload = Arc::new(Workload::new(keys, value_bytes, 4));
            match runtime.block_on(stage.lanes(store, &workload)) {
                Ok(lanes) => measure(&mut criterion, &runtime, store, size, keys, &lanes),
                Err(error) => {
                    not_measured.push(format!("{} ({error})", store.name()));
                    break;
                }
            }
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

fn measure(criterion: &mut Criterion, runtime: &Runtime, store: Store, size: &str, keys: usize, lanes: &Lanes) {
    // The small size at every concurrency; the others once, for what copying costs.
    let concurrencies: &[usize] = match (size, store) {
        ("128B", Store::Moka) => &[1, 2],
        ("128B", _) => &[1, 16, 64, 256],
        _ => &[1],
    };
    for &concurrency in concurrencies {
        for (name, op) in [("get", Op::Get), ("set", Op::Set), ("get_many", Op::GetMany(BATCH))] {
            // Many large values, or many batches at once, tell nothing that the cells measured do not.
            if matches!(op, Op::GetMany(count) if count > keys || size != "128B" || concurrency > 16) {
                continue;
            }
            let mut group = criterion.benchmark_group(format!("{name}/{}/{size}/{concurrency}", store.name()));
            group.throughput(Throughput::Elements(concurrency as u64));
            if store != Store::Moka {
                group.sampling_mode(SamplingMode::Flat);
            }
            let try_get = lanes.at_once.as_ref().filter(|_| op == Op::Get);
            for lane in [&lanes.ours, lanes.raw(op)].into_iter().chain(&lanes.ours_dyn).chain(try_get) {
                let plan = Plan { op, concurrency, iterations: 0, latencies: false };
                group.bench_function(BenchmarkId::from_parameter(lane.name()), |bencher| {
                    bencher.iter_custom(|iterations| run(runtime, lane, Plan { iterations, ..plan }));
                });
            }
            group.finish();
        }
    }
}

fn run(runtime: &Runtime, lane: &Lane, plan: Plan) -> Duration {
    match runtime.block_on(lane.run(plan)) {
        Ok(sample) => sample.elapsed,
        // A figure with a failed or wrong read in it is void.
        Err(error) => panic!("{error}"),
    }
}
