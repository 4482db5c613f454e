//! A stream of requests through real tiers, one after the other, and who answered them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use hallway::{KvStore, SetOptions, TieredStats, TieredStore, Ttl};
use serde::{Deserialize, Serialize};

use super::{Backend, Lab, Tiers};
use crate::Result;
use crate::load::Workload;
use crate::load::contenders::TTL;
use crate::trace::{Log, Op, Split};

/// Values of a key that differ.
const VERSIONS: u32 = 4;

/// What to replay.
#[derive(Debug, Clone)]
pub struct Replay {
    /// The requests.
    pub log: Arc<Log>,
    /// Bytes of each value.
    pub value_bytes: usize,
    /// The tiers of each instance; the requests go where [`Split`] sends them.
    pub tiers: Tiers,
    /// What is behind the tiers.
    pub database: Backend,
    /// How many instances, which share of the requests writes, and the seed of both choices.
    pub split: Split,
}

/// Who answered, and what a request took.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Replayed {
    /// Requests that read.
    pub reads: u64,
    /// Requests that wrote.
    pub writes: u64,
    /// Reads that a local tier answered.
    pub local_hits: u64,
    /// Reads that the shared tier answered.
    pub shared_hits: u64,
    /// Reads that the database answered.
    pub loads: u64,
    /// Mean time of a request, one after the other, nanoseconds.
    pub mean_ns: f64,
}

impl Replayed {
    /// Share of the reads that a local tier answered.
    #[must_use]
    pub fn local(&self) -> f64 {
        self.local_hits as f64 / self.reads.max(1) as f64
    }

    /// Share of what the local tiers missed that the shared one answered.
    #[must_use]
    pub fn shared_behind(&self) -> f64 {
        self.shared_hits as f64 / self.reads.saturating_sub(self.local_hits).max(1) as f64
    }
}

impl Lab {
    /// Replays a stream through tiers whose caches are empty and whose database has every key. Each value is checked.
    ///
    /// # Errors
    /// If a backend is missing or a call fails, or a value was missing or wrong.
    pub async fn replay(&self, replay: Replay) -> Result<Replayed> {
        let database = self.store(replay.database).await?;
        let keys = replay.log.iter().map(|request| request.key as usize + 1).max().unwrap_or(1);
        let workload = Workload::new(keys, replay.value_bytes, VERSIONS);
        let keys = self.seeded(&database, &workload).await?;
        let mut instances = Vec::new();
        for _ in 0..replay.split.instances {
            let tiers = self.tiers(replay.tiers, &database).await?;
            // Connected, and its statements prepared, before anything is timed.
            let nobody = hallway::Namespace::new(&self.namespace())?.key("nobody")?;
            if tiers.get(&nobody).await?.is_some() {
                return Err("a namespace that nobody has used holds something".into());
            }
            instances.push(tiers);
        }
        let before: Vec<TieredStats> = instances.iter().map(TieredStore::stats).collect();
        let (tiers, log, split) = (instances.clone(), Arc::clone(&replay.log), replay.split);
        let (elapsed, reads, writes) = tokio::spawn(async move {
            let (mut reads, mut writes) = (0, 0_u64);
            let start = Instant::now();
            for (number, request) in (0_u64..).zip(log.iter()) {
                let (instance, writing) = split.route(number);
                let (tiers, at) = (&tiers[instance], request.key as usize);
                if writing || request.op != Op::Read {
                    writes += 1;
                    let value = workload.value(at, writes).clone();
                    tiers.set(&keys[at], value, SetOptions::new(Ttl::After(TTL))).await?;
                } else {
                    reads += 1;
                    workload.check(at, tiers.get(&keys[at]).await?.as_deref())?;
                }
            }
            Ok::<(Duration, u64, u64), crate::Failure>((start.elapsed(), reads, writes))
        })
        .await??;
        let mut replayed = Replayed { reads, writes, local_hits: 0, shared_hits: 0, loads: 0, mean_ns: 0.0 };
        for (tiers, before) in instances.iter().zip(before) {
            let stats = tiers.stats();
            replayed.local_hits += stats.local_hits - before.local_hits;
            replayed.shared_hits += stats.shared_hits - before.shared_hits;
            replayed.loads += stats.authority_reads - before.authority_reads;
        }
        self.end(&instances).await?;
        let slowed = self.slowed(&replay, &replayed);
        replayed.mean_ns = (elapsed + slowed).as_nanos() as f64 / (reads + writes).max(1) as f64;
        Ok(replayed)
    }

    /// What a backend that was made slower on purpose would have added.
    fn slowed(&self, replay: &Replay, replayed: &Replayed) -> Duration {
        let shared =
            if replay.tiers.shared { replayed.shared_hits + 2 * (replayed.loads + replayed.writes) } else { 0 };
        let database = replayed.loads + replayed.writes;
        let added = |backend, calls: u64| self.injected_delay(backend).mul_f64(calls as f64);
        added(Backend::RedisTcp, shared) + added(replay.database, database)
    }
}
