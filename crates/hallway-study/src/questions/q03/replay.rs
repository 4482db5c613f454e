//! A cache in front of the database, end to end: reads with an exact hit ratio, timed whole.

use std::sync::Arc;
use std::time::{Duration, Instant};

use hallway::{Key, KvStore, Namespace, SetOptions, Ttl};
use serde::{Deserialize, Serialize};

use super::database::{Database, PAGES, Work};
use crate::Result;
use crate::lab::{Backend, Lab};
use crate::load::Workload;
use crate::study::drawn_median;

/// The hit ratios that are replayed.
pub(super) const RATIOS: [f64; 3] = [0.5, 0.9, 0.99];
/// Reads of one turn, so that every ratio has whole misses.
const TURN: usize = 100;
const TTL: Ttl = Ttl::After(Duration::from_secs(3_600));
/// Pages below this are in the cache; the others are missed, and taken out again after each turn.
const CACHED: usize = PAGES / 2;

/// What was found at one hit ratio.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct Replayed {
    pub(super) hit_ratio: f64,
    pub(super) requests: u64,
    pub(super) hits: u64,
    /// The middle of the means of the turns: a disturbed turn does not move it.
    pub(super) mean_ns: f64,
}

/// Reads through a cache by the plainest code: look, else ask the database and keep the answer.
#[derive(Debug)]
struct Aside {
    cache: Arc<dyn KvStore>,
    keys: Vec<Key>,
    database: Database,
    workload: Arc<Workload>,
}

/// Replays all hit ratios for so long.
pub(super) async fn replay(lab: &Lab, cache: Backend, work: Work, lasts: Duration) -> Result<Vec<Replayed>> {
    let workload = Arc::new(Workload::new(PAGES, crate::study::BYTES, 1));
    let database = Database::open(lab, &workload).await?;
    let cache = lab.store(cache).await?;
    let namespace = Namespace::new(&lab.namespace())?;
    let keys = workload.names().map(|name| namespace.key(name)).collect::<hallway::Result<Vec<_>>>()?;
    for (page, key) in keys.iter().enumerate().take(CACHED) {
        cache.set(key, workload.value(page, 0).clone(), SetOptions::new(TTL)).await?;
    }
    let aside = Aside { cache, keys, database, workload };
    tokio::spawn(async move {
        // A turn that does not count.
        aside.turn(work, RATIOS[0], 0).await?;
        aside.turns(work, lasts).await
    })
    .await?
}

impl Aside {
    /// Turns of each hit ratio by turns, so that a drift of the machine hits all alike.
    async fn turns(&self, work: Work, lasts: Duration) -> Result<Vec<Replayed>> {
        let start = Instant::now();
        let (mut means, mut hits) = ([const { Vec::new() }; RATIOS.len()], [0; RATIOS.len()]);
        let mut turn = 0;
        while start.elapsed() < lasts || turn == 0 {
            for (at, hit_ratio) in RATIOS.into_iter().enumerate() {
                let (took, of_turn) = self.turn(work, hit_ratio, turn).await?;
                means[at].push(took.as_nanos() as f64 / TURN as f64);
                hits[at] += of_turn;
            }
            turn += 1;
        }
        let replayed = RATIOS.into_iter().zip(means).zip(hits).map(|((hit_ratio, means), hits)| Replayed {
            hit_ratio,
            requests: (turn * TURN) as u64,
            hits,
            mean_ns: drawn_median(&means, &(0..means.len()).collect::<Vec<_>>()),
        });
        Ok(replayed.collect())
    }

    async fn turn(&self, work: Work, hit_ratio: f64, turn: usize) -> Result<(Duration, u64)> {
        let misses = ((1.0 - hit_ratio) * TURN as f64).round() as usize;
        let mut missed = Vec::with_capacity(misses);
        let mut hits = 0;
        let start = Instant::now();
        for request in 0..TURN {
            // Misses are spread evenly; each has a page of its own.
            let is_miss = (request + 1) * misses / TURN > request * misses / TURN;
            let page = match is_miss {
                true => CACHED + (turn * misses + missed.len()) % (PAGES - CACHED),
                false => (turn * TURN + request * 617) % CACHED,
            };
            match self.cache.get(&self.keys[page]).await? {
                Some(body) => {
                    self.workload.check(page, Some(&body))?;
                    hits += 1;
                }
                None => {
                    let body = self.database.read(work, page).await?;
                    self.cache.set(&self.keys[page], body.into(), SetOptions::new(TTL)).await?;
                    missed.push(page);
                }
            }
        }
        let took = start.elapsed();
        for page in missed {
            self.cache.delete(&self.keys[page]).await?;
        }
        Ok((took, hits))
    }
}
