//! Two lanes measured in turn, so that whatever disturbs the machine disturbs both.

use std::time::Duration;

use crate::{CpuTime, Lane, Op, Plan, Result, Sample};

/// Rounds of one sample each; one in which the other lane goes first follows one in which this does.
const ROUNDS: usize = 7;
/// How long a sample is to be.
const SAMPLE: Duration = Duration::from_millis(300);
/// Writes wait for the disk, which is less even than the processor.
const WRITE_SAMPLE: Duration = Duration::from_millis(600);
/// A percentile needs operations behind it.
const PERCENTILE_SAMPLE: Duration = Duration::from_millis(800);
/// How long a run must be before it says how fast a lane is.
const CALIBRATION: Duration = Duration::from_millis(60);

/// What the rounds gave.
#[derive(Debug, Default)]
pub(super) struct Pairs {
    /// Cost of one operation per round: ours, raw. Nanoseconds of wall-clock time, or of the 99th percentile.
    pub(super) rounds: Vec<(f64, f64)>,
    pub(super) ours_cpu: CpuTime,
    pub(super) raw_cpu: CpuTime,
    pub(super) ours_operations: u64,
    pub(super) raw_operations: u64,
}

/// Measures both lanes under the same plan, each with as many iterations as fill a sample.
pub(super) async fn run(ours: &Lane, raw: &Lane, plan: Plan, server: Option<u32>) -> Result<Pairs> {
    let ours_plan = calibrate(ours, plan).await?;
    let raw_plan = calibrate(raw, plan).await?;
    let mut pairs = Pairs::default();
    for round in 0..ROUNDS {
        let (ours_took, raw_took);
        if round % 2 == 0 {
            ours_took = take(ours, ours_plan, server, &mut pairs.ours_cpu).await?;
            raw_took = take(raw, raw_plan, server, &mut pairs.raw_cpu).await?;
        } else {
            raw_took = take(raw, raw_plan, server, &mut pairs.raw_cpu).await?;
            ours_took = take(ours, ours_plan, server, &mut pairs.ours_cpu).await?;
        }
        pairs.ours_operations += ours_took.iterations;
        pairs.raw_operations += raw_took.iterations;
        pairs.rounds.push((cost(ours_took)?, cost(raw_took)?));
    }
    ours.verify().await?;
    raw.verify().await?;
    Ok(pairs)
}

/// Runs longer and longer until the time can be believed; that warms the lane as well.
async fn calibrate(lane: &Lane, plan: Plan) -> Result<Plan> {
    let mut plan = Plan { iterations: 4, ..plan };
    let wanted = match plan {
        Plan { latencies: true, .. } => PERCENTILE_SAMPLE,
        Plan { op: Op::Set, .. } => WRITE_SAMPLE,
        _ => SAMPLE,
    };
    loop {
        let elapsed = lane.run(plan).await?.elapsed;
        if elapsed >= CALIBRATION {
            let per_iteration = elapsed.as_secs_f64() / plan.iterations as f64;
            return Ok(Plan { iterations: (wanted.as_secs_f64() / per_iteration).ceil().max(1.0) as u64, ..plan });
        }
        plan.iterations *= 4;
    }
}

async fn take(lane: &Lane, plan: Plan, server: Option<u32>, cpu: &mut CpuTime) -> Result<Sample> {
    let before = CpuTime::now(server);
    let sample = lane.run(plan).await?;
    let used = CpuTime::now(server).since(before);
    cpu.client += used.client;
    cpu.server += used.server;
    Ok(sample)
}

fn cost(mut sample: Sample) -> Result<f64> {
    match sample.percentile(0.99) {
        Some(nanos) => Ok(nanos as f64),
        None if sample.elapsed.is_zero() => Err("a sample took no time at all".into()),
        None => Ok(sample.nanos_per_iteration()),
    }
}
