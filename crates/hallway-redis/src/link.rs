//! The supervisor of one connection.
//!
//! One task per link connects in the background, logs in, publishes the connection, and replaces it when it is lost,
//! silent, read-only or logged out. Callers never wait for more than the attempt in progress: while the server is known
//! to be down they fail at once. The link of a shared tier is the same with [`Tracking`] beside: invalidations are asked
//! for before a connection is published, and the supervisor pings as long as it lives.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Acquire, Ordering::Relaxed, Ordering::Release};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use futures_util::future::{Either, select};
use hallway_core::{Error, ErrorKind};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use redis::aio::MultiplexedConnection;
use tokio::runtime::Handle;
use tokio::sync::Notify;
use tokio::task::{AbortHandle, JoinHandle};
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tracing::Instrument;

use crate::fault::{Fatal, Fault};
use crate::observe;
use crate::pulse::Pulse;
use crate::stats::Counters;
use crate::target::Target;
use crate::tracking::{Begun, Tracking};
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

/// What is published, and a bell for those who wait for something else. Unlike a `watch` channel it wakes them in the
/// order in which they came, so that a simulation can be repeated.
struct Published {
    state: RwLock<State>,
    changed: Notify,
}

impl Published {
    fn get(&self) -> State {
        self.state.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The connection, if there is one.
    fn live(&self) -> Option<Arc<Live>> {
        match &*self.state.read().unwrap_or_else(PoisonError::into_inner) {
            State::Up(live) => Some(Arc::clone(live)),
            _ => None,
        }
    }

    fn set(&self, state: State) {
        *self.state.write().unwrap_or_else(PoisonError::into_inner) = state;
        self.changed.notify_waiters();
    }
}

/// How a link is set up.
pub(crate) struct LinkSetup {
    pub(crate) target: Arc<Target>,
    pub(crate) connect_timeout: Duration,
    pub(crate) patience: Duration,
    pub(crate) value_cap: usize,
    pub(crate) counters: Arc<Counters>,
    /// Of the pauses; without it they are random.
    pub(crate) jitter_seed: Option<u64>,
    /// What the link of a shared tier does beside.
    pub(crate) tracking: Option<Arc<Tracking>>,
}

/// A connection that keeps itself up. Dropping it ends the supervisor and the connection.
pub(crate) struct Link {
    core: Arc<Core>,
}

struct Core {
    setup: LinkSetup,
    published: Published,
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
    /// `elder` is the link whose runtime this one prefers.
    pub(crate) fn new(setup: LinkSetup, elder: Option<&Self>) -> Self {
        Self {
            core: Arc::new(Core {
                setup,
                published: Published { state: RwLock::new(State::Idle), changed: Notify::new() },
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
        match self.core.published.live() {
            Some(live) => Ok(live),
            None => self.wait(deadline).await,
        }
    }

    async fn wait(&self, deadline: Instant) -> Result<Arc<Live>, Error> {
        let published = &self.core.published;
        loop {
            // Before the look at the state: from here on no change is missed.
            let changed = published.changed.notified();
            match published.get() {
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
            if Instant::now() >= deadline || timeout_at(deadline, changed).await.is_err() {
                let server = self.core.setup.target.resolve();
                return Err(Error::new(
                    ErrorKind::Unavailable,
                    format!("still connecting to {server}: check that Redis is up and reachable"),
                ));
            }
        }
    }

    /// As [`acquire`](Self::acquire), but tries anew at once where the last attempt failed.
    pub(crate) async fn acquire_eagerly(&self, deadline: Instant) -> Result<Arc<Live>, Error> {
        let published = &self.core.published;
        let changed = published.changed.notified();
        if matches!(published.get(), State::Down(_)) {
            self.core.poke.notify_one();
            // Down is published anew after each attempt, so whatever comes next is fresh.
            let _ = timeout_at(deadline, changed).await;
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
        self.core.published.live()
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
            self.published.set(State::Connecting);
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
        {
            let mut state = self.published.state.write().unwrap_or_else(PoisonError::into_inner);
            match &*state {
                State::Up(up) if up.generation == live.generation => *state = State::Connecting,
                _ => return,
            }
        }
        self.published.changed.notify_waiters();
    }

    async fn attempt(&self) -> Result<Attained, Error> {
        let LinkSetup { target, connect_timeout, .. } = &self.setup;
        let pulse = Arc::new(Pulse::new(self.setup.patience));
        let connecting = async {
            let pushes = self.setup.tracking.as_ref().map(Tracking::pushes);
            let (connection, mut driver) =
                transport::connect(target, self.setup.value_cap, Arc::clone(&pulse), pushes).await?;
            let begun = match &self.setup.tracking {
                Some(tracking) => Some(tracking.begin(&connection, &mut driver).await?),
                None => None,
            };
            Ok((connection, driver, begun))
        };
        let (connection, driver, begun) = timeout(*connect_timeout, connecting)
            .await
            .unwrap_or_else(|_| Err(transport::too_slow(target, *connect_timeout)))?;
        let live = Live {
            connection,
            generation: self.generation.fetch_add(1, Relaxed) + 1,
            pulse,
            gone: Arc::new(AtomicBool::new(false)),
            condemned: AtomicBool::new(false),
            end: Notify::new(),
            fatal: Mutex::new(None),
        };
        self.setup.counters.connections.fetch_add(1, Relaxed);
        Ok(Attained { live: Arc::new(live), driver, begun })
    }

    /// Says once a minute that the login is refused: nobody will repair it but a person.
    fn log_login(&self, error: &Error) {
        let mut supervisor = lock(&self.supervisor);
        let now = Instant::now();
        if supervisor.login_logged.is_none_or(|last| now.duration_since(last) >= LOGIN_LOG) {
            supervisor.login_logged = Some(now);
            tracing::error!(server = %self.setup.target.resolve(), %error, "Redis login refused");
        }
    }
}

/// What a successful attempt brings.
struct Attained {
    live: Arc<Live>,
    driver: Driver,
    begun: Option<Begun>,
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
        self.0.published.set(State::Idle);
        drop(supervisor);
        if let Some(tracking) = &self.0.setup.tracking {
            tracking.down();
        }
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
    let mut jitter: StdRng = core.setup.jitter_seed.map_or_else(rand::make_rng, StdRng::seed_from_u64);
    let mut failures = 0;
    loop {
        let span = observe::of_connect(core.setup.target.resolve());
        let attained = core.attempt().instrument(span.clone()).await;
        if let Err(error) = &attained {
            observe::failed(&span, error.kind());
        }
        // It has ended, however long the connection serves.
        drop(span);
        let error = match attained {
            Ok(attained) => match serve(core, attained).await {
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
            tracing::warn!(server = %core.setup.target.resolve(), %error, "no connection to Redis; trying on in the background");
        }
        failures += 1;
        core.published.set(State::Down(error));
        select(Box::pin(sleep(pause)), Box::pin(core.poke.notified())).await;
        core.published.set(State::Connecting);
    }
}

/// Publishes a connection until it ends. An error says that it ended in a way that asks for a pause.
async fn serve(core: &Core, Attained { live, driver, begun }: Attained) -> Option<Error> {
    let since = Instant::now();
    let gone = Gone(Arc::clone(&live.gone));
    let mut driver = DriverTask(tokio::spawn(async move {
        let _gone = gone;
        driver.await;
    }));
    tracing::debug!(server = %core.setup.target.resolve(), generation = live.generation, "connected to Redis");
    let tracking = core.setup.tracking.as_deref().zip(begun);
    if let Some((tracking, begun)) = tracking {
        tracking.up(begun, live.generation);
    }
    core.published.set(State::Up(Arc::clone(&live)));
    let beating = async {
        match tracking {
            Some((tracking, begun)) => tracking.beat(&live.connection, begun).await,
            None => std::future::pending().await,
        }
    };
    let told = select(Box::pin(live.end.notified()), Box::pin(beating));
    let ended = match select(&mut driver.0, told).await {
        Either::Left(_) => Fatal::Lost,
        Either::Right((Either::Left(_), _)) => lock(&live.fatal).unwrap_or(Fatal::Lost),
        Either::Right((Either::Right((fatal, _)), _)) => fatal,
    };
    live.condemned.store(true, Relaxed);
    core.unpublish(&live);
    if let Some((tracking, _)) = tracking {
        tracking.down();
    }
    let message = match ended {
        Fatal::ReadOnly => return Some(Fault::replica().error),
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
