//! Visitors in a standard mix, and how much a crowd of them gets done.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::costs::middle;
use super::visits::{SESSIONS, Visits};
use crate::lab::{Backend, Lab};
use crate::{Failure, Result};

/// Requests per save: YCSB A, its "session store", and B, which mostly reads.
pub(super) const MIXES: [(&str, u32); 2] =
    [("YCSB A, every second request saves", 2), ("read mostly, one in 20 saves", 20)];
/// Requests of a turn: whole cycles of each mix.
const TURN: u32 = 20;
/// Loads and saves that are timed alone after each turn of a mix.
const ALONE: u32 = 10;
/// Visitors at once.
const CROWD: usize = 16;
/// Parts of a measurement of capacity: enough for an interval.
const SLICES: usize = 5;

/// What one backend has done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Served {
    /// Of each of [`MIXES`].
    pub(super) mixes: Vec<Mixed>,
    /// Loads per second of a crowd, by slice.
    pub(super) loads: Vec<f64>,
    /// Touches per second.
    pub(super) touches: Vec<f64>,
    /// Loads followed by a save, per second.
    pub(super) saves: Vec<f64>,
}

/// A mix, and its parts beside it: what the machine does meanwhile hits all alike. Means of turns, of which the middle: a
/// disturbed one does not move it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct Mixed {
    /// A request of the mix, nanoseconds.
    pub(super) request_ns: f64,
    /// A load among loads alone.
    pub(super) load_ns: f64,
    /// A save among saves alone.
    pub(super) save_ns: f64,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Doing {
    Load,
    Touch,
    Save,
}

/// Serves each mix for so long, then crowds for so long a slice.
pub(super) async fn serve(lab: &Lab, backend: Backend, mix: Duration, slice: Duration) -> Result<Served> {
    let store = lab.store(backend).await?;
    let visits = Visits::begin(lab, &store).await?;
    let mut mixes = Vec::new();
    for (_, requests_per_save) in MIXES {
        let visits = visits.clone();
        mixes.push(tokio::spawn(async move { mixed(&visits, requests_per_save, mix).await }).await??);
    }
    Ok(Served {
        mixes,
        loads: crowd(&visits, Doing::Load, slice).await?,
        touches: crowd(&visits, Doing::Touch, slice).await?,
        saves: crowd(&visits, Doing::Save, slice).await?,
    })
}

/// Requests of one visitor after the other, by turns with loads and saves alone.
async fn mixed(visits: &Visits, requests_per_save: u32, lasts: Duration) -> Result<Mixed> {
    let start = Instant::now();
    let [mut requests, mut loads, mut saves] = [const { Vec::new() }; 3];
    let mean = |since: Instant, count: u32| since.elapsed().as_nanos() as f64 / f64::from(count);
    let mut numbers = (0..SESSIONS).cycle();
    let mut number = || numbers.next().unwrap_or_default();
    while start.elapsed() < lasts || requests.is_empty() {
        let turn = Instant::now();
        for request in 1..=TURN {
            let mut session = visits.load(number()).await?;
            if request % requests_per_save == 0 {
                visits.save(&mut session).await?;
            }
        }
        requests.push(mean(turn, TURN));
        let turn = Instant::now();
        for _ in 0..ALONE {
            visits.load(number()).await?;
        }
        loads.push(mean(turn, ALONE));
        let mut session = visits.load(number()).await?;
        let turn = Instant::now();
        for _ in 0..ALONE {
            visits.save(&mut session).await?;
        }
        saves.push(mean(turn, ALONE));
    }
    Ok(Mixed { request_ns: middle(&requests), load_ns: middle(&loads), save_ns: middle(&saves) })
}

/// What so many visitors get done together in each slice, per second.
async fn crowd(visits: &Visits, doing: Doing, slice: Duration) -> Result<Vec<f64>> {
    let barrier = Arc::new(tokio::sync::Barrier::new(CROWD));
    let visitor = |visitor: usize| {
        let (visits, barrier) = (visits.clone(), Arc::clone(&barrier));
        async move {
            // Visitors have sessions of their own, so no save meets another.
            let own: Vec<usize> = (visitor..SESSIONS).step_by(CROWD).collect();
            let mut done = vec![0_u64; SLICES];
            barrier.wait().await;
            let start = Instant::now();
            for number in own.into_iter().cycle() {
                match doing {
                    Doing::Load => drop(visits.load(number).await?),
                    Doing::Touch => visits.touch(number).await?,
                    Doing::Save => {
                        let mut session = visits.load(number).await?;
                        visits.save(&mut session).await?;
                    }
                }
                let at = (start.elapsed().as_secs_f64() / slice.as_secs_f64()) as usize;
                match done.get_mut(at) {
                    Some(slice) => *slice += 1,
                    None => break,
                }
            }
            Ok::<_, Failure>(done)
        }
    };
    let crowd: Vec<_> = (0..CROWD).map(|number| tokio::spawn(visitor(number))).collect();
    let mut all = vec![0.0; SLICES];
    for task in crowd {
        for (sum, done) in all.iter_mut().zip(task.await??) {
            *sum += done as f64;
        }
    }
    Ok(all.into_iter().map(|done| done / slice.as_secs_f64()).collect())
}
