//! Instances that are processes of their own: links fail, then a process stalls, and no read is further behind than
//! promised.
//!
//! The machine's clock is one for all of them, so their histories can be put together as they are.

mod faults;
mod instance;
mod judge;
mod rng;

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use hallway::{Clock, Mode, NamespaceOptions, SystemClock, TierSet, TieredStore};
use hallway_testkit::FaultProxy;
use hallway_testkit::history::{History, Recorder};
use tokio::time::{sleep, timeout};

use self::faults::Schedule;
use self::judge::{Judged, judge};
use crate::stage::{Place, Truth, fresh, redis};

/// H.
const BOUND: Duration = Duration::from_secs(1);

const INSTANCES: u32 = 3;

/// How many schedules each database gets instead of one, for the full figure.
const RUNS: &str = "HALLWAY_TEST_PROCESS_RUNS";

/// Which process of the history a child is, and so whether it is one.
const PROCESS: &str = "HALLWAY_INSTANCE_PROCESS";
const SEED: &str = "HALLWAY_INSTANCE_SEED";
const SHARED: &str = "HALLWAY_INSTANCE_SHARED";
const CONSISTENT: &str = "HALLWAY_INSTANCE_CONSISTENT";
const HISTORY: &str = "HALLWAY_INSTANCE_HISTORY";

/// What a child says when its tiers are open.
const READY: &str = "the instance is ready";

/// A stall longer than the bound: when it goes on, its copies are too old and it must know.
const STALL: Duration = Duration::from_millis(1_500);

/// A child that has not ended by then hangs.
const PATIENCE: Duration = Duration::from_secs(60);

struct Instance {
    child: Child,
    history: PathBuf,
}

impl Instance {
    /// Starts this test binary again, as an instance that waits to be told until when it works.
    fn start(process: u32, seed: u64, shared: &str, consistent: &str, folder: &Path) -> Self {
        let history = folder.join(format!("{process}.json"));
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["processes::one_instance", "--exact", "--nocapture"])
            .env(PROCESS, process.to_string())
            .env(SEED, seed.to_string())
            .env(SHARED, shared)
            .env(CONSISTENT, consistent)
            .env(HISTORY, &history)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        Self { child, history }
    }

    /// Waits until its tiers are open; it ends itself if they never are.
    fn ready(&mut self) {
        let lines = BufReader::new(self.child.stdout.as_mut().unwrap()).lines();
        assert!(lines.map_while(Result::ok).any(|line| line.contains(READY)), "an instance did not start");
    }

    fn work(&mut self, until: u64) {
        writeln!(self.child.stdin.as_mut().unwrap(), "{until}").unwrap();
    }

    fn signal(&self, signal: &str) {
        let sent = Command::new("kill").args([signal, &self.child.id().to_string()]).status().unwrap();
        assert!(sent.success(), "the instance is gone");
    }

    /// What it has seen, when it has ended.
    fn history(mut self) -> History {
        let status = self.child.wait().unwrap();
        assert!(status.success(), "an instance failed: {status}");
        History::from_json(&std::fs::read_to_string(&self.history).unwrap()).unwrap()
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        // Mostly it has ended already; a stopped one dies of this too.
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// As an application that must not be stale opens it.
async fn open(shared: &str, consistent: &str) -> TieredStore {
    TieredStore::builder()
        .local(hallway::moka::MokaStore::builder().build().unwrap())
        .shared(hallway::open(shared).await.unwrap())
        .consistent(hallway::open(consistent).await.unwrap())
        .defaults(NamespaceOptions::new().with_mode(Mode::Shared).strict())
        .bound(BOUND)
        .build()
        .unwrap()
}

/// A child of the tests below; nothing when it is run by itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_instance() {
    let Ok(process) = std::env::var(PROCESS) else { return };
    let variable = |name: &str| std::env::var(name).unwrap();
    let work = async {
        let store = open(&variable(SHARED), &variable(CONSISTENT)).await;
        println!("{READY}");
        let told = tokio::task::spawn_blocking(|| {
            let mut line = String::new();
            std::io::stdin().read_line(&mut line).map(|_| line)
        });
        let until = told.await.unwrap().unwrap().trim().parse().unwrap();
        let recorder = Recorder::new();
        let seed = variable(SEED).parse().unwrap();
        instance::play(store.clone(), recorder.clone(), process.parse().unwrap(), seed, until).await;
        let stats = store.stats();
        // Copies answered, or there was nothing to be stale; and a strict namespace tells of every write or refuses it.
        assert!(stats.local_hits > 0, "{stats:?}");
        assert_eq!(stats.unannounced_writes, 0, "{stats:?}");
        std::fs::write(variable(HISTORY), recorder.history().to_json()).unwrap();
        store.shutdown(Duration::from_secs(2)).await;
    };
    timeout(PATIENCE, work).await.unwrap();
}

async fn run(truth: Truth, seed: u64) -> Judged {
    let schedule = Schedule::from_seed(seed, INSTANCES);
    let place = Place::new(TierSet::new(false, false, true), truth).await;
    let consistent = place.consistent.clone().unwrap();
    let links: Vec<FaultProxy> = (0..INSTANCES).map(|_| FaultProxy::start(redis().addr()).unwrap()).collect();
    let database = fresh();
    let urls: Vec<String> = links.iter().map(|link| format!("redis://{}/{database}", link.addr())).collect();
    let folder = tempfile::tempdir().unwrap();
    let kept = folder.path().to_owned();
    let started = tokio::task::spawn_blocking(move || {
        let each = (0_u32..).zip(&urls);
        let mut instances: Vec<_> =
            each.map(|(process, url)| Instance::start(process, seed, url, &consistent, &kept)).collect();
        instances.iter_mut().for_each(Instance::ready);
        instances
    });
    let mut instances = started.await.unwrap();
    // After the faults: a while in which copies are made, a stall, and a while in which it must not be believed.
    let length = schedule.length() + STALL * 2;
    let until = SystemClock.now() + u64::try_from(length.as_micros()).unwrap();
    instances.iter_mut().for_each(|instance| instance.work(until));
    faults::play(&schedule, &links).await;
    sleep(STALL / 3).await;
    instances[0].signal("-STOP");
    sleep(STALL).await;
    instances[0].signal("-CONT");
    let name = format!("processes-{truth:?}-{seed}");
    let judged = tokio::task::spawn_blocking(move || {
        let histories = instances.into_iter().map(Instance::history);
        let history = History { operations: histories.flat_map(|history| history.operations).collect() };
        judge(&name, &history, BOUND)
    });
    judged.await.unwrap().unwrap_or_else(|failure| panic!("{schedule:?}\n{failure}"))
}

async fn at_most_h_behind(truth: Truth, seeds: impl Iterator<Item = u64>) {
    let runs = std::env::var(RUNS).map_or(1, |runs| runs.parse().expect("a number of runs"));
    let (mut measured, mut operations) = (Vec::new(), 0);
    for seed in seeds.take(runs) {
        let judged = run(truth, seed).await;
        println!("seed {seed}: {} operations, at most {:?} behind", judged.operations, judged.staleness);
        assert!(judged.operations > 1_000, "{judged:?}");
        measured.push(judged.staleness);
        operations += judged.operations;
    }
    measured.sort_unstable();
    let [p50, p99, max] = [50, 99, 100].map(|percent| measured[(measured.len() * percent).div_ceil(100) - 1]);
    println!(
        "{truth:?}, {INSTANCES} processes, {runs} schedules, {operations} operations: behind p50 {p50:?} p99 {p99:?} \
         max {max:?}"
    );
}

/// Black holes both ways and towards the server, latency and truncation first.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn processes_on_sqlite_are_at_most_the_bound_behind() {
    at_most_h_behind(Truth::Sqlite, (0..).step_by(2)).await;
}

/// Black holes towards the client, cuts and resets first.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn processes_on_postgres_are_at_most_the_bound_behind() {
    at_most_h_behind(Truth::Postgres, (1..).step_by(2)).await;
}
