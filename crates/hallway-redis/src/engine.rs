//! Commands with a deadline, over the connection that fits them.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hallway_core::{Error, ErrorKind, Key, ValueCap};
use redis::{Cmd, Pipeline, Value};
use tokio::time::{Instant, timeout_at};

use crate::coalesce::Coalescer;
use crate::fault::{Fatal, Fault, Reply};
use crate::large::LargeKeys;
use crate::link::{Link, Live};
use crate::scripts::Script;
use crate::stats::Counters;
use crate::target::Target;

/// Values from this size on use a connection of their own, so that they do not hold up small ones.
pub(crate) const LARGE: usize = 64 << 10;

/// Whether a command may be sent again when the connection died before the answer came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effect {
    Read,
    Write,
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

/// What all views of a store share.
pub(crate) struct Engine {
    small: Link,
    large: Link,
    pub(crate) coalescer: Option<Coalescer>,
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

impl Engine {
    /// `patience` is how long the store, unlike an impatient view of it, waits for an answer.
    pub(crate) fn new(
        target: Arc<Target>,
        cap: ValueCap,
        connect_timeout: Duration,
        patience: Duration,
        coalescing: bool,
    ) -> Self {
        let counters = Arc::new(Counters::default());
        let link = |elder| {
            Link::new(Arc::clone(&target), connect_timeout, patience, cap.bytes(), Arc::clone(&counters), elder)
        };
        let small = link(None);
        let engine = Self {
            large: link(Some(&small)),
            small,
            coalescer: coalescing.then(Coalescer::default),
            large_keys: LargeKeys::default(),
            cap,
            counters: Arc::clone(&counters),
            target: Arc::clone(&target),
        };
        // The other link starts with the first large value.
        engine.small.start();
        engine
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
        let value = self.call(lane, Effect::Write, deadline, &script.by_hash(key.as_bytes(), args)).await?;
        match self.checked(Some(key), value) {
            // The server says that it ran nothing.
            Err(fault) if fault.reply == Reply::NoScript => {
                let value = self.call(lane, Effect::Write, deadline, &script.by_text(key.as_bytes(), args)).await?;
                self.checked(Some(key), value)
            }
            answer => answer,
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
        self.large.condemn_current(Fatal::Lost);
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

    /// A caller's deadline passed while his read waited behind others.
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
        deadline: Instant,
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
            Lane::Large => &self.large,
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
