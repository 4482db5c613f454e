//! A contender with a workload, and the one loop that measures.

use std::fmt;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use crate::workload::mix;
use crate::{Contender, Result, Workload};

/// What each iteration does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Op {
    /// Reads one value that is there.
    Get,
    /// Reads that many values that are there in one call.
    GetMany(usize),
    /// Replaces one value by a different one.
    Set,
}

/// One run of a lane.
#[derive(Debug, Clone, Copy)]
pub struct Plan {
    /// What each iteration does.
    pub op: Op,
    /// How many tasks (or threads) run at the same time.
    pub concurrency: usize,
    /// How often each of them does it.
    pub iterations: u64,
    /// Whether to note the time of each iteration, which costs two looks at the clock.
    pub latencies: bool,
}

/// What a run took.
#[derive(Debug)]
pub struct Sample {
    /// From the first start to the last end.
    pub elapsed: Duration,
    /// Iterations of all tasks together.
    pub iterations: u64,
    /// Nanoseconds of each iteration, unordered, if they were asked for.
    pub latencies: Vec<u64>,
}

impl Sample {
    /// Wall-clock nanoseconds per iteration: the inverse of throughput.
    #[must_use]
    pub fn nanos_per_iteration(&self) -> f64 {
        self.elapsed.as_nanos() as f64 / self.iterations as f64
    }

    /// The latency that this share of the iterations does not exceed.
    #[must_use]
    pub fn percentile(&mut self, share: f64) -> Option<u64> {
        let last = self.latencies.len().checked_sub(1)?;
        let rank = (last as f64 * share).round() as usize;
        Some(*self.latencies.select_nth_unstable(rank).1)
    }
}

/// On what the loops run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Driver {
    /// Tasks spawned on the workers of the runtime: for everything that waits for a server.
    Tasks,
    /// Threads of their own, each future polled once: for what never waits. The scheduler could put two tasks that
    /// never wait on one worker.
    Threads,
}

type Run = dyn Fn(Plan) -> Pin<Box<dyn Future<Output = Result<Sample>> + Send>> + Send + Sync;
type Verify = dyn Fn() -> Pin<Box<dyn Future<Output = Result<()>> + Send>> + Send + Sync;

/// A contender with a workload, its keys written, ready to run.
pub struct Lane {
    name: String,
    run: Box<Run>,
    verify: Box<Verify>,
}

impl fmt::Debug for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lane").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Lane {
    /// Builds the keys and writes every value once.
    ///
    /// # Errors
    /// If a key is refused or a write fails.
    pub async fn prepare<C: Contender>(
        name: impl Into<String>,
        contender: C,
        workload: Arc<Workload>,
        driver: Driver,
    ) -> Result<Self> {
        let keys = workload.names().map(|name| contender.key(name)).collect::<Result<Vec<_>>>()?;
        let versions = keys.iter().map(|_| AtomicU64::new(0)).collect();
        let course = Arc::new(Course { keys, versions, workload });
        seed(&contender, &course).await?;
        let verify = {
            let (contender, course) = (contender.clone(), course.clone());
            Box::new(move || boxed(verify(contender.clone(), course.clone())))
        };
        let run = Box::new(move |plan| match driver {
            Driver::Tasks => boxed(run_tasks(contender.clone(), course.clone(), plan)),
            Driver::Threads => boxed(run_threads(contender.clone(), course.clone(), plan)),
        });
        Ok(Self { name: name.into(), run, verify })
    }

    /// What the lane is called in reports.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Runs a plan.
    ///
    /// # Errors
    /// If any call failed or any value read was wrong: the sample is void.
    pub async fn run(&self, plan: Plan) -> Result<Sample> {
        (self.run)(plan).await.map_err(|error| format!("{}: {error}", self.name).into())
    }

    /// Reads one key in a hundred and compares every byte. Never timed.
    ///
    /// # Errors
    /// If a value is missing or wrong.
    pub async fn verify(&self) -> Result<()> {
        (self.verify)().await.map_err(|error| format!("{}: {error}", self.name).into())
    }
}

/// What the tasks of a lane share.
struct Course<K> {
    keys: Vec<K>,
    // How often each key was written, so that each write has another value than the one before.
    versions: Vec<AtomicU64>,
    workload: Arc<Workload>,
}

fn boxed<T>(future: impl Future<Output = T> + Send + 'static) -> Pin<Box<dyn Future<Output = T> + Send>> {
    Box::pin(future)
}

async fn seed<C: Contender>(contender: &C, course: &Arc<Course<C::Key>>) -> Result<()> {
    const WRITERS: usize = 32;
    let mut tasks: Vec<JoinHandle<Result<()>>> = Vec::new();
    for writer in 0..WRITERS {
        let (mut contender, course) = (contender.clone(), course.clone());
        tasks.push(tokio::spawn(async move {
            for key in (writer..course.keys.len()).step_by(WRITERS) {
                contender.set(&course.keys[key], course.workload.value(key, 0)).await?;
            }
            Ok(())
        }));
    }
    for task in tasks {
        task.await??;
    }
    Ok(())
}

async fn verify<C: Contender>(mut contender: C, course: Arc<Course<C::Key>>) -> Result<()> {
    for key in (0..course.keys.len()).step_by(100) {
        let found = contender.get(&course.keys[key]).await?;
        course.workload.check_fully(key, found.as_ref().map(AsRef::as_ref))?;
    }
    Ok(())
}

async fn run_tasks<C: Contender>(contender: C, course: Arc<Course<C::Key>>, plan: Plan) -> Result<Sample> {
    let barrier = Arc::new(tokio::sync::Barrier::new(plan.concurrency));
    let mut tasks = Vec::with_capacity(plan.concurrency);
    for task in 0..plan.concurrency {
        let (contender, course, barrier) = (contender.clone(), course.clone(), barrier.clone());
        tasks.push(tokio::spawn(async move {
            barrier.wait().await;
            lap(contender, &course, plan, task).await
        }));
    }
    let mut laps = Vec::with_capacity(tasks.len());
    for task in tasks {
        laps.push(task.await??);
    }
    Ok(sample(laps, plan))
}

async fn run_threads<C: Contender>(contender: C, course: Arc<Course<C::Key>>, plan: Plan) -> Result<Sample> {
    let runtime = Handle::current();
    // A worker that waits for threads is a worker less for whatever else the contender runs.
    let laps = tokio::task::spawn_blocking(move || {
        let barrier = std::sync::Barrier::new(plan.concurrency);
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..plan.concurrency)
                .map(|thread| {
                    let (contender, course, barrier, runtime) = (contender.clone(), &course, &barrier, &runtime);
                    scope.spawn(move || {
                        let _entered = runtime.enter();
                        barrier.wait();
                        at_once(lap(contender, course, plan, thread))
                    })
                })
                .collect();
            threads
                .into_iter()
                .map(|thread| thread.join().map_err(|_| "a measuring thread panicked")?)
                .collect::<Result<Vec<_>>>()
        })
    })
    .await??;
    Ok(sample(laps, plan))
}

/// The output of a future that never waits.
fn at_once<T>(future: impl Future<Output = Result<T>>) -> Result<T> {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => Err("a contender driven by threads must not wait".into()),
    }
}

struct Lap {
    start: Instant,
    end: Instant,
    latencies: Vec<u64>,
}

fn sample(laps: Vec<Lap>, plan: Plan) -> Sample {
    let start = laps.iter().map(|lap| lap.start).min();
    let end = laps.iter().map(|lap| lap.end).max();
    let elapsed = start.zip(end).map_or(Duration::ZERO, |(start, end)| end.duration_since(start));
    let iterations = plan.iterations * plan.concurrency as u64;
    Sample { elapsed, iterations, latencies: laps.into_iter().flat_map(|lap| lap.latencies).collect() }
}

/// What one task does: the only timed code of the package.
async fn lap<C: Contender>(mut contender: C, course: &Course<C::Key>, plan: Plan, task: usize) -> Result<Lap> {
    let Course { keys, versions, workload } = course;
    let mut walk = Walk { state: mix(task as u64) };
    let mut latencies = Vec::with_capacity(if plan.latencies { plan.iterations as usize } else { 0 });
    let start = Instant::now();
    for _ in 0..plan.iterations {
        let before = plan.latencies.then(Instant::now);
        match plan.op {
            Op::Get => {
                let key = walk.step(keys.len());
                let found = contender.get(&keys[key]).await?;
                workload.check(key, found.as_ref().map(AsRef::as_ref))?;
            }
            Op::GetMany(count) => {
                let first = walk.step(keys.len() - count + 1);
                let found = contender.get_many(&keys[first..first + count]).await?;
                if found.len() != count {
                    return Err(format!("{} values for {count} keys", found.len()).into());
                }
                for (offset, found) in found.iter().enumerate() {
                    workload.check(first + offset, found.as_ref().map(AsRef::as_ref))?;
                }
            }
            Op::Set => {
                let key = walk.step(keys.len());
                let version = versions[key].fetch_add(1, Ordering::Relaxed) + 1;
                contender.set(&keys[key], workload.value(key, version)).await?;
            }
        }
        if let Some(before) = before {
            latencies.push(before.elapsed().as_nanos() as u64);
        }
    }
    Ok(Lap { start, end: Instant::now(), latencies })
}

/// A cheap uniform walk over the keys, the same for every contender.
struct Walk {
    state: u64,
}

impl Walk {
    #[inline]
    fn step(&mut self, keys: usize) -> usize {
        self.state = self.state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (((self.state >> 32) * keys as u64) >> 32) as usize
    }
}
