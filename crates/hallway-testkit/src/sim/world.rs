//! One run: a runtime without real time, everything in it made from one seed.

use std::any::Any;
use std::fmt;
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use super::clock::{ClockSkew, SimClock};
use super::net::{ProcessId, SimNet};
use super::process::SimProcess;
use super::redis::SimRedis;
use super::rng::SimRng;
use super::sql::SimSql;

/// How long a run may last, in its own time.
const LIMIT: Duration = Duration::from_secs(3_600);

/// A simulated world. A clone is another handle.
#[derive(Clone)]
pub struct World(Arc<Inner>);

struct Inner {
    seed: u64,
    clock: SimClock,
    net: SimNet,
    rng: Mutex<SimRng>,
    processes: AtomicU32,
    servers: Mutex<Vec<SimRedis>>,
    failure: Arc<Failure>,
}

/// The first panic of a task.
#[derive(Default)]
pub(super) struct Failure {
    panic: Mutex<Option<Box<dyn Any + Send>>>,
    noticed: Notify,
}

impl Failure {
    pub(super) fn report(&self, panic: Box<dyn Any + Send>) {
        self.panic.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(panic);
        self.noticed.notify_one();
    }

    fn take(&self) -> Option<Box<dyn Any + Send>> {
        self.panic.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}

/// Runs a body in a world of its own, on a runtime of one thread whose time jumps from timer to timer.
///
/// The same seed gives the same run as long as the code under test asks neither the machine's clock nor its randomness:
/// no `std::time::Instant`, no iteration over a `HashMap` of the default hasher, no `tokio::select!` without `biased`.
/// [`SimNet::trace`] tells whether two runs were the same.
///
/// # Panics
/// If the body or a task of a process panics, if the run lasts more than an hour of its own time, or if a server was asked
/// for something that it cannot do. The seed is printed first.
///
/// # Examples
/// ```
/// use std::time::Duration;
/// use hallway_testkit::sim;
/// use tokio::io::{AsyncReadExt, AsyncWriteExt};
///
/// sim::run(7, |world| async move {
///     let redis = world.redis();
///     let process = world.process("a");
///     let mut stream = process.link(&redis).connect().await.unwrap();
///     stream.write_all(b"PING\r\n").await.unwrap();
///     let mut pong = [0; 7];
///     stream.read_exact(&mut pong).await.unwrap();
///     assert_eq!(&pong, b"+PONG\r\n");
/// });
/// ```
pub fn run<T, F: Future<Output = T>>(seed: u64, body: impl FnOnce(World) -> F) -> T {
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .expect("a runtime of one thread needs nothing that could be missing");
        runtime.block_on(live(seed, body))
    }));
    match outcome {
        Ok(Ok(outcome)) => outcome,
        Ok(Err(panic)) | Err(panic) => {
            eprintln!("the simulation failed with seed {seed} (0x{seed:x})");
            resume_unwind(panic)
        }
    }
}

async fn live<T, F: Future<Output = T>>(seed: u64, body: impl FnOnce(World) -> F) -> Result<T, Box<dyn Any + Send>> {
    let world = World::new(seed);
    let failure = world.failure();
    let outcome = tokio::select! {
        biased;
        () = failure.noticed.notified() => None,
        outcome = tokio::time::timeout(LIMIT, body(world.clone())) => Some(outcome),
    };
    if let Some(panic) = failure.take() {
        return Err(panic);
    }
    for server in world.0.servers.lock().unwrap_or_else(PoisonError::into_inner).iter() {
        if let Some(beyond) = server.beyond() {
            panic!("the simulated Redis cannot do what was asked of it: {beyond}");
        }
    }
    match outcome {
        Some(Ok(outcome)) => Ok(outcome),
        _ => panic!("the run did not end within {LIMIT:?} of its own time"),
    }
}

impl World {
    fn new(seed: u64) -> Self {
        let clock = SimClock::starting_now();
        let mut rng = SimRng::new(seed);
        let net = SimNet::new(clock.clone(), rng.fork());
        Self(Arc::new(Inner {
            seed,
            clock,
            net,
            rng: Mutex::new(rng),
            processes: AtomicU32::new(0),
            servers: Mutex::default(),
            failure: Arc::default(),
        }))
    }

    /// What everything was made from.
    #[must_use]
    pub fn seed(&self) -> u64 {
        self.0.seed
    }

    /// The clock of the world.
    #[must_use]
    pub fn clock(&self) -> &SimClock {
        &self.0.clock
    }

    /// Its network.
    #[must_use]
    pub fn net(&self) -> &SimNet {
        &self.0.net
    }

    /// A generator for whoever asks; two that are asked for in the same order are the same in every run.
    #[must_use]
    pub fn rng(&self) -> SimRng {
        self.lock_rng().fork()
    }

    /// A new Redis server, empty.
    #[must_use]
    pub fn redis(&self) -> SimRedis {
        let redis = SimRedis::new(self.0.net.clone(), &mut self.rng());
        self.0.servers.lock().unwrap_or_else(PoisonError::into_inner).push(redis.clone());
        redis
    }

    /// A new database, empty.
    #[must_use]
    pub fn sql(&self) -> SimSql {
        SimSql::new(self.0.clock.clone(), self.rng())
    }

    /// Starts a process.
    #[must_use]
    pub fn process(&self, name: impl Into<String>) -> SimProcess {
        self.process_with(name.into(), ClockSkew::default())
    }

    /// Starts a process on a machine whose clock is wrong.
    #[must_use]
    pub fn process_with(&self, name: String, skew: ClockSkew) -> SimProcess {
        let id = ProcessId(self.0.processes.fetch_add(1, Ordering::Relaxed));
        SimProcess::new(self.clone(), id, name, skew)
    }

    pub(super) fn failure(&self) -> Arc<Failure> {
        Arc::clone(&self.0.failure)
    }

    fn lock_rng(&self) -> std::sync::MutexGuard<'_, SimRng> {
        self.0.rng.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for World {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("World")
            .field("seed", &self.0.seed)
            .field("age", &self.0.clock.elapsed())
            .finish_non_exhaustive()
    }
}
