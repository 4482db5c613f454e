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
#[cfg(feature = "mutants")]
use std::sync::atomic::AtomicU64;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering::Acquire, Ordering::Relaxed, Ordering::Release};

use futures_util::future::{Either, select};
use futures_util::stream::{FuturesOrdered, StreamExt};
use hallway_core::mutant::Mutant;
use hallway_core::{Error, ErrorKind, Freshness, LinkOptions, LinkState};
use redis::aio::MultiplexedConnection;
use redis::{Cmd, Pipeline, PushInfo, PushKind, RedisResult, Value};
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
    /// Whether the server can be told not to track what is read next.
    opts_out: AtomicBool,
    /// The server's number for the connection in use.
    #[cfg(feature = "mutants")]
    client: AtomicU64,
    /// Whose connection gets the invalidations instead.
    #[cfg(feature = "mutants")]
    redirect: Option<Arc<Self>>,
}

/// What a new connection was told.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Begun {
    /// When the server was asked to track, on the clock of the options: nothing older can be missing.
    since: u64,
    tracked: bool,
    role: Role,
}

/// What the server is, as far as it tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Role {
    Primary,
    Replica,
    /// It does not tell us: a proxy, or access rules.
    Unknown,
}

impl Role {
    fn of(answer: &Value) -> Self {
        match answer {
            Value::Array(parts) => match parts.first() {
                Some(Value::BulkString(role)) if role == b"master" => Self::Primary,
                Some(Value::BulkString(role)) if role == b"slave" => Self::Replica,
                _ => Self::Unknown,
            },
            _ => Self::Unknown,
        }
    }
}

impl Tracking {
    pub(crate) fn new(options: LinkOptions) -> Self {
        Self {
            options,
            freshness: Freshness::default(),
            state: AtomicU8::new(code(LinkState::Down)),
            warned: AtomicBool::new(false),
            opts_out: AtomicBool::new(false),
            #[cfg(feature = "mutants")]
            client: AtomicU64::new(0),
            #[cfg(feature = "mutants")]
            redirect: None,
        }
    }

    /// The mistake of reading on a connection whose invalidations travel over the one of `to`.
    #[cfg(feature = "mutants")]
    pub(crate) fn redirected(to: &Arc<Self>) -> Self {
        #[derive(Debug)]
        struct Deaf;
        impl hallway_core::InvalidationSink for Deaf {
            fn changed(&self, _: &[u8]) {}
            fn everything_changed(&self) {}
        }
        let options = LinkOptions { sink: Arc::new(Deaf), ..to.options.clone() };
        Self { redirect: Some(Arc::clone(to)), ..Self::new(options) }
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

    /// Whether the server can be told not to track what is read next.
    pub(crate) fn opts_out(&self) -> bool {
        self.opts_out.load(Relaxed)
    }

    /// The server does not take that from us: then it tracks more than it need, until the next connection.
    pub(crate) fn cannot_opt_out(&self) {
        if self.opts_out.swap(false, Relaxed) {
            tracing::warn!("Redis refuses CLIENT CACHING: it tells of changes also of what is not kept");
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
        let mut questions = Pipeline::with_capacity(2);
        questions.add_command(self.tracking_on()?);
        questions.cmd("ROLE");
        let answers = drive(driver, asking.send_packed_commands(&questions, 0, 2)).await?;
        let [answer, role] = <[Value; 2]>::try_from(answers).map_err(|_| Fault::shape().error)?;
        let tracked = match answer {
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
        let role = Role::of(&role);
        if role == Role::Replica {
            // What a replica has not heard of yet, it cannot announce.
            return Err(Fault::replica().error);
        }
        #[cfg(feature = "mutants")]
        if Mutant::RedirectPool.is_on()
            && let Value::Int(id) =
                drive(driver, asking.send_packed_command(Cmd::new().arg("CLIENT").arg("ID"))).await?
        {
            self.client.store(id.unsigned_abs(), Release);
        }
        Ok(Begun { since, tracked, role })
    }

    /// The command that makes the server send invalidations.
    #[cfg_attr(not(feature = "mutants"), expect(clippy::unused_self, reason = "only a mistake has to ask for more"))]
    fn tracking_on(&self) -> Result<Cmd, Error> {
        let mut command = Cmd::new();
        // All reads are tracked but for those before which we say that we keep nothing.
        command.arg("CLIENT").arg("TRACKING").arg("ON").arg("OPTOUT");
        #[cfg(feature = "mutants")]
        if let Some(to) = &self.redirect {
            match to.client.load(Acquire) {
                0 => return Err(Error::new(ErrorKind::Unavailable, "the connection to redirect to is not up yet")),
                id => drop(command.arg("REDIRECT").arg(id)),
            }
        }
        Ok(command)
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
        self.opts_out.store(begun.tracked, Relaxed);
        sink.link_changed(state);
    }

    /// The connection is gone.
    pub(crate) fn down(&self) {
        self.opts_out.store(false, Relaxed);
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
                pongs.push_back(ping(connection.clone(), begun.role));
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

/// Asks for a sign of life, and whether the server is still a primary if it tells us that at all.
async fn ping(mut connection: MultiplexedConnection, role: Role) -> RedisResult<Vec<Value>> {
    let mut questions = Pipeline::with_capacity(2);
    questions.cmd("PING");
    if role == Role::Primary {
        questions.cmd("ROLE");
    }
    connection.send_packed_commands(&questions, 0, questions.len()).await
}

/// Whether an answer to a ping is a good one, or why the connection must go.
fn judge(pong: &RedisResult<Vec<Value>>) -> Result<bool, Fatal> {
    let Ok(answers) = pong else { return Err(Fatal::Lost) };
    if answers.get(1).is_some_and(|role| Role::of(role) == Role::Replica) {
        return Err(Fatal::ReadOnly);
    }
    match answers.first() {
        Some(Value::SimpleString(pong)) if pong == "PONG" => Ok(true),
        Some(Value::ServerError(error)) => match Fault::server(error).fatal {
            Some(fatal) => Err(fatal),
            // Busy, or not allowed: it answers, but vouches for nothing.
            None => Ok(false),
        },
        _ => Err(Fatal::Lost),
    }
}

/// The answer on a connection whose driver has no task yet.
async fn drive<T>(driver: &mut Driver, answer: impl Future<Output = RedisResult<T>>) -> Result<T, Error> {
    match select(driver, Box::pin(answer)).await {
        Either::Right((answer, _)) => answer.map_err(|error| Fault::driver(&error).error),
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
