//! The loop that measures, and the ratios of one run.

use std::time::{Duration, Instant};

use hallway_bench::Result;

use crate::contenders::{Backend, SESSIONS, Visitor};
use crate::report::{Range, Row};

/// Requests at a time.
pub(crate) const TASKS: usize = 64;

/// Rounds in which the contenders take turns.
const ROUNDS: usize = 7;

/// How long a contender runs in a round, about.
const TURN: Duration = Duration::from_millis(300);

/// Runs so many requests in each task; every answer is checked.
pub(crate) async fn run(visitor: &Visitor, iterations: u64) -> Result<Duration> {
    let began = Instant::now();
    let mut tasks = Vec::with_capacity(TASKS);
    for task in 0..TASKS {
        let request = visitor.request.clone();
        tasks.push(tokio::spawn(async move {
            for step in 0..iterations as usize {
                request(((task * 31 + step * 7) % SESSIONS) as u32).await?;
            }
            Ok::<_, hallway_bench::Failure>(())
        }));
    }
    for task in tasks {
        task.await??;
    }
    Ok(began.elapsed())
}

/// How many requests each contender answers, and how that of hallway, which is the first, compares.
pub(crate) async fn ratios(backend: Backend, visitors: &[Visitor]) -> Result<Vec<Row>> {
    let mut turns = Vec::new();
    for visitor in visitors {
        // As many as fit into a turn, from a first look that also warms up.
        let first = run(visitor, 20).await?;
        turns.push((20.0 * TURN.as_secs_f64() / first.as_secs_f64()).max(1.0) as u64);
    }
    let mut costs = vec![Vec::new(); visitors.len()];
    for round in 0..ROUNDS {
        for place in 0..visitors.len() {
            // Each goes first in some round.
            let index = (place + round) % visitors.len();
            let elapsed = run(&visitors[index], turns[index]).await?;
            costs[index].push(elapsed.as_secs_f64() / (turns[index] as f64 * TASKS as f64));
        }
    }
    let row = |(index, visitor): (usize, &Visitor)| Row {
        operation: format!("session-request/{}/{TASKS}", backend.name()),
        contender: visitor.name,
        unit: "requests/s",
        measured: Range::of(costs[index].iter().map(|cost| 1.0 / cost)),
        hallway: match index {
            0 => None,
            _ => Range::of(costs[index].iter().zip(&costs[0]).map(|(theirs, ours)| theirs / ours)),
        },
    };
    Ok(visitors.iter().enumerate().map(row).collect())
}
