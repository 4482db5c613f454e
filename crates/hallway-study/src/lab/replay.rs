//! A stream of requests through real tiers, one after the other, and who answered them.

use std::sync::Arc;
use std::time::{Duration, Instant};

use hallway::{Key, KvStore, SetOptions, TieredStats, TieredStore, Ttl};
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

/// A replay that is under way.
#[derive(Debug)]
pub struct Replaying {
    course: Arc<Course>,
    before: Vec<TieredStats>,
    next: usize,
    reads: u64,
    writes: u64,
    elapsed: Duration,
}

/// What the requests go through.
#[derive(Debug)]
struct Course {
    replay: Replay,
    instances: Vec<TieredStore>,
    keys: Vec<Key>,
    workload: Workload,
}

impl Lab {
    /// Prepares a replay through tiers whose caches are empty and whose database has every key.
    ///
    /// # Errors
    /// If a backend is missing or a call fails.
    pub async fn replay(&self, replay: Replay) -> Result<Replaying> {
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
        let before = instances.iter().map(TieredStore::stats).collect();
        let course = Arc::new(Course { replay, instances, keys, workload });
        Ok(Replaying { course, before, next: 0, reads: 0, writes: 0, elapsed: Duration::ZERO })
    }
}

impl Replaying {
    /// Replays so many requests more; says whether any are left. Each value is checked.
    ///
    /// # Errors
    /// If a call fails, or a value was missing or wrong.
    pub async fn advance(&mut self, requests: usize) -> Result<bool> {
        let (course, from) = (Arc::clone(&self.course), self.next);
        let (elapsed, reads, writes) = tokio::spawn(async move { course.run(from, requests).await }).await??;
        self.next += requests;
        self.reads += reads;
        self.writes += writes;
        self.elapsed += elapsed;
        Ok(self.next < self.course.replay.log.len())
    }

    /// Ends the tiers and says what has become of the requests so far.
    ///
    /// # Errors
    /// If the tiers do not end.
    pub async fn finish(self, lab: &Lab) -> Result<Replayed> {
        let (reads, writes) = (self.reads, self.writes);
        let mut replayed = Replayed { reads, writes, local_hits: 0, shared_hits: 0, loads: 0, mean_ns: 0.0 };
        for (tiers, before) in self.course.instances.iter().zip(self.before) {
            let stats = tiers.stats();
            replayed.local_hits += stats.local_hits - before.local_hits;
            replayed.shared_hits += stats.shared_hits - before.shared_hits;
            replayed.loads += stats.authority_reads - before.authority_reads;
        }
        lab.end(&self.course.instances).await?;
        let elapsed = self.elapsed + lab.slowed(&self.course.replay, &replayed);
        replayed.mean_ns = elapsed.as_nanos() as f64 / (reads + writes).max(1) as f64;
        Ok(replayed)
    }
}

impl Course {
    async fn run(&self, from: usize, requests: usize) -> Result<(Duration, u64, u64)> {
        let (mut reads, mut writes) = (0, 0);
        let start = Instant::now();
        for (number, request) in (0_u64..).zip(self.replay.log.iter()).skip(from).take(requests) {
            let (instance, writing) = self.replay.split.route(number);
            let (tiers, at) = (&self.instances[instance], request.key as usize);
            if writing || request.op != Op::Read {
                writes += 1;
                let value = self.workload.value(at, number).clone();
                tiers.set(&self.keys[at], value, SetOptions::new(Ttl::After(TTL))).await?;
            } else {
                reads += 1;
                self.workload.check(at, tiers.get(&self.keys[at]).await?.as_deref())?;
            }
        }
        Ok((start.elapsed(), reads, writes))
    }
}

impl Lab {
    /// What a backend that was made slower on purpose would have added.
    fn slowed(&self, replay: &Replay, replayed: &Replayed) -> Duration {
        let shared =
            if replay.tiers.shared { replayed.shared_hits + 3 * replayed.loads + 2 * replayed.writes } else { 0 };
        let database = replayed.loads + replayed.writes;
        let added = |backend, calls: u64| self.injected_delay(backend).mul_f64(calls as f64);
        added(Backend::RedisTcp, shared) + added(replay.database, database)
    }
}
