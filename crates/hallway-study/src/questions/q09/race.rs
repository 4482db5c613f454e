//! Writers and readers in real time: every way to read at once, of the same keys.

use std::sync::Arc;
use std::time::{Duration, Instant};

use hallway::{Key, KvStore, Namespace, SetOptions, TieredStore, Ttl};
use rand::rngs::StdRng;
use rand::{RngExt as _, SeedableRng as _};
use tokio::task::JoinSet;

use super::plan::{Cell, Pace, Plan, Way};
use super::versions::Acknowledged;
use crate::Result;
use crate::lab::{Backend, Lab, Tiers};
use crate::load::contenders::TTL;
use crate::trace::{mix, value};

/// More than there are keys.
const LOCAL_ENTRIES: u64 = 10_000;

/// A key with its log.
#[derive(Debug)]
struct Raced {
    key: Key,
    hash: u64,
    acknowledged: Acknowledged,
}

/// Somebody who reads in one way.
#[derive(Debug, Clone)]
struct Reader {
    way: Way,
    store: Arc<dyn KvStore>,
    tiers: Option<TieredStore>,
}

/// What one reader has seen of one key.
#[derive(Debug, Default)]
struct Seen {
    reads: u64,
    hits: u64,
    stale_hits: u64,
    /// Of stale answers.
    ages: Vec<Duration>,
}

/// Runs the plan.
///
/// # Errors
/// If a call fails, or a value is missing or was never written.
pub(super) async fn run(lab: &Lab, plan: &Plan) -> Result<Vec<Cell>> {
    let database = lab.store(lab.database()).await?;
    let shared = lab.has(Backend::RedisTcp);
    let readers = readers(lab, plan, &database).await?;
    // Who writes is another instance than those who read.
    let writer = lab.tiers(Tiers { local_entries: Some(LOCAL_ENTRIES), local_ttl: None, shared }, &database).await?;
    let namespace = Namespace::new(&lab.namespace())?;
    let mut paces = Vec::new();
    for (number, pace) in plan.paces.iter().enumerate() {
        let mut keys = Vec::new();
        for index in 0..pace.keys {
            let id = format!("{number}-{index}");
            let raced = Raced { key: namespace.key(&id)?, hash: mix::hash(&id), acknowledged: Acknowledged::default() };
            writer.set(&raced.key, value::make_version(raced.hash, 0), lasting()).await?;
            keys.push(Arc::new(raced));
        }
        paces.push((*pace, keys));
    }
    let before: Vec<_> = readers.iter().map(|reader| reader.tiers.as_ref().map(TieredStore::stats)).collect();
    let (seen, lasted) = race(plan, &readers, &writer, &paces).await?;
    let mut cells = Vec::new();
    for (reader, (before, of_paces)) in readers.iter().zip(before.iter().zip(seen)) {
        let behind = reader.tiers.as_ref().zip(*before).map_or(0.0, |(tiers, before)| {
            let now = tiers.stats();
            let (hits, loads) = (now.shared_hits - before.shared_hits, now.authority_reads - before.authority_reads);
            hits as f64 / (hits + loads).max(1) as f64
        });
        for ((pace, keys), seen) in paces.iter().zip(of_paces) {
            cells.push(cell(reader.way, *pace, keys, seen, lasted, behind));
        }
    }
    let tiers: Vec<_> = readers.into_iter().filter_map(|reader| reader.tiers).chain([writer]).collect();
    lab.end(&tiers).await?;
    Ok(cells)
}

async fn readers(lab: &Lab, plan: &Plan, database: &Arc<dyn KvStore>) -> Result<Vec<Reader>> {
    let mut readers = Vec::new();
    for way in plan.ways.iter().copied() {
        let local_entries = Some(LOCAL_ENTRIES);
        let tiers = match way {
            Way::Bus => Some(Tiers { local_entries, local_ttl: None, shared: true }),
            Way::Database => None,
            Way::Shared => Some(Tiers { local_entries: None, local_ttl: None, shared: true }),
            Way::Ttl { ttl_s } => {
                Some(Tiers { local_entries, local_ttl: Some(Duration::from_secs_f64(ttl_s)), shared: false })
            }
        };
        let tiers = match tiers {
            Some(tiers) => Some(lab.tiers(tiers, database).await?),
            None => None,
        };
        let store = tiers.clone().map_or_else(|| Arc::clone(database), |tiers| Arc::new(tiers) as Arc<dyn KvStore>);
        readers.push(Reader { way, store, tiers });
    }
    Ok(readers)
}

type Paces = [(Pace, Vec<Arc<Raced>>)];

/// Everybody at once. What was seen, by reader and pace, and for how long.
async fn race(
    plan: &Plan,
    readers: &[Reader],
    writer: &TieredStore,
    paces: &Paces,
) -> Result<(Vec<Vec<Vec<Seen>>>, Duration)> {
    let start = Instant::now();
    let end = start + plan.lasts;
    let mut seeds = mix::Stream::new(plan.seed);
    let mut writing: JoinSet<Result<()>> = JoinSet::new();
    let mut reading: JoinSet<Result<(usize, usize, Seen)>> = JoinSet::new();
    for (at_pace, (pace, keys)) in paces.iter().enumerate() {
        for key in keys {
            let arrivals = Arrivals::new(start, end, pace.writes_per_second, seeds.next());
            writing.spawn(write(writer.clone(), Arc::clone(key), arrivals));
            for (at_reader, reader) in readers.iter().enumerate() {
                let arrivals = Arrivals::new(start, end, reader.way.reads_per_second(), seeds.next());
                let (reader, key) = (reader.clone(), Arc::clone(key));
                reading.spawn(async move { Ok((at_reader, at_pace, read(reader, key, arrivals).await?)) });
            }
        }
    }
    let mut seen: Vec<Vec<Vec<Seen>>> = readers.iter().map(|_| paces.iter().map(|_| Vec::new()).collect()).collect();
    while let Some(done) = reading.join_next().await {
        let (reader, pace, one) = done??;
        seen[reader][pace].push(one);
    }
    while let Some(done) = writing.join_next().await {
        done??;
    }
    Ok((seen, start.elapsed()))
}

async fn write(writer: TieredStore, raced: Arc<Raced>, mut arrivals: Arrivals) -> Result<()> {
    let mut version = 0;
    while arrivals.next().await {
        version += 1;
        writer.set(&raced.key, value::make_version(raced.hash, version), lasting()).await?;
        raced.acknowledged.push(Instant::now());
    }
    Ok(())
}

async fn read(reader: Reader, raced: Arc<Raced>, mut arrivals: Arrivals) -> Result<Seen> {
    let mut seen = Seen::default();
    while arrivals.next().await {
        let floor = raced.acknowledged.floor(Instant::now());
        let hit = reader.store.try_get(&raced.key);
        let is_hit = hit.is_some();
        let found = match hit {
            Some(found) => found,
            None => reader.store.get(&raced.key).await?.ok_or("a key is missing that was written before the race")?,
        };
        let version = value::version(&found, raced.hash)?;
        seen.reads += 1;
        seen.hits += u64::from(is_hit);
        if let Some(age) = raced.acknowledged.staleness(floor, version) {
            seen.stale_hits += u64::from(is_hit);
            seen.ages.push(age);
        }
    }
    Ok(seen)
}

fn lasting() -> SetOptions {
    SetOptions::new(Ttl::After(TTL))
}

fn cell(way: Way, pace: Pace, keys: &[Arc<Raced>], seen: Vec<Seen>, lasted: Duration, shared: f64) -> Cell {
    let key_seconds = keys.len() as f64 * lasted.as_secs_f64();
    let writes: u64 = keys.iter().map(|key| key.acknowledged.count()).sum();
    let reads: u64 = seen.iter().map(|seen| seen.reads).sum();
    let mut ages: Vec<f64> = seen.iter().flat_map(|seen| &seen.ages).map(Duration::as_secs_f64).collect();
    ages.sort_by(f64::total_cmp);
    // The last of a hundred of all answers; those that miss nothing are 0 old and come first.
    let above = reads as usize / 100;
    let age_p99_s = ages.len().checked_sub(above + 1).and_then(|at| ages.get(at)).copied().unwrap_or(0.0);
    Cell {
        way,
        pace: pace.writes_per_second,
        writes_per_s: writes as f64 / key_seconds,
        reads_per_s: reads as f64 / key_seconds,
        reads,
        hits: seen.iter().map(|seen| seen.hits).sum(),
        stale: ages.len() as u64,
        stale_hits: seen.iter().map(|seen| seen.stale_hits).sum(),
        age_p99_s,
        age_most_s: ages.last().copied().unwrap_or(0.0),
        shared,
    }
}

/// Moments of a Poisson process until an end.
#[derive(Debug)]
struct Arrivals {
    next: Instant,
    end: Instant,
    per_second: f64,
    random: StdRng,
}

impl Arrivals {
    fn new(start: Instant, end: Instant, per_second: f64, seed: u64) -> Self {
        Self { next: start, end, per_second, random: StdRng::seed_from_u64(seed) }
    }

    /// Waits for the next one; `false` at the end. One that is late comes at once, and does not put off those after it.
    async fn next(&mut self) -> bool {
        let draw: f64 = self.random.random();
        self.next += Duration::from_secs_f64(-(1.0 - draw).ln() / self.per_second);
        if self.next >= self.end || Instant::now() >= self.end {
            return false;
        }
        tokio::time::sleep_until(self.next.into()).await;
        true
    }
}
