//! Lanes measured in turn, so that whatever disturbs the machine disturbs them all.

use std::time::Duration;

use crate::{CpuTime, Lane, Op, Plan, Result, Sample};

/// Rounds of one sample each; the order of the lanes turns around with each.
const ROUNDS: usize = 7;
/// How long a sample is to be.
const SAMPLE: Duration = Duration::from_millis(300);
/// Writes wait for the disk, which is less even than the processor.
const WRITE_SAMPLE: Duration = Duration::from_millis(600);
/// A percentile needs operations behind it.
const PERCENTILE_SAMPLE: Duration = Duration::from_millis(800);
/// Reads per key before popular keys are timed: so many until a cache that counts how often keys are asked for has
/// forgotten what it was filled with.
const WARMING: u64 = 4;
/// How long a run must be before it says how fast a lane is.
const CALIBRATION: Duration = Duration::from_millis(60);

/// What the rounds of one lane gave.
#[derive(Debug)]
pub struct Rounds {
    /// Cost of one operation per round. Nanoseconds of wall-clock time, or of the 99th percentile.
    pub costs: Vec<f64>,
    /// Processor time of all rounds.
    pub cpu: CpuTime,
    /// Operations of all rounds.
    pub operations: u64,
}

/// Measures every lane under the same plan, each with as many iterations as fill a sample.
///
/// A lane that fails drops out with its error; the others go on.
pub async fn interleave(lanes: &[&Lane], plan: Plan, server: Option<u32>) -> Vec<Result<Rounds>> {
    let mut runs = Vec::with_capacity(lanes.len());
    for lane in lanes {
        let rounds = Rounds { costs: Vec::with_capacity(ROUNDS), cpu: CpuTime::default(), operations: 0 };
        runs.push(calibrate(lane, plan).await.map(|plan| (plan, rounds)));
    }
    for round in 0..ROUNDS {
        for place in 0..lanes.len() {
            let index = if round % 2 == 0 { place } else { lanes.len() - 1 - place };
            if let Ok((plan, rounds)) = &mut runs[index]
                && let Err(error) = take(lanes[index], *plan, server, rounds).await
            {
                runs[index] = Err(error);
            }
        }
    }
    let mut results = Vec::with_capacity(lanes.len());
    for (lane, run) in lanes.iter().zip(runs) {
        results.push(match run {
            Ok((_, rounds)) => lane.verify().await.map(|()| rounds),
            Err(error) => Err(error),
        });
    }
    results
}

/// Runs longer and longer until the time can be believed; that warms the lane as well.
async fn calibrate(lane: &Lane, plan: Plan) -> Result<Plan> {
    let most = lane.longest(plan);
    if let Op::Popular(reads) = plan.op {
        let iterations = (WARMING * lane.keys() as u64).div_ceil((reads * plan.concurrency) as u64);
        lane.run(Plan { iterations, ..plan }).await?;
    }
    let mut plan = Plan { iterations: 4.min(most), ..plan };
    let wanted = match plan {
        Plan { latencies: true, .. } => PERCENTILE_SAMPLE,
        Plan { op: Op::Set, .. } => WRITE_SAMPLE,
        _ => SAMPLE,
    };
    loop {
        let elapsed = lane.run(plan).await?.elapsed;
        if elapsed >= CALIBRATION || plan.iterations == most {
            let per_iteration = elapsed.as_secs_f64() / plan.iterations as f64;
            let iterations = (wanted.as_secs_f64() / per_iteration).ceil().max(1.0) as u64;
            return Ok(Plan { iterations: iterations.min(most), ..plan });
        }
        plan.iterations = (plan.iterations * 4).min(most);
    }
}

async fn take(lane: &Lane, plan: Plan, server: Option<u32>, rounds: &mut Rounds) -> Result<()> {
    let before = CpuTime::now(server);
    let sample = lane.run(plan).await?;
    let used = CpuTime::now(server).since(before);
    rounds.cpu.client += used.client;
    rounds.cpu.server += used.server;
    rounds.operations += sample.iterations;
    rounds.costs.push(cost(sample)?);
    Ok(())
}

fn cost(mut sample: Sample) -> Result<f64> {
    match sample.percentile(0.99) {
        Some(nanos) => Ok(nanos as f64),
        None if sample.elapsed.is_zero() => Err("a sample took no time at all".into()),
        None => Ok(sample.nanos_per_iteration()),
    }
}
