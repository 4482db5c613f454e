//! How far behind reads are on real servers while links fail and processes stall: measured by the checker, never more than
//! promised.

mod consistent;
mod faults;
mod instance;
mod judge;
mod processes;
mod rng;

use std::sync::Arc;
use std::time::Duration;

use hallway::{Clock, Mode, NamespaceOptions, SystemClock, TierSet, TieredStats, TieredStore};
use hallway_testkit::FaultProxy;
use hallway_testkit::history::Recorder;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use self::faults::Schedule;
use self::judge::{Judged, judge};
use crate::stage::{Place, Truth, fresh, redis};

/// H.
const BOUND: Duration = Duration::from_secs(1);

/// How many instances there are.
const INSTANCES: u32 = 3;

/// Schedules in every run of the suite: the first kinds of fault, on both databases.
const SCHEDULES: u64 = 6;
const QUICK: u64 = 2;

/// Schedules at a time: they mostly wait, and each has three instances of connections.
const AT_ONCE: usize = 6;

/// How many runs a test makes: what the variable says, else `quick` or `usual`.
fn figure(variable: &str, quick: u64, usual: u64) -> u64 {
    match std::env::var(variable) {
        Ok(figure) => figure.parse().unwrap_or_else(|_| panic!("{variable} must be a number")),
        Err(_) if std::env::var_os("HALLWAY_TEST_QUICK").is_some() => quick,
        Err(_) => usual,
    }
}

/// Tiers, all three, where each instance has a link of its own to one Redis database.
async fn places(truth: Truth) -> Vec<(Place, FaultProxy)> {
    let mut place = Place::new(TierSet::new(true, true, true), truth).await;
    let database = fresh();
    (0..INSTANCES)
        .map(|_| {
            let proxy = FaultProxy::start(redis().addr()).unwrap();
            place.shared = Some(format!("redis://{}/{database}", proxy.addr()));
            (place.clone(), proxy)
        })
        .collect()
}

/// An instance as an application that must not be stale would open it.
async fn open(place: &Place) -> TieredStore {
    let options = NamespaceOptions::new().with_mode(Mode::Shared).strict();
    place.builder().await.defaults(options).bound(BOUND).build().unwrap()
}

#[derive(Debug, Default)]
struct Totals {
    local_hits: u64,
    bypassed: u64,
    refused_writes: u64,
}

impl Totals {
    fn add(&mut self, stats: &TieredStats) {
        self.local_hits += stats.local_hits;
        self.bypassed += stats.bypassed;
        self.refused_writes += stats.refused_writes;
    }
}

async fn run(seed: u64) -> (Judged, Totals) {
    let truth = if seed.is_multiple_of(2) { Truth::Sqlite } else { Truth::Postgres };
    let schedule = Schedule::from_seed(seed, INSTANCES);
    let (places, links): (Vec<Place>, Vec<FaultProxy>) = places(truth).await.into_iter().unzip();
    let mut stores = Vec::new();
    for place in &places {
        stores.push(open(place).await);
    }
    let recorder = Recorder::new();
    let until = SystemClock.now() + u64::try_from(schedule.length().as_micros()).unwrap();
    let mut tasks = JoinSet::new();
    for (process, store) in (0_u32..).zip(&stores) {
        tasks.spawn(instance::play(store.clone(), recorder.clone(), process, seed, until));
    }
    faults::play(&schedule, &links).await;
    while let Some(ended) = tasks.join_next().await {
        ended.unwrap();
    }
    let mut totals = Totals::default();
    for store in &stores {
        totals.add(&store.stats());
        store.shutdown(Duration::from_secs(2)).await;
    }
    let history = recorder.history();
    let name = format!("shared-{truth:?}-{seed}");
    let judged = tokio::task::spawn_blocking(move || judge(&name, &history, BOUND)).await.unwrap();
    (judged.unwrap_or_else(|failure| panic!("{schedule:?}\n{failure}")), totals)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn shared_reads_are_at_most_h_behind_while_links_fail() {
    let schedules = figure("HALLWAY_TEST_SCHEDULES", QUICK, SCHEDULES);
    let places = Arc::new(Semaphore::new(AT_ONCE));
    let mut runs = JoinSet::new();
    for seed in 0..schedules {
        let places = Arc::clone(&places);
        runs.spawn(async move {
            let _place = places.acquire().await.unwrap();
            run(seed).await
        });
    }
    let (mut measured, mut operations, mut totals) = (Vec::new(), 0, Totals::default());
    while let Some(ended) = runs.join_next().await {
        let (judged, seen) = ended.unwrap();
        measured.push(judged.staleness);
        operations += judged.operations;
        totals.local_hits += seen.local_hits;
        totals.bypassed += seen.bypassed;
        totals.refused_writes += seen.refused_writes;
    }
    measured.sort_unstable();
    let [p50, p99, max] = [50, 99, 100].map(|percent| measured[(measured.len() * percent).div_ceil(100) - 1]);
    println!("{schedules} schedules, {operations} operations: {totals:?}; measured staleness p50 {p50:?} p99 {p99:?} max {max:?}");
    // The faults were felt: copies answered, then did without, and a copy answered for a link that was cut off already.
    assert!(totals.local_hits > 0 && totals.bypassed > 0 && totals.refused_writes > 0, "{totals:?}");
    assert!(max > BOUND / 10, "no read was behind, so nothing was tested: {max:?}");
}
