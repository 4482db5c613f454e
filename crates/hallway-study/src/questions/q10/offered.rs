//! Requests at a rate, from much of the capacity on down until enough runs are valid.

use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hallway::{Key, KvStore};
use serde::{Deserialize, Serialize};

use crate::Result;
use crate::lab::{Backend, Lab};
use crate::load::{Offer, OpenLoop, Workload, open_loop};
use crate::study::{BYTES, Depth};

/// Shares of the capacity at which requests are offered. Who sends them needs a core of the same machine: what is too
/// much for it is void, and then less is offered.
const SHARES: [f64; 9] = [0.85, 0.7, 0.5, 0.3, 0.15, 0.07, 0.03, 0.015, 0.007];
/// So many valid runs are enough.
const ENOUGH: usize = 4;
/// Fewer requests than these have no 99th percentile to speak of.
const LEAST_REQUESTS: f64 = 100.0;
/// Tasks that find the capacity: more of them are answered together, and would say what a queue of requests gets.
const CROWDS: [usize; 2] = [1, 8];
/// How long each crowd has.
const SOUNDING: Duration = Duration::from_millis(150);

/// What an open loop has found for one backend.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Offered {
    pub(super) backend: String,
    pub(super) capacity_per_second: f64,
    /// By the share of the capacity, the largest first.
    pub(super) cells: Vec<(f64, OpenLoop)>,
}

/// What one backend takes at most.
pub(super) fn lasts(depth: Depth) -> Duration {
    cell_lasts(depth) * SHARES.len() as u32 + SOUNDING * CROWDS.len() as u32
}

fn cell_lasts(depth: Depth) -> Duration {
    depth.pick(Duration::from_millis(350), Duration::from_secs(3))
}

/// A store with keys that readers ask for. A clone is the same.
#[derive(Debug, Clone)]
struct Readers {
    store: Arc<dyn KvStore>,
    keys: Arc<Vec<Key>>,
    workload: Arc<Workload>,
}

impl Offered {
    /// Reads of one backend.
    ///
    /// # Errors
    /// If the backend does not work, or a read was wrong.
    pub(super) async fn measure(lab: &Lab, backend: Backend, depth: Depth) -> Result<Self> {
        let readers = Readers::open(lab, backend).await?;
        let mut capacity = 0.0_f64;
        for tasks in CROWDS {
            capacity = capacity.max(readers.capacity(tasks).await?);
        }
        let lasts = cell_lasts(depth);
        let offer = |per_second| {
            let readers = readers.clone();
            open_loop(Offer { per_second, lasts, seed: depth.seed }, lab.placement(), move |index| {
                let readers = readers.clone();
                async move { readers.read(index as usize).await }
            })
        };
        let cells = step_down(capacity, LEAST_REQUESTS / lasts.as_secs_f64(), offer).await?;
        Ok(Self { backend: backend.name().to_owned(), capacity_per_second: capacity, cells })
    }

    /// The valid runs, the largest share first.
    pub(super) fn valid(&self) -> impl Iterator<Item = &(f64, OpenLoop)> {
        self.cells.iter().filter(|(_, cell)| cell.void.is_none())
    }
}

/// Offers smaller and smaller shares of the capacity until enough were valid; less than the `least` per second only if
/// nothing was offered before.
async fn step_down<F>(capacity: f64, least: f64, offer: impl Fn(f64) -> F) -> Result<Vec<(f64, OpenLoop)>>
where
    F: Future<Output = Result<OpenLoop>>,
{
    let mut cells: Vec<(f64, OpenLoop)> = Vec::new();
    for share in SHARES {
        let is_too_little = capacity * share < least && !cells.is_empty();
        if is_too_little || cells.iter().filter(|(_, cell)| cell.void.is_none()).count() == ENOUGH {
            break;
        }
        cells.push((share, offer(capacity * share).await?));
    }
    Ok(cells)
}

impl Readers {
    async fn open(lab: &Lab, backend: Backend) -> Result<Self> {
        let workload = Arc::new(Workload::new(1_000, BYTES, 1));
        let store = lab.store(backend).await?;
        let keys = lab.seeded(&store, &workload).await?;
        Ok(Self { store, keys: Arc::new(keys), workload })
    }

    async fn read(&self, index: usize) -> Result<()> {
        let key = index % self.keys.len();
        self.workload.check(key, self.store.get(&self.keys[key]).await?.as_deref())
    }

    /// What so many tasks get done in a moment, per second.
    async fn capacity(&self, tasks: usize) -> Result<f64> {
        let start = Instant::now();
        let tasks: Vec<_> = (0..tasks)
            .map(|task| {
                let readers = self.clone();
                tokio::spawn(async move {
                    let mut done = 0_usize;
                    while start.elapsed() < SOUNDING {
                        readers.read(task * 7 + done * 13).await?;
                        done += 1;
                    }
                    Ok::<usize, crate::Failure>(done)
                })
            })
            .collect();
        let mut done = 0;
        for task in tasks {
            done += task.await??;
        }
        Ok(done as f64 / start.elapsed().as_secs_f64())
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::cell;
    use super::*;

    /// A machine on which a rate is valid up to here.
    async fn found(up_to: f64) -> Vec<f64> {
        let offer = |rate: f64| async move { Ok(cell(rate, (rate > up_to).then_some("late"))) };
        let cells = step_down(100_000.0, 100.0, offer).await.unwrap();
        assert_eq!(cells.iter().map(|(share, _)| *share).collect::<Vec<_>>(), SHARES[..cells.len()]);
        cells.iter().filter(|(_, cell)| cell.void.is_none()).map(|(share, _)| *share).collect()
    }

    #[tokio::test]
    async fn less_is_offered_until_enough_is_valid() {
        assert_eq!(found(1e9).await, SHARES[..4], "no more than needed");
        assert_eq!(found(20_000.0).await, SHARES[4..8]);
        assert_eq!(found(800.0).await, SHARES[8..]);
        assert_eq!(found(10.0).await, [0.0; 0]);
    }

    #[tokio::test]
    async fn a_slow_store_is_asked_at_least_once() {
        let offer = |rate: f64| async move { Ok(cell(rate, Some("shed"))) };
        assert_eq!(step_down(50.0, 100.0, offer).await.unwrap().len(), 1);
        assert_eq!(step_down(1_000.0, 100.0, offer).await.unwrap().len(), 5);
    }
}
