//! Replaying through tiers: several instances in one process over the same shared and consistent tier, with writes.

mod report;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use hallway::{Error, ErrorKind, KvStore, Mode, Namespace, SetOptions, TierHealth, TieredStats, TieredStore};
use hallway_study::trace::mix::{self, unit};
use hallway_study::trace::value;
use hdrhistogram::Histogram;
use tokio::task::JoinSet;

pub(crate) use self::report::print;
use super::contender::CAPACITY;
use super::run::{BREATH, GRACE, LONGEST_NS, TTL, random_number};
use super::source::Source;
use super::versions::Versions;
use crate::failure::Failure;
use crate::output::note;
use crate::progress::Progress;
use crate::tier_args::Deployment;

/// How long clearing and closing may take.
const END: Duration = Duration::from_secs(30);

/// A round trip more than the bound: a read is counted as begun a moment before it is.
const SLACK: Duration = Duration::from_millis(50);

/// What is to be done.
pub(crate) struct Plan {
    pub(crate) source: Source,
    pub(crate) requests: Option<u64>,
    pub(crate) concurrency: u16,
    pub(crate) instances: u16,
    pub(crate) write_share: f64,
    pub(crate) seed: u64,
    pub(crate) progress: Progress,
}

/// What was done.
pub(crate) struct Outcome {
    pub(crate) labels: Vec<(&'static str, String)>,
    pub(crate) bound: hallway::Bound,
    pub(crate) instances: u16,
    pub(crate) concurrency: u16,
    pub(crate) elapsed: Duration,
    pub(crate) tally: Tally,
    /// Of all instances together.
    pub(crate) stats: TieredStats,
    /// Reads that the local tier answered as the authority itself.
    pub(crate) local_authority: bool,
    pub(crate) has_consistent: bool,
    pub(crate) settled: bool,
}

/// What the workers have counted.
pub(crate) struct Tally {
    pub(crate) reads: u64,
    pub(crate) found: u64,
    pub(crate) writes: u64,
    /// First writes of a key, after its first read found nothing.
    pub(crate) new_keys: u64,
    pub(crate) failures: BTreeMap<String, u64>,
    /// Reads that missed a write acknowledged before they began.
    pub(crate) stale: u64,
    pub(crate) stalest: Duration,
    /// Reads more stale than promised.
    pub(crate) beyond_bound: u64,
    pub(crate) read_ns: Histogram<u64>,
    pub(crate) write_ns: Histogram<u64>,
}

/// What the workers share.
struct Run {
    instances: Vec<TieredStore>,
    namespace: Namespace,
    // A blocking lock: reading a key does not await.
    stream: Mutex<Stream>,
    versions: Versions,
    bound: Option<Duration>,
    write_share: f64,
    done: AtomicU64,
    stop: AtomicBool,
    progress: Progress,
}

struct Stream {
    source: Source,
    taken: u64,
    limit: u64,
    writes: mix::Stream,
}

/// One request, numbered from 1.
struct Request {
    number: u64,
    write: bool,
}

/// Replays the stream, in a namespace of its own that is cleared afterwards, also after a failure.
pub(crate) async fn run(deployment: Deployment, capacity: Option<u64>, plan: Plan) -> Result<Outcome, Failure> {
    let deployment = deployment.with_capacity(capacity, CAPACITY)?;
    let labels = deployment.labels();
    let stores = deployment.open_stores().await?;
    let mut instances = Vec::new();
    for number in 0..plan.instances {
        let mut stores = stores.clone();
        if number > 0 && stores.local.is_some() {
            // Every instance has a map of its own.
            stores.local = deployment.open_local().await?;
        }
        instances.push(deployment.build(stores)?);
    }
    let first = instances[0].clone();
    // So that tiers that cannot work are known before anything is measured.
    first.ping().await?;

    let namespace = Namespace::new(&format!("replay:{:016x}", random_number()?))?;
    let bound = first.bound_of(&namespace);
    if bound.mode == Mode::Local && plan.instances > 1 {
        note("note: in mode `local` each instance has values of its own, so an instance misses what others wrote");
    }
    let seed = mix::mix(plan.seed ^ 0x7716_e500);
    let run = Arc::new(Run {
        instances,
        namespace: namespace.clone(),
        stream: Mutex::new(Stream {
            source: plan.source,
            taken: 0,
            limit: plan.requests.unwrap_or(u64::MAX),
            writes: mix::Stream::new(seed),
        }),
        versions: Versions::new(),
        // Each instance of mode `local` is alone with its promise.
        bound: bound.single_fault.filter(|_| bound.mode != Mode::Local),
        write_share: plan.write_share,
        done: AtomicU64::new(0),
        stop: AtomicBool::new(false),
        progress: plan.progress,
    });
    let start = Instant::now();
    let tally = run_workers(&run, plan.concurrency).await;
    let elapsed = start.elapsed();
    run.progress.finish();

    let cleared = clear(&run).await;
    let stats = run.instances.iter().map(TieredStore::stats).fold(TieredStats::default(), sum);
    let mut settled = true;
    for instance in &run.instances {
        // What a tier that is down is owed stands in the outbox; whoever reaches it later makes it good.
        let down = instance.health().shared == TierHealth::Degraded;
        settled &= instance.shutdown(if down { Duration::ZERO } else { END }).await;
    }
    if let Err(error) = cleared {
        note(&format!(
            "note: keys below {} could not be cleared ({:?}); they expire within a day",
            namespace.as_str(),
            error.kind()
        ));
    }
    let tally = tally?;
    if tally.reads + tally.writes == 0 {
        return Err(Failure::usage("the trace has no requests"));
    }
    let set = first.tiers();
    let local_authority = bound.mode == Mode::Local || !(set.shared || set.consistent);
    Ok(Outcome {
        labels,
        bound,
        instances: plan.instances,
        concurrency: plan.concurrency,
        elapsed,
        tally,
        stats,
        local_authority,
        has_consistent: set.consistent,
        settled,
    })
}

async fn run_workers(run: &Arc<Run>, concurrency: u16) -> Result<Tally, Failure> {
    let mut workers = JoinSet::new();
    for _ in 0..concurrency {
        let run = run.clone();
        workers.spawn(async move {
            let result = work(&run).await;
            if result.is_err() {
                run.stop.store(true, Relaxed);
            }
            result
        });
    }
    let mut total = Tally::new();
    let mut failure = None;
    let patience = tokio::time::sleep(GRACE);
    tokio::pin!(patience);
    let mut interrupted = false;
    loop {
        tokio::select! {
            ended = workers.join_next() => match ended {
                None => break,
                Some(Ok(Ok(tally))) => total.add(&tally),
                Some(Ok(Err(error))) => { failure.get_or_insert(error); }
                Some(Err(panicked)) => std::panic::resume_unwind(panicked.into_panic()),
            },
            _ = tokio::signal::ctrl_c() => {
                run.stop.store(true, Relaxed);
                failure.get_or_insert(Failure::Interrupted);
                // Who asks twice is not kept waiting.
                if interrupted {
                    break;
                }
                interrupted = true;
                patience.as_mut().reset(tokio::time::Instant::now() + GRACE);
            }
            () = &mut patience, if interrupted => break,
        }
    }
    failure.map_or(Ok(total), Err)
}

async fn work(run: &Run) -> Result<Tally, Failure> {
    let mut tally = Tally::new();
    let mut id = String::new();
    while !run.stop.load(Relaxed)
        && let Some(request) = run.next_request(&mut id)?
    {
        let instance = &run.instances[(request.number - 1) as usize % run.instances.len()];
        let place = |error: Error| Failure::Store(error.with_context(format_args!("request {}", request.number)));
        let key = run.namespace.key(&id).map_err(place)?;
        let hash = mix::hash(&id);
        if request.write {
            write(run, instance, &key, hash, false, &mut tally).await;
        } else {
            let begun = Instant::now();
            let floor = run.versions.floor(hash, begun);
            let answer = instance.get(&key).await;
            record(&mut tally.read_ns, begun);
            match answer {
                Ok(found) => {
                    tally.reads += 1;
                    let version = match &found {
                        None => 0,
                        Some(value) => value::version(value, hash).map_err(|what| {
                            place(Error::new(ErrorKind::Corrupt, format!("the value read is not one written: {what}")))
                        })?,
                    };
                    tally.found += u64::from(found.is_some());
                    if run.bound.is_some()
                        && let Some(staleness) = floor.staleness(version)
                    {
                        tally.stale += 1;
                        tally.stalest = tally.stalest.max(staleness);
                        tally.beyond_bound += u64::from(run.bound.is_some_and(|bound| staleness > bound + SLACK));
                    }
                    if found.is_none() {
                        write(run, instance, &key, hash, true, &mut tally).await;
                    }
                }
                Err(error) => tally.failed("read", error.kind()),
            }
        }
        let done = run.done.fetch_add(1, Relaxed) + 1;
        if done.is_multiple_of(BREATH) {
            run.progress.at(done);
            tokio::task::yield_now().await;
        }
    }
    Ok(tally)
}

/// Writes the next version of a value; after a miss only if nobody has written one meanwhile.
async fn write(run: &Run, instance: &TieredStore, key: &hallway::Key, hash: u64, missed: bool, tally: &mut Tally) {
    let _turn = run.versions.turn(hash).await;
    if missed && run.bound.is_some() && run.versions.is_known(hash) {
        return;
    }
    let version = run.versions.next(hash);
    let value = value::make_version(hash, version);
    let begun = Instant::now();
    let answer = instance.set(key, value, SetOptions::new(TTL)).await;
    record(&mut tally.write_ns, begun);
    match answer {
        Ok(_) => {
            run.versions.acknowledge(hash, version, Instant::now());
            tally.writes += 1;
            tally.new_keys += u64::from(missed);
        }
        Err(error) => tally.failed("write", error.kind()),
    }
}

fn record(histogram: &mut Histogram<u64>, begun: Instant) {
    histogram.saturating_record(begun.elapsed().as_nanos().min(u128::from(LONGEST_NS)) as u64);
}

/// Each instance of mode `local` has keys of its own; else they have all of them together.
async fn clear(run: &Run) -> hallway::Result<()> {
    for instance in &run.instances {
        instance.with_deadline(END).clear(&run.namespace.prefix()).await?;
    }
    Ok(())
}

impl Run {
    /// Takes the next request off the stream.
    fn next_request(&self, id: &mut String) -> Result<Option<Request>, Failure> {
        let mut stream = self.stream.lock().unwrap_or_else(PoisonError::into_inner);
        if stream.taken == stream.limit || !stream.source.next_key(id)? {
            return Ok(None);
        }
        stream.taken += 1;
        let write = self.write_share > 0.0 && unit(stream.writes.next()) < self.write_share;
        Ok(Some(Request { number: stream.taken, write }))
    }
}

impl Tally {
    fn new() -> Self {
        // These bounds are within what a histogram takes.
        let histogram = || Histogram::new_with_bounds(1, LONGEST_NS, 3).expect("valid bounds");
        Self {
            reads: 0,
            found: 0,
            writes: 0,
            new_keys: 0,
            failures: BTreeMap::new(),
            stale: 0,
            stalest: Duration::ZERO,
            beyond_bound: 0,
            read_ns: histogram(),
            write_ns: histogram(),
        }
    }

    fn failed(&mut self, what: &str, kind: ErrorKind) {
        *self.failures.entry(format!("{what}: {kind:?}")).or_default() += 1;
    }

    fn add(&mut self, other: &Self) {
        self.reads += other.reads;
        self.found += other.found;
        self.writes += other.writes;
        self.new_keys += other.new_keys;
        self.stale += other.stale;
        self.stalest = self.stalest.max(other.stalest);
        self.beyond_bound += other.beyond_bound;
        for (what, count) in &other.failures {
            *self.failures.entry(what.clone()).or_default() += count;
        }
        self.read_ns.add(&other.read_ns).expect("same bounds");
        self.write_ns.add(&other.write_ns).expect("same bounds");
    }
}

fn sum(mut total: TieredStats, one: TieredStats) -> TieredStats {
    total.local_hits += one.local_hits;
    total.shared_hits += one.shared_hits;
    total.loads += one.loads;
    total.bypassed += one.bypassed;
    total.fills += one.fills;
    total.failed_fills += one.failed_fills;
    total.poisoned += one.poisoned;
    total.invalidations += one.invalidations;
    total.flushes += one.flushes;
    total.marked_writes += one.marked_writes;
    total.unannounced_writes += one.unannounced_writes;
    total.refused_writes += one.refused_writes;
    total.repairs += one.repairs;
    total.shared_failures += one.shared_failures;
    total.shared_refusals += one.shared_refusals;
    total
}
