//! The supervisor of one connection.
//!
//! One task per link connects in the background, logs in, publishes the connection, and replaces it when it is lost,
//! silent, read-only or logged out. Callers never wait for more than the attempt in progress: while the server is known
//! to be down they fail at once.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Acquire, Ordering::Relaxed, Ordering::Release};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::{Either, select};
use hallway_core::{Error, ErrorKind};
use rand::RngExt;
use rand::rngs::StdRng;
use redis::aio::MultiplexedConnection;
use tokio::runtime::Handle;
use tokio::sync::{Notify, watch};
use tokio::task::{AbortHandle, JoinHandle};
use tokio::time::{Instant, sleep, timeout, timeout_at};

use crate::fault::Fatal;
use crate::pulse::Pulse;
use crate::stats::Counters;
use crate::target::Target;
use crate::transport::{self, Driver};

/// First ceiling of the backoff; it doubles with each failure.
const BACKOFF: Duration = Duration::from_millis(50);
/// Highest ceiling, so that a restarted server is found within it.
const BACKOFF_CAP: Duration = Duration::from_secs(2);
/// Highest ceiling while the server turns clients away for their number.
const CROWDED_CAP: Duration = Duration::from_secs(8);
/// How long a refused login is not tried again, unless by `ping`.
const LOGIN_HOLD: Duration = Duration::from_secs(30);
/// How often a refused login is logged.
const LOGIN_LOG: Duration = Duration::from_secs(60);
/// A connection that ends sooner counts as a failed attempt; a longer one is replaced at once.
const STABLE: Duration = Duration::from_millis(50);

/// A published connection.
pub(crate) struct Live {
    pub(crate) connection: MultiplexedConnection,
    pub(crate) generation: u64,
    pub(crate) pulse: Arc<Pulse>,
    /// Set before any caller can see that the driver has ended: what is handed to it from then on is never sent.
    gone: Arc<AtomicBool>,
    condemned: AtomicBool,
    end: Notify,
    fatal: Mutex<Option<Fatal>>,
}

impl fmt::Debug for Live {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Live").field("generation", &self.generation).finish_non_exhaustive()
    }
}

impl Live {
    /// Whether a command given to this connection now would certainly not be sent.
    pub(crate) fn is_gone(&self) -> bool {
        self.gone.load(Acquire) || self.condemned.load(Relaxed)
    }
}

#[derive(Debug, Clone)]
enum State {
    /// No supervisor runs: not started yet, or its runtime is gone.
    Idle,
    /// An attempt is in progress.
    Connecting,
    Up(Arc<Live>),
    /// The last attempt failed with this error and the next one is not due yet.
    Down(Error),
}

/// A connection that keeps itself up. Dropping it ends the supervisor and the connection.
pub(crate) struct Link {
    core: Arc<Core>,
}

struct Core {
    target: Arc<Target>,
    connect_timeout: Duration,
    patience: Duration,
    value_cap: usize,
    counters: Arc<Counters>,
    state: watch::Sender<State>,
    generation: AtomicU64,
    /// Ends a backoff.
    poke: Notify,
    supervisor: Mutex<Supervisor>,
    /// The link whose runtime this one prefers.
    elder: Option<Arc<Core>>,
}

#[derive(Default)]
struct Supervisor {
    running: bool,
    /// Where it runs.
    runtime: Option<Handle>,
    task: Option<AbortHandle>,
    login_logged: Option<Instant>,
}

impl Link {
    pub(crate) fn new(
        target: Arc<Target>,
        connect_timeout: Duration,
        patience: Duration,
        value_cap: usize,
        counters: Arc<Counters>,
        elder: Option<&Self>,
    ) -> Self {
        Self {
            core: Arc::new(Core {
                target,
                connect_timeout,
                patience,
                value_cap,
                counters,
                state: watch::Sender::new(State::Idle),
                generation: AtomicU64::new(0),
                poke: Notify::new(),
                supervisor: Mutex::default(),
                elder: elder.map(|elder| Arc::clone(&elder.core)),
            }),
        }
    }

    /// Starts connecting in the background, if there is a runtime to do it in; else the first call does.
    pub(crate) fn start(&self) {
        if let Ok(runtime) = Handle::try_current() {
            self.core.ensure_running(&runtime);
        }
    }

    /// The runtime of the supervisor while it runs, else the caller's: work that others wait for must not depend on
    /// whether this caller's runtime is driven.
    pub(crate) fn runtime(&self) -> Option<Handle> {
        self.core.runtime().or_else(|| Handle::try_current().ok())
    }

    /// The connection. Waits for the attempt in progress, within `deadline`; fails at once while the server is down.
    pub(crate) async fn acquire(&self, deadline: Instant) -> Result<Arc<Live>, Error> {
        if let State::Up(live) = &*self.core.state.borrow() {
            return Ok(Arc::clone(live));
        }
        self.wait(deadline).await
    }

    async fn wait(&self, deadline: Instant) -> Result<Arc<Live>, Error> {
        let mut states = self.core.state.subscribe();
        loop {
            let state = states.borrow_and_update().clone();
            match state {
                State::Up(live) => return Ok(live),
                State::Down(error) => {
                    // Failing at once must not starve the supervisor, should the caller try again in a loop.
                    tokio::task::coop::consume_budget().await;
                    return Err(error);
                }
                State::Connecting => {}
                State::Idle if self.core.ensure_running(&Handle::current()) => {}
                State::Idle => {
                    return Err(Error::new(
                        ErrorKind::Unavailable,
                        "the runtime of this call is shutting down: nothing can connect in it",
                    ));
                }
            }
            // What changes at once never lets `timeout_at` look at its clock.
            if Instant::now() >= deadline || timeout_at(deadline, states.changed()).await.is_err() {
                return Err(Error::new(
                    ErrorKind::Unavailable,
                    format!("still connecting to {}: check that Redis is up and reachable", self.core.target.resolve()),
                ));
            }
        }
    }

    /// As [`acquire`](Self::acquire), but tries anew at once where the last attempt failed.
    pub(crate) async fn acquire_eagerly(&self, deadline: Instant) -> Result<Arc<Live>, Error> {
        let mut states = self.core.state.subscribe();
        if matches!(*states.borrow_and_update(), State::Down(_)) {
            self.core.poke.notify_one();
            // Down is published anew after each attempt, so whatever comes next is fresh.
            let _ = timeout_at(deadline, states.changed()).await;
        }
        self.wait(deadline).await
    }

    /// Gives up a connection that can no longer be used; callers wait for the next one from here on.
    pub(crate) fn condemn(&self, live: &Live, fatal: Fatal) {
        if live.condemned.swap(true, Relaxed) {
            return;
        }
        *lock(&live.fatal) = Some(fatal);
        self.core.unpublish(live);
        live.end.notify_one();
    }

    /// The connection in use, if there is one.
    pub(crate) fn current(&self) -> Option<Arc<Live>> {
        match &*self.core.state.borrow() {
            State::Up(live) => Some(Arc::clone(live)),
            _ => None,
        }
    }

    /// Gives up the connection in use.
    pub(crate) fn condemn_current(&self, fatal: Fatal) {
        if let Some(live) = self.current() {
            self.condemn(&live, fatal);
        }
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        // Not under the lock: the task takes it when it ends.
        let task = lock(&self.core.supervisor).task.take();
        if let Some(task) = task {
            task.abort();
        }
    }
}

impl Core {
    /// Starts a supervisor if there is none. False if no runtime takes it: each is shutting down.
    fn ensure_running(self: &Arc<Self>, caller: &Handle) -> bool {
        let elder = self.elder.as_ref().and_then(|elder| elder.runtime());
        elder.is_some_and(|runtime| self.start_in(&runtime)) || self.start_in(caller)
    }

    fn start_in(self: &Arc<Self>, runtime: &Handle) -> bool {
        {
            let mut supervisor = lock(&self.supervisor);
            if supervisor.running {
                return true;
            }
            supervisor.running = true;
            supervisor.runtime = Some(runtime.clone());
            self.state.send_replace(State::Connecting);
        }
        // Not under the lock: a runtime that is shutting down ends the task here and now, and then the task takes it.
        let task = runtime.spawn(supervise(Running(Arc::clone(self)))).abort_handle();
        let started = !task.is_finished();
        if started {
            lock(&self.supervisor).task = Some(task);
        }
        started
    }

    fn runtime(&self) -> Option<Handle> {
        let supervisor = lock(&self.supervisor);
        if supervisor.running { supervisor.runtime.clone() } else { None }
    }

    fn unpublish(&self, live: &Live) {
        self.state.send_if_modified(|state| match state {
            State::Up(up) if up.generation == live.generation => {
                *state = State::Connecting;
                true
            }
            _ => false,
        });
    }

    async fn attempt(&self) -> Result<(Arc<Live>, Driver), Error> {
        let pulse = Arc::new(Pulse::new(self.patience));
        let connecting = transport::connect(&self.target, self.value_cap, Arc::clone(&pulse));
        let (connection, driver) = timeout(self.connect_timeout, connecting)
            .await
            .unwrap_or_else(|_| Err(transport::too_slow(&self.target, self.connect_timeout)))?;
        let live = Live {
            connection,
            generation: self.generation.fetch_add(1, Relaxed) + 1,
            pulse,
            gone: Arc::new(AtomicBool::new(false)),
            condemned: AtomicBool::new(false),
            end: Notify::new(),
            fatal: Mutex::new(None),
        };
        self.counters.connections.fetch_add(1, Relaxed);
        Ok((Arc::new(live), driver))
    }

    /// Says once a minute that the login is refused: nobody will repair it but a person.
    fn log_login(&self, error: &Error) {
        let mut supervisor = lock(&self.supervisor);
        let now = Instant::now();
        if supervisor.login_logged.is_none_or(|last| now.duration_since(last) >= LOGIN_LOG) {
            supervisor.login_logged = Some(now);
            tracing::error!(server = %self.target.resolve(), %error, "Redis login refused");
        }
    }
}

/// Marks the link idle when the supervisor ends, also when its runtime is torn down, so that the next call starts
/// another one.
struct Running(Arc<Core>);

impl Drop for Running {
    fn drop(&mut self) {
        // Both under the lock, or the next supervisor could be marked idle while it runs.
        let mut supervisor = lock(&self.0.supervisor);
        supervisor.running = false;
        supervisor.runtime = None;
        self.0.state.send_replace(State::Idle);
    }
}

/// Marks a connection gone when its driver ends, however it ends.
struct Gone(Arc<AtomicBool>);

impl Drop for Gone {
    fn drop(&mut self) {
        self.0.store(true, Release);
    }
}

/// A driver's task that ends with its supervisor.
struct DriverTask(JoinHandle<()>);

impl Drop for DriverTask {
    fn drop(&mut self) {
        self.0.abort();
    }
}

async fn supervise(running: Running) {
    let core = &*running.0;
    let mut jitter: StdRng = rand::make_rng();
    let mut failures = 0;
    loop {
        let error = match core.attempt().await {
            Ok((live, driver)) => match serve(core, live, driver).await {
                Some(error) => error,
                None => {
                    failures = 0;
                    continue;
                }
            },
            Err(error) => error,
        };
        let pause = if error.kind() == ErrorKind::Unauthorized {
            core.log_login(&error);
            LOGIN_HOLD
        } else {
            let crowded = error.message().contains("too many clients");
            backoff(failures, if crowded { CROWDED_CAP } else { BACKOFF_CAP }, &mut jitter)
        };
        if failures == 0 {
            tracing::warn!(server = %core.target.resolve(), %error, "no connection to Redis; trying on in the background");
        }
        failures += 1;
        core.state.send_replace(State::Down(error));
        select(Box::pin(sleep(pause)), Box::pin(core.poke.notified())).await;
        core.state.send_replace(State::Connecting);
    }
}

/// Publishes a connection until it ends. An error says that it ended in a way that asks for a pause.
async fn serve(core: &Core, live: Arc<Live>, driver: Driver) -> Option<Error> {
    let since = Instant::now();
    let gone = Gone(Arc::clone(&live.gone));
    let mut driver = DriverTask(tokio::spawn(async move {
        let _gone = gone;
        driver.await;
    }));
    tracing::debug!(server = %core.target.resolve(), generation = live.generation, "connected to Redis");
    core.state.send_replace(State::Up(Arc::clone(&live)));
    let ended = match select(&mut driver.0, Box::pin(live.end.notified())).await {
        Either::Left(_) => Fatal::Lost,
        Either::Right(_) => lock(&live.fatal).unwrap_or(Fatal::Lost),
    };
    core.unpublish(&live);
    let message = match ended {
        Fatal::ReadOnly => "the server is a read-only replica: point the URL at the primary",
        Fatal::Lost | Fatal::Login | Fatal::Silent if since.elapsed() >= STABLE => return None,
        Fatal::Lost | Fatal::Login | Fatal::Silent => {
            "the server ends every connection: check its log and `maxclients`"
        }
    };
    Some(Error::new(ErrorKind::Unavailable, message))
}

/// A random pause below a ceiling that doubles with each failure.
fn backoff(failures: u32, cap: Duration, jitter: &mut StdRng) -> Duration {
    let ceiling = BACKOFF.saturating_mul(1 << failures.min(16)).min(cap);
    Duration::from_micros(jitter.random_range(0..=ceiling.as_micros() as u64))
}

// Nothing panics while holding these locks, and what they guard stays valid at every step.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;

    use super::*;

    #[test]
    fn the_backoff_doubles_up_to_its_cap() {
        let mut jitter = StdRng::seed_from_u64(1);
        for (failures, ceiling) in [(0, 50), (1, 100), (3, 400), (6, 2_000), (1_000, 2_000)] {
            let longest = (0..200).map(|_| backoff(failures, BACKOFF_CAP, &mut jitter)).max().unwrap();
            let ceiling = Duration::from_millis(ceiling);
            assert!(longest <= ceiling && longest > ceiling / 2, "{failures}: {longest:?}");
        }
    }
}
