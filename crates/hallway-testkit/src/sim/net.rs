//! The network of a simulated world: byte streams with latency, order and faults.

mod latency;
mod link;
mod state;
mod stream;

use std::fmt;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use self::state::State;
pub(super) use self::state::{Host, ServerId};
use super::clock::SimClock;
use super::redis::Server;
use super::rng::SimRng;

pub use self::latency::Latency;
pub use self::link::{SimDirection, SimLink};
pub use self::stream::SimStream;

/// Names one start of a process; a restarted process has a new one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ProcessId(pub(crate) u32);

/// All links between processes and servers. A clone is another handle.
///
/// Each direction of a connection delivers in order; everything else is up to the seed. What is due is delivered in the
/// order of microseconds although timers only tick in milliseconds.
#[derive(Clone)]
pub struct SimNet(Arc<Shared>);

struct Shared {
    state: Mutex<State>,
    /// Something is due earlier than the driver knows.
    earlier: Notify,
    /// A link has changed: attempts to connect look again.
    changed: Notify,
    clock: SimClock,
}

impl SimNet {
    /// A network whose driver runs in this runtime.
    pub(super) fn new(clock: SimClock, rng: SimRng) -> Self {
        let shared = Arc::new(Shared {
            state: Mutex::new(State::new(rng)),
            earlier: Notify::new(),
            changed: Notify::new(),
            clock,
        });
        tokio::spawn(drive(Arc::clone(&shared)));
        Self(shared)
    }

    /// How long a segment is under way unless its link says otherwise.
    pub fn set_latency(&self, latency: Latency) {
        self.0.lock().latency = latency;
    }

    /// A number that two runs share only if every byte was delivered at the same time in the same order.
    #[must_use]
    pub fn trace(&self) -> u64 {
        self.0.lock().trace
    }

    /// How many segments have been delivered.
    #[must_use]
    pub fn deliveries(&self) -> u64 {
        self.0.lock().deliveries
    }

    pub(super) fn host(&self, server: Server) -> ServerId {
        self.0.lock().host(server)
    }

    /// Does something to a server, as of now, and sends whatever that makes it say.
    pub(super) fn with_host<T>(&self, id: ServerId, act: impl FnOnce(&mut State) -> T) -> T {
        let now = self.0.clock.micros();
        let mut state = self.0.lock();
        state.advance(id, now);
        let done = act(&mut state);
        state.flush(id, now);
        self.0.settle(state);
        self.0.changed.notify_waiters();
        done
    }

    pub(super) fn link(&self, process: ProcessId, server: ServerId) -> SimLink {
        SimLink::new(self.clone(), process, server)
    }

    /// Ends all connections of a process; it makes no more. A silent end tells the servers nothing.
    pub(super) fn end_process(&self, process: ProcessId, silently: bool) {
        let now = self.0.clock.micros();
        let mut state = self.0.lock();
        state.end_process(process, silently, now);
        self.0.settle(state);
    }

    fn change(&self, change: impl FnOnce(&mut State, u64)) {
        let now = self.0.clock.micros();
        let mut state = self.0.lock();
        change(&mut state, now);
        self.0.settle(state);
        self.0.changed.notify_waiters();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic elsewhere ends the run anyway; the state stays whole because nothing in here calls out.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives the state back and wakes whom it concerns.
    fn settle(&self, mut state: MutexGuard<'_, State>) {
        let wakers = std::mem::take(&mut state.wakers);
        let earlier = state.is_due_earlier();
        drop(state);
        for waker in wakers {
            waker.wake();
        }
        if earlier {
            self.earlier.notify_one();
        }
    }
}

/// A day further than any run goes.
const FAR: Duration = Duration::from_secs(86_400 * 365);

async fn drive(shared: Arc<Shared>) {
    let mut sleep = pin!(sleep_until(Instant::now() + FAR));
    loop {
        let due = {
            let mut state = shared.lock();
            state.run_due(shared.clock.micros());
            let due = state.arm();
            shared.settle(state);
            due
        };
        match due {
            None => shared.earlier.notified().await,
            Some(due) => {
                sleep.as_mut().reset(shared.clock.instant(due));
                tokio::select! {
                    biased;
                    () = shared.earlier.notified() => {}
                    () = &mut sleep => {}
                }
            }
        }
    }
}

impl fmt::Debug for SimNet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimNet").field("deliveries", &self.deliveries()).finish_non_exhaustive()
    }
}
