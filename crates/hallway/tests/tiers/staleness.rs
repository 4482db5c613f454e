//! How stale a `Shared` read gets when one instance's link fails, and that a `Consistent` one never is: recorded on real
//! servers, judged by the checker.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use hallway::{Bytes, ErrorKind, Key, KvStore, Mode, NamespaceOptions, SetOptions, TieredStore, Ttl};
use hallway_testkit::history::{self, Call, History, Input, Lag, Operation, Output, Recorder};
use hallway_testkit::{Direction, FaultProxy, LinkFault};
use tokio::task::JoinSet;

use crate::stage::{self, Truth};

/// H.
const BOUND: Duration = Duration::from_secs(1);
/// What is allowed beyond H.
const SLACK: Duration = Duration::from_millis(50);
const INSTANCES: usize = 3;
const KEYS: u64 = 3;

/// Runs of each kind; `HALLWAY_TEST_SCHEDULES` and `HALLWAY_TEST_HISTORIES` say how many instead, for the full figures.
fn count(variable: &str, usual: u64) -> u64 {
    std::env::var(variable).ok().and_then(|text| text.parse().ok()).unwrap_or(usual)
}

/// A generator that a seed makes repeatable (SplitMix64).
struct Chance(u64);

impl Chance {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        (mixed ^ (mixed >> 27)) % end
    }

    fn millis(&mut self, from: u64, to: u64) -> Duration {
        Duration::from_millis(from + self.below(to - from))
    }
}

fn value(bytes: Option<Bytes>) -> Option<u64> {
    bytes.map(|bytes| std::str::from_utf8(&bytes).unwrap().parse().unwrap())
}

/// What all clients of a history share.
#[derive(Clone)]
struct Record {
    recorder: Recorder,
    values: Arc<AtomicU64>,
    until: Instant,
    failed: Arc<AtomicU64>,
    /// Reads may come from copies, and clients pause as people do.
    cached: bool,
}

impl Record {
    fn new(lasts: Duration, cached: bool) -> Self {
        let (values, failed) = Default::default();
        Self { recorder: Recorder::new(), values, until: Instant::now() + lasts, failed, cached }
    }
}

/// One instance's client: mostly reads, some writes and removals, until the end.
async fn client(record: Record, store: TieredStore, process: u32, mut chance: Chance, operations: u64) {
    let Record { recorder, values, until, failed, cached } = record;
    for _ in 0..operations {
        if Instant::now() >= until {
            return;
        }
        let name = format!("r{}", chance.below(KEYS));
        let key = Key::from_physical(&format!("stale:{name}")).unwrap();
        let note = |input| recorder.call(process, name.clone(), input);
        match chance.below(20) {
            0 => {
                let new = values.fetch_add(1, Ordering::SeqCst) + 1;
                let call = note(Input::Write(new));
                let done = store.set(&key, Bytes::from(new.to_string()), SetOptions::new(Ttl::Forever)).await;
                wrote(call, done.map(|_| Output::Done), &failed);
            }
            1 if chance.below(3) == 0 => {
                let call = note(Input::Delete);
                wrote(call, store.delete(&key).await.map(Output::Applied), &failed);
            }
            _ => {
                let call = note(Input::Read);
                let call = if cached { call.cached() } else { call };
                match store.get(&key).await {
                    Ok(found) => call.returned(Output::Value(value(found))),
                    Err(error) => {
                        // With what each connection was at.
                        eprintln!("a read failed: {error:?}, of {store:?}");
                        failed.fetch_add(1, Ordering::SeqCst);
                        call.failed();
                    }
                }
            }
        }
        if cached {
            tokio::time::sleep(chance.millis(1, 12)).await;
        }
    }
}

fn wrote(call: Call, done: hallway::Result<Output>, failed: &AtomicU64) {
    let error = match done {
        Ok(output) => return call.returned(output),
        Err(error) => error,
    };
    eprintln!("a write failed: {error:?}");
    failed.fetch_add(1, Ordering::SeqCst);
    if error.kind() == ErrorKind::Indeterminate { call.unknown() } else { call.failed() }
}

/// One thing goes wrong with one link, heals, and goes wrong again.
async fn partition(proxy: Arc<FaultProxy>, mut chance: Chance, until: Instant) {
    while Instant::now() < until {
        tokio::time::sleep(chance.millis(100, 700)).await;
        match chance.below(7) {
            0 => proxy.set_both(LinkFault::BlackHole),
            1 => proxy.set(Direction::ToClient, LinkFault::BlackHole),
            2 => proxy.set_both(LinkFault::Stall),
            3 => proxy.set(Direction::ToClient, LinkFault::Stall),
            4 => proxy.reset_connections(),
            5 => proxy.set(Direction::ToClient, LinkFault::CutAfter(chance.below(3_000))),
            _ => proxy.set_latency(Direction::ToClient, chance.millis(20, 300)),
        }
        tokio::time::sleep(chance.millis(200, 2_500)).await;
        proxy.heal();
    }
    proxy.heal();
}

async fn truth_url(truth: Truth, folder: &tempfile::TempDir) -> String {
    match truth {
        Truth::Sqlite => format!("sqlite:{}", folder.path().join("app.db").display()),
        Truth::Postgres => stage::postgres_url().await,
    }
}

/// How stale the worst read of one schedule was.
async fn schedule(seed: u64, truth: Truth) -> Duration {
    let folder = tempfile::tempdir().unwrap();
    let (redis, database) = (stage::redis_url(), truth_url(truth, &folder).await);
    let port = |port: u16| format!(":{port}/");
    let mut proxies = Vec::new();
    let mut stores = Vec::new();
    for _ in 0..INSTANCES {
        let proxy = FaultProxy::start(stage::redis().addr()).unwrap();
        let url = redis
            .replace(&port(stage::redis().addr().port()), &port(proxy.port()))
            .replace("deadline=30s", "deadline=1s");
        let tiers = TieredStore::builder()
            .local(hallway::moka::MokaStore::builder().build().unwrap())
            .shared(hallway::open(&url).await.unwrap())
            .consistent(hallway::open(&database).await.unwrap())
            .bound(BOUND)
            .defaults(NamespaceOptions::new().strict())
            .build()
            .unwrap();
        proxies.push(Arc::new(proxy));
        stores.push(tiers);
    }
    let record = Record::new(Duration::from_secs(5), true);
    let until = record.until;
    let mut chance = Chance(seed);
    let mut all = JoinSet::new();
    for (process, store) in (0..).zip(&stores) {
        for _ in 0..2 {
            let chance = Chance(chance.below(u64::MAX));
            all.spawn(client(record.clone(), store.clone(), process, chance, 2_000));
        }
    }
    let victim = chance.below(INSTANCES as u64) as usize;
    all.spawn(partition(Arc::clone(&proxies[victim]), Chance(chance.below(u64::MAX)), until));
    all.join_all().await;
    let history = record.recorder.history();
    let unannounced: u64 = stores.iter().map(|store| store.stats().unannounced_writes).sum();
    assert_eq!(unannounced, 0, "a strict namespace refuses");
    let staleness = history::measured_staleness(&history);
    match staleness.worst() {
        Lag::None => Duration::ZERO,
        Lag::Behind { by, .. } => *by,
        Lag::Wrong(violation) => panic!("seed {seed}: {}", history::timeline(&history, violation)),
        other => panic!("seed {seed}: {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn under_partitions_of_one_link_a_shared_read_is_at_most_the_bound_behind() {
    let quick = std::env::var_os("HALLWAY_TEST_QUICK").is_some();
    let schedules = count("HALLWAY_TEST_SCHEDULES", if quick { 2 } else { 6 });
    let mut found = Vec::new();
    for first in (0..schedules).step_by(2) {
        // Two at a time: more would measure the machine.
        let truth = |seed: u64| if seed.is_multiple_of(2) { Truth::Sqlite } else { Truth::Postgres };
        let both = tokio::join!(schedule(first, truth(first)), schedule(first + 1, truth(first + 1)));
        found.extend([both.0, both.1]);
        eprintln!("schedules {first} and {}: {:?} and {:?} behind", first + 1, both.0, both.1);
    }
    found.sort_unstable();
    let (median, last) = (found[found.len() / 2], found[found.len() - 1]);
    eprintln!(
        "{} schedules: median {median:?}, 99th percentile {:?}, most {last:?}",
        found.len(),
        found[(found.len() * 99 / 100).min(found.len() - 1)]
    );
    assert!(last <= BOUND + SLACK, "{found:?}");
}

/// What a history came to: the figures of several add up.
#[derive(Debug, Default, Clone, Copy)]
struct Sum {
    operations: usize,
    /// Reads that overlapped a write or removal of their key: only these could be told apart by chance alone.
    contested: usize,
}

impl Sum {
    fn of(history: &History) -> Self {
        let operations = &history.operations;
        let ends = |operation: &Operation| operation.ret.unwrap_or(u64::MAX);
        let overlap = |one: &Operation, two: &Operation| one.call <= ends(two) && two.call <= ends(one);
        let changes: Vec<_> = operations.iter().filter(|operation| operation.input != Input::Read).collect();
        let contested = operations.iter().filter(|operation| {
            operation.input == Input::Read
                && changes.iter().any(|change| change.key == operation.key && overlap(change, operation))
        });
        Self { operations: operations.len(), contested: contested.count() }
    }

    fn add(&mut self, other: Self) {
        self.operations += other.operations;
        self.contested += other.contested;
    }
}

/// 1,000 operations of 8 tasks over two instances, linearizable without any allowance.
async fn consistent(seed: u64, truth: Truth) -> Sum {
    let folder = tempfile::tempdir().unwrap();
    let database = truth_url(truth, &folder).await;
    // A busy machine is not an outage: a process that gets no turn for 5 s has let the usual deadline pass.
    let patience = "deadline=60s&statement_timeout=30s";
    let database = format!("{database}{}{patience}", if database.contains('?') { '&' } else { '?' });
    let mut stores = Vec::new();
    for _ in 0..2 {
        let tiers = TieredStore::builder()
            .local(hallway::moka::MokaStore::builder().build().unwrap())
            .consistent(hallway::open(&database).await.unwrap())
            .defaults(NamespaceOptions::new().with_mode(Mode::Consistent))
            .build()
            .unwrap();
        stores.push(tiers);
    }
    let record = Record::new(Duration::from_secs(120), false);
    let mut chance = Chance(seed);
    let mut all = JoinSet::new();
    for task in 0..8 {
        let chance = Chance(chance.below(u64::MAX));
        let store = stores[task as usize % 2].clone();
        all.spawn(client(record.clone(), store, task, chance, 125));
    }
    all.join_all().await;
    let history = record.recorder.history();
    // Nothing was made to fail, so whatever has failed is a defect: a call that hangs would be one.
    assert_eq!((history.operations.len(), record.failed.load(Ordering::SeqCst)), (1_000, 0), "seed {seed}");
    match history::check(&history, Duration::ZERO) {
        history::Verdict::Holds => {}
        history::Verdict::Violated(violation) => panic!("seed {seed}: {}", history::timeline(&history, &violation)),
        history::Verdict::Inconclusive(limit) => panic!("seed {seed}: gave up on {}", limit.key),
    }
    Sum::of(&history)
}

/// Histories `first` and following on both databases; each has a folder and a table of its own.
///
/// `HALLWAY_TEST_FIRST_HISTORY` says where to go on: a long run may be made in parts whose lines add up.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_consistent_read_is_never_behind() {
    let (first, histories) = (count("HALLWAY_TEST_FIRST_HISTORY", 0), count("HALLWAY_TEST_HISTORIES", 3));
    let began = Instant::now();
    let mut sums = [(Truth::Sqlite, Sum::default()), (Truth::Postgres, Sum::default())];
    for seed in first..first + histories {
        for (truth, sum) in &mut sums {
            sum.add(consistent(seed, *truth).await);
        }
        if (seed + 1) % 50 == 0 || seed + 1 == first + histories {
            let [(_, sqlite), (_, postgres)] = sums;
            eprintln!(
                "histories {first} to {seed}, 0 violations, in {:.0?}: SQLite {sqlite:?}, PostgreSQL {postgres:?}",
                began.elapsed()
            );
        }
    }
    for (truth, Sum { operations, contested }) in sums {
        // Else nothing was at stake.
        assert!(contested * 20 > operations, "{truth:?}: {contested} of {operations} reads overlapped a write");
    }
}
