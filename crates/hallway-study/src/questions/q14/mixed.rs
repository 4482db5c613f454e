//! Visitors in a standard mix, and how much a crowd of them gets done.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use super::visits::{SESSIONS, Visits};
use crate::lab::{Backend, Lab};
use crate::study::drawn_median;
use crate::{Failure, Result};

/// Requests per save: YCSB A, its "session store", and B, which mostly reads.
pub(super) const MIXES: [(&str, u64); 2] =
    [("YCSB A, every second request saves", 2), ("read mostly, one in 20 saves", 20)];
/// Visitors at once.
const CROWD: usize = 16;
/// Parts of a measurement of capacity: enough for an interval.
const SLICES: usize = 5;

/// What one backend has done.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Served {
    /// Mean of a request in each of [`MIXES`], nanoseconds.
    pub(super) mixes: Vec<f64>,
    /// Loads per second of a crowd, by slice.
    pub(super) loads: Vec<f64>,
    /// Touches per second.
    pub(super) touches: Vec<f64>,
    /// Loads followed by a save, per second.
    pub(super) saves: Vec<f64>,
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
        mixes.push(tokio::spawn(async move { mean(&visits, requests_per_save, mix).await }).await??);
    }
    Ok(Served {
        mixes,
        loads: crowd(&visits, Doing::Load, slice).await?,
        touches: crowd(&visits, Doing::Touch, slice).await?,
        saves: crowd(&visits, Doing::Save, slice).await?,
    })
}

/// Requests of one visitor after the other, in whole cycles: the middle of their means, which a disturbed one does not
/// move.
async fn mean(visits: &Visits, requests_per_save: u64, lasts: Duration) -> Result<f64> {
    let start = Instant::now();
    let mut means = Vec::new();
    let mut number = 0;
    while start.elapsed() < lasts || means.is_empty() {
        let cycle = Instant::now();
        for request in 1..=requests_per_save {
            let mut session = visits.load(number % SESSIONS).await?;
            if request == requests_per_save {
                visits.save(&mut session).await?;
            }
            number += 1;
        }
        means.push(cycle.elapsed().as_nanos() as f64 / requests_per_save as f64);
    }
    Ok(drawn_median(&means, &(0..means.len()).collect::<Vec<_>>()))
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
