//! The loops that measure: what each task or thread does, and how they start together.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use super::versions::Versions;
use super::{Op, Plan, Sample};
use crate::Result;
use crate::load::workload::mix;
use crate::load::{Contender, Workload};

/// Of one answer to many keys.
const MOST_BATCH_BYTES: usize = 1 << 20;

/// What the tasks of a lane share.
pub(super) struct Course<K> {
    pub(super) keys: Vec<K>,
    versions: Vec<Versions>,
    pub(super) workload: Arc<Workload>,
    // Counts runs, so that each can begin elsewhere.
    pub(super) runs: AtomicU64,
}

impl<K: Send + Sync + 'static> Course<K> {
    /// Builds the keys and writes every value once.
    pub(super) async fn seeded<C: Contender<Key = K>>(contender: &C, workload: Arc<Workload>) -> Result<Arc<Self>> {
        let keys = workload.names().map(|name| contender.key(name)).collect::<Result<Vec<_>>>()?;
        let versions = keys.iter().map(|_| Versions::default()).collect();
        let course = Arc::new(Self { keys, versions, workload, runs: AtomicU64::new(0) });
        seed(contender, &course).await?;
        Ok(course)
    }
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

pub(super) async fn verify<C: Contender>(mut contender: C, course: Arc<Course<C::Key>>) -> Result<()> {
    for key in (0..course.keys.len()).step_by(100) {
        let found = contender.get(&course.keys[key]).await?;
        course.workload.check_fully(key, found.as_ref().map(AsRef::as_ref))?;
    }
    Ok(())
}

/// Every key against what was written to it last; in batches, because it may be far away.
pub(super) async fn verify_last<C: Contender>(mut contender: C, course: Arc<Course<C::Key>>) -> Result<()> {
    const BATCH: usize = 64;
    let workload = &course.workload;
    let batch = (MOST_BATCH_BYTES / workload.value_bytes()).clamp(1, BATCH);
    for first in (0..course.keys.len()).step_by(batch) {
        let keys = &course.keys[first..course.keys.len().min(first + batch)];
        let values = contender.get_many(keys).await?;
        if values.len() != keys.len() {
            return Err(format!("{} values for {} keys", values.len(), keys.len()).into());
        }
        for (key, value) in (first..).zip(&values) {
            workload.check_last(key, course.versions[key].last(), value.as_ref().map(AsRef::as_ref))?;
        }
    }
    Ok(())
}

pub(super) async fn run_tasks<C: Contender>(contender: C, course: Arc<Course<C::Key>>, plan: Plan) -> Result<Sample> {
    let run = course.runs.fetch_add(1, Ordering::Relaxed);
    let laps = together(plan.concurrency, |task| {
        let (contender, course) = (contender.clone(), course.clone());
        async move { lap(contender, &course, plan, Walk::new(run, task)).await }
    })
    .await?;
    Ok(sample(laps, plan))
}

/// Runs a future per task on the workers; they start together.
pub(super) async fn together<F>(concurrency: usize, lap: impl Fn(usize) -> F) -> Result<Vec<Lap>>
where
    F: Future<Output = Result<Lap>> + Send + 'static,
{
    let barrier = Arc::new(tokio::sync::Barrier::new(concurrency));
    let mut tasks = Vec::with_capacity(concurrency);
    for task in 0..concurrency {
        let (barrier, lap) = (barrier.clone(), lap(task));
        tasks.push(tokio::spawn(async move {
            barrier.wait().await;
            lap.await
        }));
    }
    let mut laps = Vec::with_capacity(tasks.len());
    for task in tasks {
        laps.push(task.await??);
    }
    Ok(laps)
}

pub(super) async fn run_threads<C: Contender>(
    contender: C,
    course: Arc<Course<C::Key>>,
    plan: Plan,
    may_wait: bool,
) -> Result<Sample> {
    let runtime = Handle::current();
    let run = course.runs.fetch_add(1, Ordering::Relaxed);
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
                        let lap = lap(contender, course, plan, Walk::new(run, thread));
                        if may_wait { runtime.block_on(lap) } else { at_once(lap) }
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

pub(super) struct Lap {
    pub(super) start: Instant,
    pub(super) end: Instant,
    pub(super) latencies: Vec<u64>,
}

pub(super) fn sample(laps: Vec<Lap>, plan: Plan) -> Sample {
    let start = laps.iter().map(|lap| lap.start).min();
    let end = laps.iter().map(|lap| lap.end).max();
    let elapsed = start.zip(end).map_or(Duration::ZERO, |(start, end)| end.duration_since(start));
    let iterations = plan.iterations * plan.concurrency as u64;
    Sample { elapsed, iterations, latencies: laps.into_iter().flat_map(|lap| lap.latencies).collect() }
}

/// What one task does.
async fn lap<C: Contender>(mut contender: C, course: &Course<C::Key>, plan: Plan, mut walk: Walk) -> Result<Lap> {
    let Course { keys, versions, workload, .. } = course;
    let popular = if matches!(plan.op, Op::Popular(_)) { workload.popular() } else { &[] };
    let mut latencies = Vec::with_capacity(if plan.latencies { plan.iterations as usize } else { 0 });
    let start = Instant::now();
    for _ in 0..plan.iterations {
        let before = plan.latencies.then(Instant::now);
        match plan.op {
            Op::First | Op::Load => return Err("only a cache reads for the first time, or loads".into()),
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
            Op::Popular(count) => {
                for _ in 0..count {
                    let key = popular[walk.next(popular.len())] as usize;
                    let found = contender.get(&keys[key]).await?;
                    workload.check(key, found.as_ref().map(AsRef::as_ref))?;
                }
            }
            Op::Set => {
                let key = walk.step(keys.len());
                let version = versions[key].begin();
                contender.set(&keys[key], workload.value(key, version)).await?;
                versions[key].end();
            }
        }
        if let Some(before) = before {
            latencies.push(before.elapsed().as_nanos() as u64);
        }
    }
    Ok(Lap { start, end: Instant::now(), latencies })
}

/// Cheap walks over keys, the same for every contender.
struct Walk {
    state: u64,
    place: usize,
}

impl Walk {
    fn new(run: u64, task: usize) -> Self {
        Self { state: mix(task as u64), place: mix(run << 32 | task as u64) as usize }
    }

    /// Uniform.
    #[inline]
    fn step(&mut self, keys: usize) -> usize {
        self.state = self.state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (((self.state >> 32) * keys as u64) >> 32) as usize
    }

    /// One place after the other, from another one in each run.
    #[inline]
    fn next(&mut self, places: usize) -> usize {
        self.place = self.place.wrapping_add(1);
        self.place % places
    }
}
