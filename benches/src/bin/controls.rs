//! `controls`: whether a study on this machine says `equal` of one backend measured twice, and finds one that is a fifth
//! slower. Neither is a test, because both are timings.

use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use hallway_bench::controls::{Control, Controls};
use hallway_bench::machine::Origin;
use hallway_bench::{Op, Plan, Result, Stage, Workload};
use hallway_study::chart::Scale;
use hallway_study::lab::{CONTROL_BACKENDS, Choice, Choices, Lab, SLOWER, Shape};
use hallway_study::placement::Placement;
use hallway_study::report::{StudyMode, Verdict};
use hallway_study::rounds::{Driver, Measured, Point, PointId, shuffled};
use hallway_study::statistics::{Curves, Judge, Side, noise_floor};
use hallway_study::study::Depth;
use tempfile::TempDir;

/// One backend under five names. The first three tell the noise; the fourth is judged by it, and the last is slower.
const SERIES: [&str; 5] = ["a", "b", "c", "d", "slower"];
const GROUP: &str = "controls/get";
/// What people type.
const COMMAND: &str = "cargo run --release -p hallway-bench --bin controls --";

#[derive(Parser)]
struct Args {
    /// Studies, one after the other
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..))]
    runs: u64,
    /// As a full study measures, not a quick one
    #[arg(long)]
    full: bool,
    /// On all cores, as a study does with `--placement shared`
    #[arg(long)]
    shared: bool,
    /// Print JSON on standard output, instead of a sentence; the line for each study goes to standard error either way
    #[arg(long)]
    json: bool,
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

fn run(args: &Args) -> Result<bool> {
    let mode = if args.full { StudyMode::Full } else { StudyMode::Quick };
    let placement = if args.shared {
        Placement::Shared
    } else {
        Placement::pinned().map_err(|why| format!("{why}; --shared measures on all cores"))?
    };
    let pinned = placement.study()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let choices = Choices { redis: Choice::Start, postgres: Choice::Start, placement: placement.clone() };
    let mut studies = Vec::new();
    for seed in 0..args.runs {
        let depth = Depth { mode, seed };
        let folder = TempDir::new()?;
        let lab = runtime.block_on(Lab::open(&choices, folder.path(), None))?;
        let points = runtime.block_on(points(&lab))?;
        let home = folder.path().join("criterion");
        let driver = Driver::new(&home, runtime.handle().clone(), depth.times(), true)?;
        for round in 1..=depth.rounds() {
            for point in shuffled(&points, seed, round) {
                driver.measure(point, round)?;
            }
        }
        let measured = Measured::read(&home)?;
        let mut floor: f64 = 0.0;
        for (one, other) in [("a", "b"), ("b", "c"), ("a", "c")] {
            floor = floor.max(noise_floor(&curves(&measured, one, other)?));
        }
        let judge = Judge::new(floor, seed);
        let same = judge.judge(&curves(&measured, "c", "d")?);
        let slower = judge.judge(&curves(&measured, "d", "slower")?);
        let [least, most] = [slower.overall.high, slower.overall.low].map(|log| (-log).exp());
        let control = Control {
            noise: floor.exp_m1(),
            same: same.verdict,
            slower: slower.verdict,
            found: slower.verdict == Verdict::NoCrossover && slower.winner == Some(Side::A),
            times: [least, most],
        };
        eprintln!(
            "{:>3}  noise {:>5.2} %  the same: {:?}  a fifth slower: {:?}, {least:.3} to {most:.3} times",
            seed + 1,
            control.noise * 100.0,
            control.same,
            control.slower,
        );
        studies.push(control);
    }
    drop(pinned);
    let origin = runtime.block_on(Origin::here(&Stage::default(), COMMAND))?;
    let placement = placement.to_string();
    let backends = CONTROL_BACKENDS.map(|backend| backend.name().to_owned()).to_vec();
    let rounds = Depth { mode, seed: 0 }.rounds();
    let controls = Controls { origin, mode, rounds, placement, backends, slower_by: SLOWER, studies };
    let (equal, found, whole) = (controls.equal(), controls.found(), controls.found_on_the_whole());
    match args.json {
        true => println!("{}", serde_json::to_string_pretty(&controls)?),
        false => println!(
            "of {}: equal in {equal}, {SLOWER} slower found in {whole} on the whole, in {found} by a verdict for every point",
            args.runs
        ),
    }
    let runs = controls.studies.len();
    Ok(equal == runs && whole == runs)
}

async fn points(lab: &Lab) -> Result<Vec<Point>> {
    let workload = Arc::new(Workload::new(1_000, 256, 4));
    let plan = Plan { op: Op::Get, concurrency: 1, iterations: 0, latencies: false };
    let mut points = Vec::new();
    for (index, backend) in CONTROL_BACKENDS.into_iter().enumerate() {
        let lane = lab.lane(backend, Shape::Bytes, &workload).await?;
        let cell = lab.cell(backend, &lane, plan);
        for series in SERIES {
            let cell = if series == "slower" { cell.slowed(SLOWER) } else { cell.clone() };
            points.push(Point::new(GROUP, series, (index + 1) as f64, cell));
        }
    }
    Ok(points)
}

fn curves(measured: &Measured, a: &str, b: &str) -> Result<Curves> {
    let of = |series: &str| -> Vec<Vec<f64>> {
        (1..=CONTROL_BACKENDS.len()).map(|x| measured.rounds(&PointId::new(GROUP, series, x as f64))).collect()
    };
    let (a, b) = (of(a), of(b));
    let rounds = a.iter().chain(&b).map(Vec::len).min().unwrap_or(0);
    let by_round =
        |side: &[Vec<f64>]| (0..rounds).map(|round| side.iter().map(|point| point[round]).collect()).collect();
    Curves::new(Scale::Linear, (1..=CONTROL_BACKENDS.len()).map(|x| x as f64).collect(), by_round(&a), by_round(&b))
}
