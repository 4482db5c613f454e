//! Commands with a deadline, over the connection that fits them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use bytes::Bytes;
use hallway_core::mutant::Mutant;
use hallway_core::{Error, ErrorKind, Key, ValueCap};
use redis::{Cmd, Pipeline, Value};
use tokio::time::{Instant, timeout_at};

use crate::coalesce::Coalescer;
use crate::copies::{Fill, Lease};
use crate::fault::{Fatal, Fault, Reply};
use crate::gets::Get;
use crate::large::LargeKeys;
use crate::link::{Link, LinkSetup, Live};
use crate::scripts::Script;
use crate::states::State;
use crate::stats::Counters;
use crate::target::Target;
use crate::tracking::Tracking;

/// Values from this size on use a connection of their own, so that they do not hold up small ones.
pub(crate) const LARGE: usize = 64 << 10;

/// Whether a command may be sent again when the connection died before the answer came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effect {
    Read,
    Write,
}

/// Whether a server that tells of changes is to tell of those of the keys that a command reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Watch {
    /// What is read may be kept or waited for.
    Changes,
    /// Nobody keeps it or waits for it.
    Nothing,
}

/// Which connection a command uses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lane {
    Large,
    Small,
}

impl Lane {
    pub(crate) fn of(bytes: usize) -> Self {
        if bytes >= LARGE { Self::Large } else { Self::Small }
    }
}

/// How an engine is set up.
#[derive(Clone)]
pub(crate) struct Setup {
    pub(crate) target: Arc<Target>,
    pub(crate) cap: ValueCap,
    pub(crate) connect_timeout: Duration,
    /// How long the store, unlike an impatient view of it, waits for an answer.
    pub(crate) patience: Duration,
    pub(crate) coalescing: bool,
    pub(crate) jitter_seed: Option<u64>,
}

/// Where concurrent calls of one kind gather.
#[derive(Default)]
pub(crate) struct Coalescers {
    pub(crate) fills: Coalescer<Fill>,
    pub(crate) gets: Coalescer<Get>,
    pub(crate) leases: Coalescer<Lease>,
    pub(crate) states: Coalescer<State>,
}

/// What all views of a store share.
pub(crate) struct Engine {
    small: Link,
    /// Missing where everything has to go over one connection.
    large: Option<Link>,
    setup: Setup,
    /// Links of shared tiers made so far.
    tracked: AtomicU64,
    /// That of the one connection, if it is the link of a shared tier.
    tracking: Option<Arc<Tracking>>,
    pub(crate) coalescers: Option<Coalescers>,
    pub(crate) large_keys: LargeKeys,
    pub(crate) cap: ValueCap,
    pub(crate) counters: Arc<Counters>,
    pub(crate) target: Arc<Target>,
}

enum Request<'a> {
    One(&'a Cmd),
    /// A pipeline, how many of its answers to skip and how many to return.
    Many(&'a Pipeline, usize, usize),
}

enum Answer {
    One(Value),
    Many(Vec<Value>),
}

impl Setup {
    fn link(&self, counters: &Arc<Counters>, number: u64, tracking: Option<Arc<Tracking>>) -> LinkSetup {
        LinkSetup {
            target: Arc::clone(&self.target),
            connect_timeout: self.connect_timeout,
            patience: self.patience,
            value_cap: self.cap.bytes(),
            counters: Arc::clone(counters),
            jitter_seed: self.jitter_seed.map(|seed| seed.wrapping_add(number)),
            tracking,
        }
    }
}

/// Before a command: what it reads need not be tracked.
fn opt_out() -> Cmd {
    let mut command = Cmd::with_capacity(3, 15);
    command.arg("CLIENT").arg("CACHING").arg("NO");
    command
}

impl Engine {
    pub(crate) fn new(setup: Setup) -> Self {
        let counters = Arc::default();
        let small = Link::new(setup.link(&counters, 0, None), None);
        let large = Link::new(setup.link(&counters, 1, None), Some(&small));
        let engine = Self::over(small, Some(large), None, setup, counters);
        // The other link starts with the first large value.
        engine.small.start();
        engine
    }

    /// An engine with one connection of its own that carries invalidations too.
    pub(crate) fn tracked(&self, tracking: Arc<Tracking>) -> Self {
        let number = 2 + self.tracked.fetch_add(1, Relaxed);
        let setup = self.setup.link(&self.counters, number, Some(Arc::clone(&tracking)));
        let link = Link::new(setup, Some(&self.small));
        link.start();
        Self::over(link, None, Some(tracking), self.setup.clone(), Arc::clone(&self.counters))
    }

    fn over(
        small: Link,
        large: Option<Link>,
        tracking: Option<Arc<Tracking>>,
        setup: Setup,
        counters: Arc<Counters>,
    ) -> Self {
        Self {
            small,
            large,
            coalescers: setup.coalescing.then(Coalescers::default),
            large_keys: LargeKeys::default(),
            cap: setup.cap,
            counters,
            target: Arc::clone(&setup.target),
            tracked: AtomicU64::new(0),
            tracking,
            setup,
        }
    }

    /// Sends one command. Its answer may be an error; see [`checked`](Self::checked).
    pub(crate) async fn call(
        &self,
        lane: Lane,
        effect: Effect,
        deadline: Instant,
        command: &Cmd,
    ) -> Result<Value, Fault> {
        match self.exchange(lane, effect, deadline, &Request::One(command)).await? {
            Answer::One(value) => Ok(value),
            Answer::Many(_) => Err(self.shape()),
        }
    }

    /// As [`call`](Self::call). Where nothing is to be watched, the server does not tell of what the command itself changes
    /// either, unless this connection has read that before.
    pub(crate) async fn call_watching(
        &self,
        watch: Watch,
        lane: Lane,
        effect: Effect,
        deadline: Instant,
        command: Cmd,
    ) -> Result<Value, Fault> {
        if watch == Watch::Changes || !self.opts_out() {
            return self.call(lane, effect, deadline, &command).await;
        }
        let mut pipeline = Pipeline::with_capacity(2);
        pipeline.add_command(opt_out()).add_command(command);
        let mut answers = self.pipeline(lane, effect, deadline, &pipeline).await?;
        self.note_opt_out(answers.first());
        answers.pop().ok_or_else(|| self.shape())
    }

    /// Whether the server tells of changes, unless it is told before a command that it need not.
    fn opts_out(&self) -> bool {
        self.tracking.as_ref().is_some_and(|tracking| tracking.opts_out())
    }

    /// What the server answered to opting out. If it will not be spared, the command after that was run all the same.
    fn note_opt_out(&self, answer: Option<&Value>) {
        if let (Some(Value::ServerError(_)), Some(tracking)) = (answer, &self.tracking) {
            tracking.cannot_opt_out();
        }
    }

    /// Sends commands together and returns all answers, errors among them.
    pub(crate) async fn pipeline(
        &self,
        lane: Lane,
        effect: Effect,
        deadline: Instant,
        pipeline: &Pipeline,
    ) -> Result<Vec<Value>, Fault> {
        let count = pipeline.len();
        match self.exchange(lane, effect, deadline, &Request::Many(pipeline, 0, count)).await? {
            Answer::Many(values) if values.len() == count => Ok(values),
            _ => Err(self.shape()),
        }
    }

    /// Sends commands as one transaction and returns their answers, errors among them.
    pub(crate) async fn transaction(
        &self,
        lane: Lane,
        effect: Effect,
        deadline: Instant,
        pipeline: &Pipeline,
    ) -> Result<Vec<Value>, Fault> {
        let count = pipeline.len();
        // MULTI and one QUEUED for each command come before the answer of EXEC.
        match self.exchange(lane, effect, deadline, &Request::Many(pipeline, count + 1, 1)).await? {
            Answer::Many(mut values) => match values.pop() {
                Some(Value::Array(values)) if values.len() == count => Ok(values),
                Some(Value::ServerError(error)) => Err(Fault::server(&error)),
                _ => Err(self.shape()),
            },
            Answer::One(_) => Err(self.shape()),
        }
    }

    /// Runs a script on one key, sending its text if the server does not have it.
    pub(crate) async fn script(
        &self,
        lane: Lane,
        deadline: Instant,
        script: &Script,
        key: &Key,
        args: &[&[u8]],
    ) -> Result<Value, Fault> {
        self.script_on(lane, deadline, script, &[key], args).await
    }

    /// Runs a script once on all of these keys, sending its text if the server does not have it.
    pub(crate) async fn script_on(
        &self,
        lane: Lane,
        deadline: Instant,
        script: &Script,
        keys: &[&Key],
        args: &[&[u8]],
    ) -> Result<Value, Fault> {
        let names: Vec<&[u8]> = keys.iter().map(|key| key.as_bytes()).collect();
        let by_hash = script.by_hash(&names, args);
        let value = self.call_watching(script.watch, lane, Effect::Write, deadline, by_hash).await?;
        match self.checked(keys.first().copied(), value) {
            // The server says that it ran nothing.
            Err(fault) if fault.reply == Reply::NoScript => {
                let by_text = script.by_text(&names, args);
                let value = self.call_watching(script.watch, lane, Effect::Write, deadline, by_text).await?;
                self.checked(keys.first().copied(), value)
            }
            answer => answer,
        }
    }

    /// Runs a script on each of many keys in one round trip, sending its text where the server does not have it. What
    /// happened to one key says nothing about the others.
    pub(crate) async fn scripts<const N: usize>(
        &self,
        lane: Lane,
        deadline: Instant,
        script: &Script,
        calls: &[(&Key, [&[u8]; N])],
    ) -> Vec<Result<Value, Fault>> {
        if calls.is_empty() {
            return Vec::new();
        }
        if let [(key, args)] = calls {
            return vec![self.script(lane, deadline, script, key, args).await];
        }
        let watch = script.watch;
        let mut outcomes =
            self.script_round(watch, lane, deadline, calls, |key, args| script.by_hash(&[key], args)).await;
        let missed =
            |outcome: &Result<Value, Fault>| outcome.as_ref().is_err_and(|fault| fault.reply == Reply::NoScript);
        let again: Vec<usize> = (0..calls.len()).filter(|at| outcomes.get(*at).is_some_and(missed)).collect();
        if !again.is_empty() {
            // Each brings the text: the first one's may be refused for its key, and the others would miss it.
            let few: Vec<_> = again.iter().map(|at| calls[*at]).collect();
            let late = self.script_round(watch, lane, deadline, &few, |key, args| script.by_text(&[key], args)).await;
            for (at, outcome) in again.into_iter().zip(late) {
                outcomes[at] = outcome;
            }
        }
        outcomes
    }

    async fn script_round<const N: usize>(
        &self,
        watch: Watch,
        lane: Lane,
        deadline: Instant,
        calls: &[(&Key, [&[u8]; N])],
        command: impl Fn(&[u8], &[&[u8]]) -> Cmd,
    ) -> Vec<Result<Value, Fault>> {
        let opts_out = watch == Watch::Nothing && self.opts_out();
        let mut pipeline = Pipeline::with_capacity(calls.len() * (1 + usize::from(opts_out)));
        for (key, args) in calls {
            if opts_out {
                pipeline.add_command(opt_out());
            }
            pipeline.add_command(command(key.as_bytes(), args));
        }
        match self.pipeline(lane, Effect::Write, deadline, &pipeline).await {
            Ok(mut answers) => {
                if opts_out {
                    self.note_opt_out(answers.first());
                    let mut is_opt_out = false;
                    answers.retain(|_| {
                        is_opt_out = !is_opt_out;
                        !is_opt_out
                    });
                }
                calls.iter().zip(answers).map(|((key, _), answer)| self.checked(Some(key), answer)).collect()
            }
            Err(fault) => calls.iter().map(|_| Err(fault.clone())).collect(),
        }
    }

    /// Asks for a sign of life, connecting at once where the last attempt failed.
    pub(crate) async fn ping(&self, deadline: Instant) -> Result<(), Fault> {
        self.small.acquire_eagerly(deadline).await.map_err(Fault::unsent)?;
        let pong = self.call(Lane::Small, Effect::Read, deadline, &redis::cmd("PING")).await?;
        self.checked(None, pong).map(drop)
    }

    /// The value in an answer to GET: nothing for a missing key and for one of a foreign type.
    pub(crate) fn bulk(&self, key: &Key, value: Value) -> Result<Option<Bytes>, Fault> {
        match self.checked(Some(key), value) {
            Ok(Value::BulkString(bytes)) => {
                self.cap.check(bytes.len()).map_err(Fault::unsent)?;
                self.large_keys.learn(key, bytes.len());
                Ok(Some(Bytes::from(bytes)))
            }
            Ok(Value::Nil) => Ok(None),
            Ok(_) => Err(self.shape()),
            Err(fault) if fault.reply == Reply::ForeignType => Ok(None),
            Err(fault) => Err(fault),
        }
    }

    /// Turns an answer that is an error into a fault, and counts keys of foreign types.
    pub(crate) fn checked(&self, key: Option<&Key>, value: Value) -> Result<Value, Fault> {
        let Value::ServerError(error) = value else { return Ok(value) };
        let fault = Fault::server(&error);
        if fault.reply == Reply::ForeignType {
            self.counters.foreign_key(key.map_or("", Key::namespace_str));
        }
        Err(fault)
    }

    /// An answer of a shape that its command cannot have: replies and requests no longer belong together, so that no
    /// connection can be trusted any more.
    pub(crate) fn shape(&self) -> Fault {
        self.small.condemn_current(Fatal::Lost);
        if let Some(large) = &self.large {
            large.condemn_current(Fatal::Lost);
        }
        Fault::shape()
    }

    /// 0 or 1 as an answer.
    pub(crate) fn flag(&self, answer: &Value) -> Result<bool, Fault> {
        match answer {
            Value::Int(0) => Ok(false),
            Value::Int(1) => Ok(true),
            _ => Err(self.shape()),
        }
    }

    /// The runtime for work that several callers wait for.
    pub(crate) fn runtime(&self) -> Option<tokio::runtime::Handle> {
        self.small.runtime()
    }

    /// A caller's deadline passed while what he asked for waited behind others.
    pub(crate) fn missed_in_queue(&self, waited: Duration) {
        if let Some(live) = self.small.current()
            && live.pulse.missed(waited)
        {
            self.small.condemn(&live, Fatal::Silent);
        }
    }

    async fn exchange(
        &self,
        lane: Lane,
        effect: Effect,
        mut deadline: Instant,
        request: &Request<'_>,
    ) -> Result<Answer, Fault> {
        let link = self.link(lane);
        let mut retried = false;
        loop {
            let asked = Instant::now();
            if asked >= deadline {
                return Err(Fault::unsent(Error::new(
                    ErrorKind::Unavailable,
                    "the deadline passed before anything was sent: raise `deadline`",
                )));
            }
            let live = link.acquire(deadline).await.map_err(Fault::unsent)?;
            let gone = live.is_gone();
            let fault = if gone {
                Fault::unsent(Error::new(ErrorKind::Unavailable, "the connection was lost before anything was sent"))
            } else {
                match send(link, &live, asked, deadline, request).await {
                    Ok(answer) => return Ok(answer),
                    Err(fault) => fault,
                }
            };
            if gone {
                link.condemn(&live, Fatal::Lost);
            }
            if Mutant::RetryWrite.is_on() && !retried && fault.may_have_run && Instant::now() >= deadline {
                retried = true;
                deadline += asked.elapsed();
                continue;
            }
            if gone || fault.fatal == Some(Fatal::Lost) {
                // Only what had no effect may be sent again, and once: a server that dies of it must not meet it twice.
                if !retried && (gone || effect == Effect::Read) {
                    retried = true;
                    continue;
                }
            }
            return Err(fault);
        }
    }

    fn link(&self, lane: Lane) -> &Link {
        match lane {
            Lane::Large => self.large.as_ref().unwrap_or(&self.small),
            Lane::Small => &self.small,
        }
    }
}

async fn send(
    link: &Link,
    live: &Live,
    asked: Instant,
    deadline: Instant,
    request: &Request<'_>,
) -> Result<Answer, Fault> {
    let mut connection = live.connection.clone();
    let answer = match request {
        Request::One(command) => {
            timeout_at(deadline, connection.send_packed_command(command)).await.map(|value| value.map(Answer::One))
        }
        Request::Many(pipeline, skip, count) => {
            timeout_at(deadline, connection.send_packed_commands(pipeline, *skip, *count))
                .await
                .map(|values| values.map(Answer::Many))
        }
    };
    match answer {
        Ok(Ok(answer)) => {
            if let Some(fatal) = answer.fatal() {
                link.condemn(live, fatal);
            }
            Ok(answer)
        }
        Ok(Err(error)) => {
            let fault = Fault::driver(&error);
            if let Some(fatal) = fault.fatal {
                link.condemn(live, fatal);
            }
            Err(fault)
        }
        Err(_) => {
            let waited = asked.elapsed();
            if live.pulse.missed(waited) {
                link.condemn(live, Fatal::Silent);
            }
            Err(Fault::deadline(waited))
        }
    }
}

impl Answer {
    /// Whether one of the answers says that the connection is of no use any more.
    fn fatal(&self) -> Option<Fatal> {
        let fatal = |value: &Value| match value {
            Value::ServerError(error) => Fault::server(error).fatal,
            _ => None,
        };
        match self {
            Self::One(value) => fatal(value),
            Self::Many(values) => values.iter().find_map(|value| match value {
                Value::Array(inner) => inner.iter().find_map(fatal),
                value => fatal(value),
            }),
        }
    }
}
