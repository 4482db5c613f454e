//! A contender with a workload, and the one loop that measures.

mod cache;
mod laps;
#[cfg(test)]
mod tests;
mod versions;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use self::laps::Course;
use crate::Result;
use crate::load::{CacheAside, Contender, Workload};

/// What each iteration does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Op {
    /// Reads a value that servers hold and this process does not, each key once; only for [`CacheAside`].
    First,
    /// Reads one value that is there.
    Get,
    /// Reads that many values that are there in one call.
    GetMany(usize),
    /// Asks for a value that is nowhere, which has it loaded and kept; only for [`CacheAside`].
    Load,
    /// Reads that many values that are there, one after the other, the keys chosen by Zipf's law.
    Popular(usize),
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
    /// Threads of their own that may wait: for what hardly ever does.
    WaitingThreads,
}

type Run = dyn Fn(Plan) -> Pin<Box<dyn Future<Output = Result<Sample>> + Send>> + Send + Sync;
type Verify = dyn Fn() -> Pin<Box<dyn Future<Output = Result<()>> + Send>> + Send + Sync;

/// A contender with a workload, its keys written, ready to run.
pub struct Lane {
    name: String,
    keys: usize,
    run: Box<Run>,
    verify: Box<Verify>,
    verify_last: Box<Verify>,
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
        Ok(Self::plain(name.into(), contender.clone(), Course::seeded(&contender, workload).await?, driver))
    }

    /// As [`Lane::prepare`], for a contender that can also do [`Op::First`] and [`Op::Load`], which always run as tasks.
    ///
    /// # Errors
    /// If a key is refused or a write fails.
    pub async fn prepare_cache<C: CacheAside>(
        name: impl Into<String>,
        contender: C,
        workload: Arc<Workload>,
        driver: Driver,
    ) -> Result<Self> {
        let course = Course::seeded(&contender, workload).await?;
        let lane = Self::plain(name.into(), contender.clone(), course.clone(), driver);
        let plain = lane.run;
        let run = Box::new(move |plan: Plan| match plan.op {
            Op::First => boxed(cache::first(contender.clone(), course.clone(), plan)),
            Op::Load => boxed(cache::load(contender.clone(), course.clone(), plan)),
            _ => plain(plan),
        });
        Ok(Self { run, ..lane })
    }

    fn plain<C: Contender>(name: String, contender: C, course: Arc<Course<C::Key>>, driver: Driver) -> Self {
        let keys = course.keys.len();
        let verify = {
            let (contender, course) = (contender.clone(), course.clone());
            Box::new(move || boxed(laps::verify(contender.clone(), course.clone())))
        };
        let verify_last = {
            let (contender, course) = (contender.clone(), course.clone());
            Box::new(move || boxed(laps::verify_last(contender.clone(), course.clone())))
        };
        let run = Box::new(move |plan| match driver {
            Driver::Tasks => boxed(laps::run_tasks(contender.clone(), course.clone(), plan)),
            Driver::Threads => boxed(laps::run_threads(contender.clone(), course.clone(), plan, false)),
            Driver::WaitingThreads => boxed(laps::run_threads(contender.clone(), course.clone(), plan, true)),
        });
        Self { name, keys, run, verify, verify_last }
    }

    /// How many keys it has.
    #[must_use]
    pub fn keys(&self) -> usize {
        self.keys
    }

    /// The most iterations per task that this lane can do: [`Op::First`] ends with the keys.
    #[must_use]
    pub fn longest(&self, plan: Plan) -> u64 {
        match plan.op {
            Op::First => (self.keys / plan.concurrency) as u64,
            _ => u64::MAX,
        }
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

    /// Reads every key and compares every byte with what was written last: a store that lost a write, or a key, is
    /// found. Never timed, and only while nothing runs. For contenders that keep everything and replace what is set.
    ///
    /// # Errors
    /// If a value is missing or is not the last one.
    pub async fn verify_last(&self) -> Result<()> {
        (self.verify_last)().await.map_err(|error| format!("{}: {error}", self.name).into())
    }
}

fn boxed<T>(future: impl Future<Output = T> + Send + 'static) -> Pin<Box<dyn Future<Output = T> + Send>> {
    Box::pin(future)
}
