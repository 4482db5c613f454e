//! What a connection does beside carrying commands when it is the link of a shared tier: it takes invalidations and
//! proves that none is missing.
//!
//! The driver calls the sink in the order of the wire, so an invalidation has been dealt with before anybody sees the
//! reply to a command that the server ran later. All of it depends on one connection carrying both, so nothing here
//! ever redirects invalidations, filters out our own, or asks for prefixes.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering::Acquire, Ordering::Relaxed, Ordering::Release};

use futures_util::future::{Either, select};
use futures_util::stream::{FuturesOrdered, StreamExt};
use hallway_core::mutant::Mutant;
use hallway_core::{Error, ErrorKind, Freshness, LinkOptions, LinkState};
use redis::aio::MultiplexedConnection;
use redis::{Cmd, PushInfo, PushKind, RedisResult, Value};
use tokio::time::{Instant, MissedTickBehavior, interval_at};

use crate::fault::{Fatal, Fault};
use crate::transport::{Driver, Pushes};

/// Pings without an answer, and the connection is given up.
const MAX_MISSED: usize = 2;

/// The invalidations of one link, over all of its connections.
pub(crate) struct Tracking {
    options: LinkOptions,
    freshness: Freshness,
    state: AtomicU8,
    /// Whether it was said that the server refuses to track.
    warned: AtomicBool,
}

/// What a new connection was told.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Begun {
    /// When the server was asked to track, on the clock of the options: nothing older can be missing.
    since: u64,
    tracked: bool,
}

impl Tracking {
    pub(crate) fn new(options: LinkOptions) -> Self {
        Self {
            options,
            freshness: Freshness::default(),
            state: AtomicU8::new(code(LinkState::Down)),
            warned: AtomicBool::new(false),
        }
    }

    pub(crate) fn freshness(&self) -> &Freshness {
        &self.freshness
    }

    pub(crate) fn state(&self) -> LinkState {
        match self.state.load(Acquire) {
            TRACKED => LinkState::Tracked,
            UNTRACKED => LinkState::Untracked,
            _ => LinkState::Down,
        }
    }

    /// What the driver of a connection calls for everything that comes unasked.
    pub(crate) fn pushes(self: &Arc<Self>) -> Pushes {
        let tracking = Arc::clone(self);
        Box::new(move |push: PushInfo| -> Result<(), Infallible> {
            if push.kind == PushKind::Invalidate {
                tracking.invalidate(&push.data);
            }
            Ok(())
        })
    }

    fn invalidate(&self, data: &[Value]) {
        let sink = &self.options.sink;
        match data {
            [Value::Nil] if Mutant::NullPushIgnored.is_on() => {}
            [Value::Array(keys)] => {
                for key in keys {
                    match key {
                        Value::BulkString(key) => sink.changed(key),
                        // Not a key that can be ours, or one that did not fit: then nobody knows what changed.
                        _ => sink.everything_changed(),
                    }
                }
            }
            // No keys: the database was emptied.
            _ => sink.everything_changed(),
        }
    }

    /// Asks for invalidations on a connection that nobody else uses yet, and drives it meanwhile.
    pub(crate) async fn begin(&self, connection: &MultiplexedConnection, driver: &mut Driver) -> Result<Begun, Error> {
        let since = self.options.clock.now();
        let mut asking = connection.clone();
        let mut command = Cmd::new();
        command.arg("CLIENT").arg("TRACKING").arg("ON");
        let tracked = match drive(driver, asking.send_packed_command(&command)).await? {
            Value::Okay => true,
            Value::ServerError(error) => {
                let fault = Fault::server(&error);
                if fault.fatal.is_some() || fault.error.is_retryable() {
                    return Err(fault.error);
                }
                if !self.warned.swap(true, Relaxed) {
                    tracing::warn!(error = %fault.error, "Redis sends no invalidations: copies in this process are bounded by their TTL alone");
                }
                false
            }
            _ => return Err(Fault::shape().error),
        };
        Ok(Begun { since, tracked })
    }

    /// The connection is about to be published: whatever was read over an older one may have changed since.
    pub(crate) fn up(&self, begun: Begun, generation: u64) {
        let sink = &self.options.sink;
        if !(generation > 1 && Mutant::NoEpochOnReconnect.is_on()) {
            sink.everything_changed();
        }
        let state = if begun.tracked { LinkState::Tracked } else { LinkState::Untracked };
        if begun.tracked {
            self.freshness.prove(begun.since);
        }
        self.state.store(code(state), Release);
        sink.link_changed(state);
    }

    /// The connection is gone.
    pub(crate) fn down(&self) {
        if self.state.swap(code(LinkState::Down), Release) != code(LinkState::Down) {
            self.options.sink.link_changed(LinkState::Down);
        }
    }

    /// Pings as long as the connection answers. Runs in the supervisor's task, so that a proof never comes after
    /// [`down`](Self::down).
    pub(crate) async fn beat(&self, connection: &MultiplexedConnection, begun: Begun) -> Fatal {
        let heartbeat = self.options.heartbeat.max(std::time::Duration::from_millis(1));
        let mut ticks = interval_at(Instant::now() + heartbeat, heartbeat);
        // After a pause of the whole process one ping is enough.
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut pongs = FuturesOrdered::new();
        let mut sent: VecDeque<u64> = VecDeque::with_capacity(MAX_MISSED);
        // When the ping before the next one to be answered was sent.
        let mut previous = begun.since;
        loop {
            let next = {
                let pong = async {
                    match pongs.next().await {
                        Some(pong) => pong,
                        None => std::future::pending().await,
                    }
                };
                match select(std::pin::pin!(pong), std::pin::pin!(ticks.tick())).await {
                    Either::Left((pong, _)) => Some(pong),
                    Either::Right(_) => None,
                }
            };
            let Some(pong) = next else {
                if sent.len() >= MAX_MISSED {
                    return Fatal::Silent;
                }
                sent.push_back(self.options.clock.now());
                pongs.push_back(ping(connection.clone()));
                continue;
            };
            let pinged = sent.pop_front().unwrap_or(previous);
            match judge(&pong) {
                Ok(true) if begun.tracked => {
                    // Some servers answer a ping before the invalidations of the same turn of their loop, so this
                    // answer vouches only for what was executed before the last ping but one.
                    let proven = if Mutant::HeartbeatPingN.is_on() { pinged } else { previous };
                    self.freshness.prove(proven);
                }
                Ok(_) => {}
                Err(fatal) => return fatal,
            }
            previous = pinged;
        }
    }
}

async fn ping(mut connection: MultiplexedConnection) -> RedisResult<Value> {
    connection.send_packed_command(&redis::cmd("PING")).await
}

/// Whether an answer to a ping is a good one, or why the connection must go.
fn judge(pong: &RedisResult<Value>) -> Result<bool, Fatal> {
    match pong {
        Ok(Value::SimpleString(pong)) if pong == "PONG" => Ok(true),
        Ok(Value::ServerError(error)) => match Fault::server(error).fatal {
            Some(fatal) => Err(fatal),
            // Busy, or not allowed: it answers, but vouches for nothing.
            None => Ok(false),
        },
        Ok(_) | Err(_) => Err(Fatal::Lost),
    }
}

/// The answer to a command on a connection whose driver has no task yet.
async fn drive(driver: &mut Driver, answer: impl Future<Output = RedisResult<Value>>) -> Result<Value, Error> {
    match select(driver, Box::pin(answer)).await {
        Either::Right((Ok(value), _)) => Ok(value),
        Either::Right((Err(error), _)) => Err(Fault::driver(&error).error),
        Either::Left(_) => {
            Err(Error::new(ErrorKind::Unavailable, "the server closed the connection right after the login"))
        }
    }
}

const DOWN: u8 = 0;
const TRACKED: u8 = 1;
const UNTRACKED: u8 = 2;

fn code(state: LinkState) -> u8 {
    match state {
        LinkState::Down => DOWN,
        LinkState::Tracked => TRACKED,
        LinkState::Untracked => UNTRACKED,
    }
}

impl fmt::Debug for Tracking {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tracking").field("state", &self.state()).finish_non_exhaustive()
    }
}
