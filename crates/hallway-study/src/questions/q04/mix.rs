//! Reads and writes in one stream, every read checked against the last write.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use hallway::{Key, KvStore, Namespace, SetOptions, TieredStore, Ttl};
use hdrhistogram::Histogram;
use serde::{Deserialize, Serialize};

use super::tiers::Tiers;
use crate::Result;
use crate::lab::Lab;
use crate::load::{Quantiles, Workload};
use crate::rounds::Cell;
use crate::study::BYTES;

/// Few, so that the share of valid copies settles within the warm-up of a point.
const KEYS: usize = 64;
const VERSIONS: u32 = 8;
const TTL: Ttl = Ttl::After(Duration::from_secs(3_600));

/// A stream of requests to one store: so many reads, then a write, each to a key by chance. A clone goes on with it.
#[derive(Debug, Clone)]
pub(super) struct Mix(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    store: Arc<dyn KvStore>,
    keys: Vec<Key>,
    workload: Workload,
    /// The version that each key was written with last.
    versions: Vec<AtomicU64>,
    /// Requests so far.
    sent: AtomicU64,
    reads_per_write: u64,
}

/// What a run at one mix has found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Tail {
    pub(super) requests: u64,
    pub(super) reads: u64,
    /// Reads that a copy answered; none where there are no copies.
    pub(super) hits: u64,
    /// What there must be where nothing but writes ends copies.
    pub(super) expected_hits: u64,
    pub(super) mean_ns: f64,
    pub(super) all: Quantiles,
}

/// Which key the request is about, and whether it writes.
fn request(number: u64, reads_per_write: u64) -> (usize, bool) {
    let key = crate::trace::mix::mix(number) as usize % KEYS;
    (key, number % (reads_per_write + 1) == reads_per_write)
}

impl Mix {
    /// Writes every key once, in a namespace of its own.
    pub(super) async fn begin(lab: &Lab, store: &Arc<dyn KvStore>, reads_per_write: u64) -> Result<Self> {
        let workload = Workload::new(KEYS, BYTES, VERSIONS);
        let namespace = Namespace::new(&lab.namespace())?;
        let keys = workload.names().map(|name| namespace.key(name)).collect::<hallway::Result<Vec<_>>>()?;
        for (index, key) in keys.iter().enumerate() {
            store.set(key, workload.value(index, 0).clone(), SetOptions::new(TTL)).await?;
        }
        let versions = keys.iter().map(|_| AtomicU64::new(0)).collect();
        let store = Arc::clone(store);
        Ok(Self(Arc::new(Inner { store, keys, workload, versions, sent: AtomicU64::new(0), reads_per_write })))
    }

    /// The next request; whether it was a read.
    ///
    /// # Errors
    /// If a read answers anything but what was written last.
    async fn step(&self) -> Result<bool> {
        let Inner { store, keys, workload, versions, sent, reads_per_write } = &*self.0;
        let (key, is_write) = request(sent.fetch_add(1, Ordering::Relaxed), *reads_per_write);
        if is_write {
            let version = versions[key].fetch_add(1, Ordering::Relaxed) + 1;
            store.set(&keys[key], workload.value(key, version).clone(), SetOptions::new(TTL)).await?;
            return Ok(false);
        }
        let found = store.get(&keys[key]).await?;
        let version = versions[key].load(Ordering::Relaxed);
        if found.as_ref() != Some(workload.value(key, version)) {
            workload.check(key, found.as_deref())?;
            return Err(format!("key {key} was read with another version than was written last").into());
        }
        Ok(true)
    }

    /// The time of a request, measured over whole cycles so that every sample has its writes.
    pub(super) fn cell(&self) -> Cell {
        let this = self.clone();
        Cell::new(move |cycles| {
            let this = this.clone();
            async move {
                let length = this.0.reads_per_write + 1;
                let took = tokio::spawn(async move {
                    let start = Instant::now();
                    for _ in 0..cycles * length {
                        this.step().await?;
                    }
                    Ok::<_, crate::Failure>(start.elapsed())
                })
                .await??;
                Ok(took / length as u32)
            }
        })
    }

    /// The time of a request where there are no writes to wait for.
    pub(super) fn single(&self) -> Cell {
        let this = self.clone();
        Cell::new(move |requests| {
            let this = this.clone();
            async move {
                tokio::spawn(async move {
                    let start = Instant::now();
                    for _ in 0..requests {
                        this.step().await?;
                    }
                    Ok(start.elapsed())
                })
                .await?
            }
        })
    }

    /// So many requests, each timed.
    async fn tail(&self, counted: Option<&TieredStore>, requests: u64) -> Result<Tail> {
        let hits =
            |tiers: Option<&TieredStore>| tiers.map_or(0, |tiers| tiers.stats().local_hits + tiers.stats().shared_hits);
        let before = hits(counted);
        let this = self.clone();
        let (reads, took, histogram) = tokio::spawn(async move {
            let mut histogram = Histogram::<u64>::new(3)?;
            let (mut reads, mut took) = (0, Duration::ZERO);
            for _ in 0..requests {
                let start = Instant::now();
                reads += u64::from(this.step().await?);
                let one = start.elapsed();
                took += one;
                histogram.record(one.as_nanos() as u64)?;
            }
            Ok::<_, crate::Failure>((reads, took, histogram))
        })
        .await??;
        Ok(Tail {
            requests,
            reads,
            hits: hits(counted) - before,
            expected_hits: if counted.is_some() { exact_hits(self.0.reads_per_write, requests) } else { 0 },
            mean_ns: took.as_nanos() as f64 / requests as f64,
            all: Quantiles::of(&histogram),
        })
    }
}

/// The run for one architecture: as much to warm up as the keys need, then what counts.
pub(super) async fn tail(lab: &Lab, tiers: Tiers, reads_per_write: u64, requests: u64) -> Result<Tail> {
    let (store, counted) = tiers.open(lab).await?;
    let mix = Mix::begin(lab, &store, reads_per_write).await?;
    mix.tail(counted.as_ref(), WARM_UP).await?;
    mix.tail(counted.as_ref(), requests).await
}

/// Requests of a run that do not count.
const WARM_UP: u64 = 4 * KEYS as u64;

/// The hits that [`tail`] must come to where a write ends the copies of its key and nothing else does.
fn exact_hits(reads_per_write: u64, requests: u64) -> u64 {
    let mut is_valid = [false; KEYS];
    let mut hits = 0;
    for number in 0..WARM_UP + requests {
        let (key, is_write) = request(number, reads_per_write);
        hits += u64::from(number >= WARM_UP && !is_write && is_valid[key]);
        is_valid[key] = !is_write;
    }
    hits
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_cycle_has_one_write_and_the_keys_go_around() {
        let writes = (0..1_000).filter(|number| request(*number, 9).1).count();
        assert_eq!(writes, 100);
        let mut seen = [false; KEYS];
        (0..1_000).for_each(|number| seen[request(number, 9).0] = true);
        assert!(seen.iter().all(|seen| *seen));
    }

    #[test]
    fn the_stream_hits_as_f7_says() {
        for reads_per_write in [1, 9, 99] {
            let requests = 100_000;
            let reads = requests as f64 * reads_per_write as f64 / (reads_per_write + 1) as f64;
            let ratio = exact_hits(reads_per_write, requests) as f64 / reads;
            let formula = super::super::tiers::read_share(reads_per_write as f64);
            assert!((ratio - formula).abs() < 0.01, "{reads_per_write}: {ratio} {formula}");
        }
    }
}
