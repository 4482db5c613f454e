//! One store's turn.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use hallway::{Error, ErrorKind, KvStore, Namespace, SetOptions};
use hallway_study::trace::sizes::value_len;
use hallway_study::trace::{mix, value};
use hdrhistogram::Histogram;
use rand::TryRng as _;
use rand::rngs::SysRng;
use tokio::task::JoinSet;

use super::contender::Contender;
use super::source::Source;
use crate::failure::Failure;
use crate::output::note;
use crate::progress::Progress;

/// Outlives any run, and takes away what a killed one has left.
pub(super) const TTL: Duration = Duration::from_secs(24 * 3_600);

/// Requests between two looks at progress; also how often a worker lets others run, since a store in this process
/// may never make it wait.
pub(super) const BREATH: u64 = 1_024;

/// Keys listed and deleted at once when a run is over.
const PAGE: usize = 500;

/// Clearing may be slower than a request.
const CLEAR_DEADLINE: Duration = Duration::from_secs(30);

/// How long an interrupted run waits for requests on the way. A worker that reads from a silent pipe may wait forever.
pub(super) const GRACE: Duration = Duration::from_secs(10);

/// Latencies are kept to three digits up to here; a longer one counts as this.
pub(super) const LONGEST_NS: u64 = 120_000_000_000;

/// What a store is to do.
pub(crate) struct Plan {
    pub(crate) source: Source,
    pub(crate) requests: Option<u64>,
    pub(crate) concurrency: u16,
    pub(crate) progress: Progress,
}

/// What a store has done.
#[derive(Debug)]
pub(crate) struct Outcome {
    pub(crate) label: String,
    pub(crate) requests: u64,
    pub(crate) hits: u64,
    pub(crate) elapsed: Duration,
    /// Nanoseconds a request: the get, and on a miss the set.
    pub(crate) latency: Histogram<u64>,
    pub(crate) held: Held,
}

/// What the store held at the end.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Held {
    pub(crate) bytes: u64,
    pub(crate) counted: Counted,
}

/// How [`Held`] came about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Counted {
    /// Keys and values of all keys that a scan found at the end.
    ByScan,
    /// The store's own count.
    ByStore,
}

/// What the workers share.
struct Run {
    label: String,
    store: Arc<dyn KvStore>,
    namespace: Namespace,
    // A blocking lock: reading a key does not await.
    stream: Mutex<Stream>,
    done: AtomicU64,
    stop: AtomicBool,
    progress: Progress,
}

struct Stream {
    source: Source,
    taken: u64,
    limit: u64,
}

/// What one worker has counted.
struct Tally {
    hits: u64,
    latency: Histogram<u64>,
}

/// Replays the stream through one store, in a namespace of its own that is cleared afterwards, also after a failure.
pub(crate) async fn run(contender: Contender, plan: Plan) -> Result<Outcome, Failure> {
    let namespace = Namespace::new(&format!("replay:{:016x}", random_number()?))?;
    let run = Arc::new(Run {
        label: contender.label().to_owned(),
        store: contender.store().clone(),
        namespace: namespace.clone(),
        stream: Mutex::new(Stream { source: plan.source, taken: 0, limit: plan.requests.unwrap_or(u64::MAX) }),
        done: AtomicU64::new(0),
        stop: AtomicBool::new(false),
        progress: plan.progress,
    });
    let start = Instant::now();
    let tally = run_workers(&run, plan.concurrency).await;
    let elapsed = start.elapsed();
    run.progress.finish();

    let held = match contender.as_moka() {
        Some(moka) => {
            moka.run_pending_tasks();
            Ok(Held { bytes: moka.weighted_bytes(), counted: Counted::ByStore })
        }
        None => clear(contender.store(), &namespace).await,
    };
    let tally = match (tally, &held) {
        (Ok(tally), _) => tally,
        (Err(failure), Ok(_)) => return Err(failure),
        (Err(failure), Err(_)) => {
            note(&format!(
                "note: {}: keys below {} could not be cleared; they expire within a day",
                run.label,
                namespace.as_str()
            ));
            return Err(failure);
        }
    };
    let requests = run.done.load(Relaxed);
    if requests == 0 {
        return Err(Failure::usage("the trace has no requests"));
    }
    Ok(Outcome { label: run.label.clone(), requests, hits: tally.hits, elapsed, latency: tally.latency, held: held? })
}

/// For a namespace that nobody else has.
pub(super) fn random_number() -> Result<u64, Failure> {
    SysRng
        .try_next_u64()
        .map_err(|error| Failure::local("the system gives no random numbers", std::io::Error::other(error)))
}

async fn run_workers(run: &Arc<Run>, concurrency: u16) -> Result<Tally, Failure> {
    // Spawned even if there is only one: the future given to `block_on` does not run on a worker thread, and every
    // answer from a driver would have to cross threads.
    let mut workers = JoinSet::new();
    for _ in 0..concurrency {
        workers.spawn(work(run.clone()));
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
    match failure {
        Some(failure) => Err(failure),
        None => Ok(total),
    }
}

async fn work(run: Arc<Run>) -> Result<Tally, Failure> {
    let result = replay(&run).await;
    if result.is_err() {
        run.stop.store(true, Relaxed);
    }
    result
}

async fn replay(run: &Run) -> Result<Tally, Failure> {
    let mut tally = Tally::new();
    let mut id = String::new();
    while !run.stop.load(Relaxed)
        && let Some(number) = run.next_request(&mut id)?
    {
        let failed =
            |error: Error| Failure::Store(error.with_context(format_args!("request {number} on {}", run.label)));
        let key = run.namespace.key(&id).map_err(failed)?;
        let hash = mix::hash(&id);
        let start = Instant::now();
        let found = run.store.get(&key).await.map_err(failed)?;
        let mut took = start.elapsed();
        match found {
            Some(value) => {
                tally.hits += 1;
                value::verify(&value, hash).map_err(|what| {
                    failed(Error::new(ErrorKind::Corrupt, format!("the value read is not the one written: {what}")))
                })?;
            }
            None => {
                // Made outside of the measured time: it stands for the loader's work.
                let value = value::make(hash);
                let start = Instant::now();
                run.store.set(&key, value, SetOptions::new(TTL)).await.map_err(failed)?;
                took += start.elapsed();
            }
        }
        tally.latency.saturating_record(took.as_nanos().min(u128::from(LONGEST_NS)) as u64);
        let done = run.done.fetch_add(1, Relaxed) + 1;
        if done.is_multiple_of(BREATH) {
            run.progress.at(done);
            tokio::task::yield_now().await;
        }
    }
    Ok(tally)
}

impl Run {
    /// Takes the next request off the stream and numbers it from 1.
    fn next_request(&self, id: &mut String) -> Result<Option<u64>, Failure> {
        let mut stream = self.stream.lock().unwrap_or_else(PoisonError::into_inner);
        if stream.taken == stream.limit || !stream.source.next_key(id)? {
            return Ok(None);
        }
        stream.taken += 1;
        Ok(Some(stream.taken))
    }
}

impl Tally {
    fn new() -> Self {
        // These bounds are within what a histogram takes.
        let latency = Histogram::new_with_bounds(1, LONGEST_NS, 3).expect("valid bounds");
        Self { hits: 0, latency }
    }

    fn add(&mut self, other: &Self) {
        self.hits += other.hits;
        self.latency.add(&other.latency).expect("same bounds");
    }
}

/// Deletes every key of the run page by page and counts what they held: sizes follow from the keys.
async fn clear(store: &Arc<dyn KvStore>, namespace: &Namespace) -> Result<Held, Failure> {
    let store = store.with_deadline(CLEAR_DEADLINE);
    let prefix = namespace.prefix();
    let mut bytes = 0;
    let mut after = None;
    loop {
        let page = store.scan(&prefix, after.clone(), PAGE).await?;
        bytes +=
            page.keys.iter().map(|key| (key.as_bytes().len() + value_len(mix::hash(&key.id()))) as u64).sum::<u64>();
        store.delete_many(&page.keys).await?;
        // An empty page that leads back to itself would never end.
        if page.next.is_none() || (page.keys.is_empty() && page.next == after) {
            return Ok(Held { bytes, counted: Counted::ByScan });
        }
        after = page.next;
    }
}
