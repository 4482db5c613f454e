//! A cache in front of the database, end to end: reads with an exact hit ratio, timed whole.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::aside::{Aside, CACHED, MISSED};
use super::database::Work;
use crate::Result;
use crate::study::drawn_median;

/// The hit ratios that are replayed.
pub(super) const RATIOS: [f64; 3] = [0.5, 0.9, 0.99];
/// Reads of one turn, so that every ratio has whole misses.
const TURN: usize = 100;
/// Of each part, so many are timed alone after each turn of all hit ratios.
const ALONE: usize = 10;

/// What was found at all hit ratios, and of the parts beside them: what the machine does meanwhile hits all alike. Means
/// of turns, of which the middle: a disturbed turn does not move it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Replay {
    pub(super) ratios: Vec<Replayed>,
    /// A hit among hits alone, nanoseconds.
    pub(super) hit_ns: f64,
    /// A miss among misses alone: look, read of the database, fill.
    pub(super) miss_ns: f64,
    /// A read of the database among reads alone.
    pub(super) read_ns: f64,
}

/// What was found at one hit ratio.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct Replayed {
    pub(super) hit_ratio: f64,
    pub(super) requests: u64,
    pub(super) hits: u64,
    pub(super) mean_ns: f64,
}

/// Replays all hit ratios for so long, by turns with the parts.
pub(super) async fn replay(aside: Aside, work: Work, lasts: Duration) -> Result<Replay> {
    tokio::spawn(async move {
        // A turn that does not count.
        turn(&aside, work, RATIOS[0], 0).await?;
        turns(&aside, work, lasts).await
    })
    .await?
}

async fn turns(aside: &Aside, work: Work, lasts: Duration) -> Result<Replay> {
    let start = Instant::now();
    let (mut means, mut hits) = ([const { Vec::new() }; RATIOS.len()], [0; RATIOS.len()]);
    let mut parts = [const { Vec::new() }; 3];
    let mut number = 0;
    while start.elapsed() < lasts || number == 0 {
        for (at, hit_ratio) in RATIOS.into_iter().enumerate() {
            let (took, of_turn) = turn(aside, work, hit_ratio, number).await?;
            means[at].push(took.as_nanos() as f64 / TURN as f64);
            hits[at] += of_turn;
        }
        let from = number * ALONE;
        let alone = [
            aside.hits(work, from, ALONE).await?,
            aside.misses(work, from, ALONE).await?,
            aside.reads(work, from, ALONE).await?,
        ];
        for (means, took) in parts.iter_mut().zip(alone) {
            means.push(took.as_nanos() as f64 / ALONE as f64);
        }
        number += 1;
    }
    let middle = |means: &[f64]| drawn_median(means, &(0..means.len()).collect::<Vec<_>>());
    let ratios = RATIOS.into_iter().zip(means).zip(hits).map(|((hit_ratio, means), hits)| Replayed {
        hit_ratio,
        requests: (number * TURN) as u64,
        hits,
        mean_ns: middle(&means),
    });
    let [hit_ns, miss_ns, read_ns] = parts.map(|means| middle(&means));
    Ok(Replay { ratios: ratios.collect(), hit_ns, miss_ns, read_ns })
}

async fn turn(aside: &Aside, work: Work, hit_ratio: f64, number: usize) -> Result<(Duration, u64)> {
    let misses = ((1.0 - hit_ratio) * TURN as f64).round() as usize;
    let mut missed = Vec::with_capacity(misses);
    let mut hits = 0;
    let start = Instant::now();
    for request in 0..TURN {
        // Misses are spread evenly; each has a page of its own.
        let is_miss = (request + 1) * misses / TURN > request * misses / TURN;
        let page = match is_miss {
            true => CACHED + (number * misses + missed.len()) % MISSED,
            false => (number * TURN + request * 617) % CACHED,
        };
        match aside.read(work, page).await? {
            true => hits += 1,
            false => missed.push(page),
        }
    }
    let took = start.elapsed();
    aside.forget(missed.into_iter()).await?;
    Ok((took, hits))
}
