//! Processes of a simulated world: groups of tasks that end, stand still and start again together.

use std::fmt;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures_util::FutureExt;
use hallway_core::Clock;
use tokio::sync::oneshot;
use tokio::task::AbortHandle;

use super::clock::{ClockSkew, SimClock};
use super::net::{ProcessId, SimLink};
use super::redis::SimRedis;
use super::sql::{SimSql, SimSqlStore};
use super::world::World;

/// One start of one process. A clone is another handle.
///
/// Tasks that the code under test spawns by itself (drivers, supervisors) are tasks of the runtime and not of this group.
/// They see a killed process's end as a machine without a network: its connections are reset and connecting, like every
/// SQL call, takes for ever. So they can do no more harm, and end when whatever owns them is dropped.
#[derive(Clone)]
pub struct SimProcess(Arc<Inner>);

struct Inner {
    id: ProcessId,
    name: String,
    world: World,
    skew: ClockSkew,
    gate: Arc<Gate>,
    tasks: Mutex<Vec<AbortHandle>>,
    links: Mutex<Vec<SimLink>>,
    sql: Mutex<Vec<SimSqlStore>>,
    is_alive: AtomicBool,
}

/// Lets tasks through unless their process stands still.
#[derive(Debug, Default)]
struct Gate {
    is_shut: AtomicBool,
    waiting: Mutex<Vec<Waker>>,
}

impl SimProcess {
    pub(super) fn new(world: World, id: ProcessId, name: String, skew: ClockSkew) -> Self {
        Self(Arc::new(Inner {
            id,
            name,
            world,
            skew,
            gate: Arc::default(),
            tasks: Mutex::default(),
            links: Mutex::default(),
            sql: Mutex::default(),
            is_alive: AtomicBool::new(true),
        }))
    }

    /// Names this start of the process.
    #[must_use]
    pub fn id(&self) -> ProcessId {
        self.0.id
    }

    /// The name it was given.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Whether it has not been killed.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        self.0.is_alive.load(Ordering::Relaxed)
    }

    /// The clock of its machine.
    #[must_use]
    pub fn clock(&self) -> Arc<dyn Clock> {
        Arc::new(self.sim_clock())
    }

    fn sim_clock(&self) -> SimClock {
        self.0.world.clock().skewed(self.0.skew)
    }

    /// Its way to a Redis server, for `RedisConfig::over(move || link.connect())`.
    #[must_use]
    pub fn link(&self, redis: &SimRedis) -> SimLink {
        let link = redis.link(self.0.id);
        lock(&self.0.links).push(link.clone());
        link
    }

    /// Its client of a database.
    #[must_use]
    pub fn sql(&self, sql: &SimSql) -> SimSqlStore {
        let store = sql.client();
        lock(&self.0.sql).push(store.clone());
        store
    }

    /// Runs a task of this process. A panic in it ends the run.
    pub fn spawn<T: Send + 'static>(&self, task: impl Future<Output = T> + Send + 'static) -> SimTask<T> {
        let (done, outcome) = oneshot::channel();
        if !self.is_alive() {
            return SimTask(outcome);
        }
        let failure = self.0.world.failure();
        let gated = Gated { task: Box::pin(task), gate: Arc::clone(&self.0.gate) };
        let handle = tokio::spawn(async move {
            match AssertUnwindSafe(gated).catch_unwind().await {
                // Nobody may be waiting.
                Ok(outcome) => drop(done.send(outcome)),
                Err(panic) => failure.report(panic),
            }
        });
        let mut tasks = lock(&self.0.tasks);
        tasks.retain(|task| !task.is_finished());
        tasks.push(handle.abort_handle());
        SimTask(outcome)
    }

    /// Ends the process: tasks stop where they wait, connections are reset. What had been sent still arrives; of the SQL
    /// statements under way some commit and some do not. Servers hear of it unless it is a `silent` end, as of a machine
    /// that loses power.
    pub fn kill(&self, silent: bool) {
        self.0.is_alive.store(false, Ordering::Relaxed);
        for task in lock(&self.0.tasks).drain(..) {
            task.abort();
        }
        for store in lock(&self.0.sql).drain(..) {
            store.end();
        }
        self.0.world.net().end_process(self.0.id, silent);
    }

    /// Starts the process again: same name, same clock, nothing else left. Kills it first if it lives.
    #[must_use]
    pub fn restart(&self) -> Self {
        if self.is_alive() {
            self.kill(false);
        }
        self.0.world.process_with(self.0.name.clone(), self.0.skew)
    }

    /// Stands still for so long, as for a collection of garbage or a stopped virtual machine: its tasks do not run, and
    /// its links and SQL calls deliver nothing in either direction.
    ///
    /// Tasks that the code under test has spawned by itself do run, and their timers fire, but they hear nothing and are
    /// not heard. Only one stall at a time.
    pub fn stall(&self, duration: Duration) {
        self.0.gate.is_shut.store(true, Ordering::Relaxed);
        for link in lock(&self.0.links).iter() {
            link.stall(duration);
        }
        for store in lock(&self.0.sql).iter() {
            store.stall(duration);
        }
        let gate = Arc::clone(&self.0.gate);
        let end = tokio::time::Instant::now() + duration;
        tokio::spawn(async move {
            tokio::time::sleep_until(end).await;
            gate.open();
        });
    }
}

impl Gate {
    fn open(&self) {
        self.is_shut.store(false, Ordering::Relaxed);
        for waker in lock(&self.waiting).drain(..) {
            waker.wake();
        }
    }
}

struct Gated<T> {
    task: Pin<Box<dyn Future<Output = T> + Send>>,
    gate: Arc<Gate>,
}

impl<T> Future for Gated<T> {
    type Output = T;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<T> {
        if self.gate.is_shut.load(Ordering::Relaxed) {
            lock(&self.gate.waiting).push(cx.waker().clone());
            return Poll::Pending;
        }
        self.task.as_mut().poll(cx)
    }
}

/// The end of a task: its outcome, or `None` if the process was killed before.
#[derive(Debug)]
pub struct SimTask<T>(oneshot::Receiver<T>);

impl<T> Future for SimTask<T> {
    type Output = Option<T>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<T>> {
        self.0.poll_unpin(cx).map(Result::ok)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl fmt::Debug for SimProcess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimProcess")
            .field("id", &self.0.id)
            .field("name", &self.0.name)
            .field("is_alive", &self.is_alive())
            .finish_non_exhaustive()
    }
}
