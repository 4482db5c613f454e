//! What is counted of a hot key: loads and waits of bursts, and loads of readers that come by chance.

use std::time::Duration;

use hdrhistogram::Histogram;
use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt as _, SeedableRng as _};
use serde::{Deserialize, Serialize};
use tokio::time::Instant;

use super::herd::{Herd, Source, Way};
use crate::{Failure, Result};

/// A source as a database with so many connections is.
pub(super) const AT_A_TIME: usize = 4;
/// What a load takes for readers that come by chance.
const TAKES: Duration = Duration::from_millis(10);
/// Readers that are expected to come during a load.
pub(super) const DURING_A_LOAD: [f64; 3] = [0.5, 2.0, 8.0];
/// Keys that expire at once, each with readers of its own.
const KEYS: usize = 20;

/// Bursts of one size.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Bursts {
    pub(super) way: String,
    pub(super) loader_ms: u64,
    pub(super) tasks: usize,
    pub(super) bursts: u64,
    pub(super) loads: u64,
    pub(super) p50_ns: u64,
    pub(super) p99_ns: u64,
}

/// Readers at one rate, of keys that have just expired.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Arrivals {
    pub(super) way: String,
    /// Reads per second of one key.
    pub(super) per_second: f64,
    /// What a load took.
    pub(super) load_ns: f64,
    pub(super) expired: u64,
    pub(super) loads: u64,
}

/// Bursts of each size for each loader, both ways.
pub(super) async fn bursts(loaders: &[(u64, u64)], tasks: &[usize]) -> Result<Vec<Bursts>> {
    let herd = Herd::open().await?;
    let mut all = Vec::new();
    for (loader_ms, bursts) in loaders {
        for tasks in tasks {
            for way in Way::ALL {
                let value = herd.workload.value(0, 0).clone();
                let source = Source::slow(value, Duration::from_millis(*loader_ms), Some(AT_A_TIME));
                let mut waits = Histogram::<u64>::new(3)?;
                for _ in 0..*bursts {
                    for nanos in herd.burst(way, *tasks, &source).await?.1 {
                        waits.record(nanos)?;
                    }
                }
                all.push(Bursts {
                    way: way.name().to_owned(),
                    loader_ms: *loader_ms,
                    tasks: *tasks,
                    bursts: *bursts,
                    loads: source.loads(),
                    p50_ns: waits.value_at_quantile(0.5),
                    p99_ns: waits.value_at_quantile(0.99),
                });
            }
        }
    }
    Ok(all)
}

/// Readers by chance at each rate, both ways: so many times every key expires.
pub(super) async fn arrivals(expiries: u64, seed: u64) -> Result<Vec<Arrivals>> {
    let herd = Herd::open().await?;
    let mut all = Vec::new();
    for during in DURING_A_LOAD {
        let per_second = during / TAKES.as_secs_f64();
        for way in Way::ALL {
            let source = Source::slow(herd.workload.value(0, 0).clone(), TAKES, None);
            for turn in 0..expiries {
                let mut keys = Vec::new();
                for key in 0..KEYS {
                    let id = key.to_string();
                    herd.forget(way, &id).await?;
                    let offsets = offsets(per_second, 3 * TAKES, seed ^ (turn << 8 | key as u64));
                    keys.push((id, offsets));
                }
                let readers = keys.into_iter().flat_map(|(id, offsets)| {
                    let (herd, source, start) = (herd.clone(), source.clone(), Instant::now());
                    offsets.into_iter().map(move |offset| {
                        let (herd, source, id) = (herd.clone(), source.clone(), id.clone());
                        tokio::spawn(async move {
                            tokio::time::sleep_until(start + offset).await;
                            herd.ask(way, &id, &source).await?;
                            Ok::<_, Failure>(())
                        })
                    })
                });
                for reader in readers.collect::<Vec<_>>() {
                    reader.await??;
                }
            }
            all.push(Arrivals {
                way: way.name().to_owned(),
                per_second,
                load_ns: source.mean_ns(),
                expired: expiries * KEYS as u64,
                loads: source.loads(),
            });
        }
    }
    Ok(all)
}

/// When readers come: the first at once, because the miss is what begins it, the others by a Poisson process.
fn offsets(per_second: f64, until: Duration, seed: u64) -> Vec<Duration> {
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
    let mut at = 0.0;
    let mut offsets = vec![Duration::ZERO];
    loop {
        at -= (1.0 - rng.random::<f64>()).ln() / per_second;
        if at >= until.as_secs_f64() {
            return offsets;
        }
        offsets.push(Duration::from_secs_f64(at));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readers_come_at_the_rate_and_the_first_at_once() {
        let all: Vec<_> = (0..2_000).map(|seed| offsets(500.0, Duration::from_millis(20), seed)).collect();
        assert!(all.iter().all(|offsets| offsets[0].is_zero() && offsets.is_sorted()));
        let mean = all.iter().map(|offsets| offsets.len() - 1).sum::<usize>() as f64 / all.len() as f64;
        assert!((mean - 10.0).abs() < 0.3, "{mean}");
    }
}
