//! The store itself: each verb as a command.

use std::collections::HashSet;
use std::fmt;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use hallway_core::{
    Capabilities, Capability, Counted, Cursor, DeleteIf, Entry, Error, Key, KvStore, LinkOptions, Page, Prefix, Result,
    SetIf, SetOptions, SetOutcome, SharedLink, SharedTier, StoreUrl, Timestamp, Ttl,
};
use redis::{Cmd, Pipeline, Value};
use tokio::time::Instant;

use crate::coalesce::Job;
use crate::config::RedisConfig;
use crate::engine::{Effect, Engine, Lane};
use crate::fault::Fault;
use crate::gets::Get;
use crate::shared::RedisLink;
use crate::stats::RedisStats;
use crate::{batch, coalesce, scan, scripts, states};

pub(crate) const BACKEND: &str = "redis";

/// A store in Redis or Valkey, version 6 or later.
///
/// # Cloning
/// A clone is another handle to the same connections and the same data.
///
/// # Runtimes
/// Connections and shared reads live in the tokio runtime that the store was opened in, or else in the one that used it
/// first. That runtime must be driven as long as others use the store: as a rule a multi-thread runtime. When it ends,
/// the next call starts anew in its own.
///
/// # Consistency
/// All verbs on one key are linearizable while one primary lives. Redis acknowledges before it saves or replicates, so a
/// crash or a failover may lose the last writes: the store does not claim to be durable.
///
/// # Examples
/// ```no_run
/// use std::time::Duration;
/// use hallway_core::{Bytes, Key, KvStore, SetOptions};
/// use hallway_redis::RedisConfig;
///
/// # async fn example() -> hallway_core::Result<()> {
/// let store = RedisConfig::tcp("localhost", 6379).with_password("secret").open()?;
/// let key = Key::from_physical("user:profile:42")?;
/// let _ = store.set(&key, Bytes::from("Ada"), SetOptions::new(Duration::from_secs(60))).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct RedisStore {
    engine: Arc<Engine>,
    deadline: Duration,
}

impl RedisStore {
    pub(crate) fn new(engine: Arc<Engine>, deadline: Duration) -> Self {
        // An instant this far ahead can still be computed, and nobody waits for it.
        const LONGEST: Duration = Duration::from_secs(365 * 24 * 3_600);
        Self { engine, deadline: deadline.min(LONGEST) }
    }

    /// Opens a store by URL. No server is needed: connecting happens in the background and inside the first call.
    ///
    /// | URL | |
    /// |---|---|
    /// | `redis://[user[:password]@]host[:port][/database]` | `redis://:password@host` for a password alone |
    /// | `rediss://…` | the same with TLS (feature `tls`, of the facade `redis-tls`); chain and name are verified |
    /// | `redis+unix:///path` | options `db`, `user`, `password` |
    ///
    /// | option | default | |
    /// |---|---|---|
    /// | `deadline` | `1s` | how long a call may take |
    /// | `connect_timeout` | `500ms` | how long connecting and logging in may take |
    /// | `max_value` | `1MiB` | largest value |
    /// | `coalesce` | `true` | concurrent reads become one `MGET` under load |
    /// | `allow_plaintext` | `false` | needed for `redis://` to another machine |
    /// | `ca`, `cert`, `key` | | PEM files for TLS: the trusted authority, a client certificate and its key |
    ///
    /// # Errors
    /// `InvalidConfig` naming what is wrong; `MissingFeature` for TLS in a build without it.
    #[expect(
        clippy::unused_async,
        reason = "opening a store is async everywhere, and resolving a target may come to wait"
    )]
    pub async fn open_url(url: StoreUrl) -> Result<Self> {
        RedisConfig::from_url(url)?.open()
    }

    /// What the store has counted since it was opened.
    #[must_use]
    pub fn stats(&self) -> RedisStats {
        self.engine.counters.snapshot()
    }

    fn until(&self) -> Instant {
        Instant::now() + self.deadline
    }

    async fn set_conditionally(
        &self,
        key: &Key,
        value: &Bytes,
        ttl: &str,
        when: &[&[u8]],
    ) -> Result<SetOutcome, Fault> {
        let bytes = value.len() + when.iter().map(|part| part.len()).sum::<usize>();
        let mut args: Vec<&[u8]> = vec![value, ttl.as_bytes()];
        args.extend_from_slice(when);
        let answer = self.engine.script(Lane::of(bytes), self.until(), &scripts::SET_IF, key, &args).await?;
        match answer {
            Value::Int(1) => Ok(SetOutcome::Written),
            Value::Int(0) => Ok(SetOutcome::ConditionNotMet),
            _ => Err(self.engine.shape()),
        }
    }

    async fn set_if_absent(&self, key: &Key, value: &Bytes, ttl: Option<u64>) -> Result<SetOutcome, Fault> {
        let mut pipeline = Pipeline::with_capacity(2);
        pipeline.add_command(set_command(key, value, ttl, true));
        // Only TYPE tells whether the key that stands in the way is one of ours.
        pipeline.cmd("TYPE").arg(key.as_bytes());
        let mut answers =
            self.engine.pipeline(Lane::of(value.len()), Effect::Write, self.until(), &pipeline).await?.into_iter();
        match self.engine.checked(Some(key), answers.next().unwrap_or(Value::Nil))? {
            Value::Okay => Ok(SetOutcome::Written),
            Value::Nil => match answers.next() {
                Some(Value::SimpleString(kind)) if kind != "string" && kind != "none" => {
                    self.engine.counters.foreign_key(key.namespace_str());
                    Err(Fault::foreign())
                }
                _ => Ok(SetOutcome::ConditionNotMet),
            },
            _ => Err(self.engine.shape()),
        }
    }

    async fn set_always(&self, key: &Key, value: &Bytes, ttl: Option<u64>) -> Result<SetOutcome, Fault> {
        let command = set_command(key, value, ttl, false);
        let answer = self.engine.call(Lane::of(value.len()), Effect::Write, self.until(), &command).await?;
        match self.engine.checked(Some(key), answer)? {
            Value::Okay => Ok(SetOutcome::Written),
            _ => Err(self.engine.shape()),
        }
    }

    async fn read_entry(&self, key: &Key) -> Result<Option<Entry>, Fault> {
        let pair = states::pairs(&self.engine, &[key], self.until()).await?;
        let (value, life) = pair.into_iter().next().ok_or_else(|| self.engine.shape())?;
        states::entry(&self.engine, key, value, &life)
    }
}

pub(crate) fn set_command(key: &Key, value: &[u8], ttl: Option<u64>, only_absent: bool) -> Cmd {
    let mut command = Cmd::with_capacity(6, key.as_bytes().len() + value.len() + 32);
    command.arg("SET").arg(key.as_bytes()).arg(value);
    if let Some(millis) = ttl {
        command.arg("PX").arg(millis);
    }
    if only_absent {
        command.arg("NX");
    }
    command
}

/// Warns once per namespace about entries that never expire: in a cache they are usually a mistake.
pub(crate) fn warn_of_forever(key: &Key) {
    // Namespaces are few; should they come from outside, warnings end here, not memory.
    const REMEMBERED: usize = 1024;
    static WARNED: LazyLock<Mutex<HashSet<Box<str>>>> = LazyLock::new(Mutex::default);
    let namespace = key.namespace_str();
    let mut warned = WARNED.lock().unwrap_or_else(PoisonError::into_inner);
    if warned.contains(namespace) || warned.len() >= REMEMBERED {
        return;
    }
    warned.insert(namespace.into());
    drop(warned);
    tracing::warn!(namespace, "an entry without expiry was written to Redis; it stays until somebody deletes it");
}

#[async_trait]
impl KvStore for RedisStore {
    fn capabilities(&self) -> Capabilities {
        Capabilities::all().without(Capability::Durable).without(Capability::LocalRead).without(Capability::OrderedScan)
    }

    async fn get_entry(&self, key: &Key) -> Result<Option<Entry>> {
        self.read_entry(key).await.map_err(|fault| fault.into_read_error().at(BACKEND, "get_entry").with_key(key))
    }

    async fn set(&self, key: &Key, value: Bytes, opts: SetOptions) -> Result<SetOutcome> {
        let place = |error: Error| error.at(BACKEND, "set").with_key(key);
        let ttl = opts.ttl.whole_millis().map_err(place)?.map(std::num::NonZeroU64::get);
        self.engine.cap.check(value.len()).map_err(place)?;
        if ttl.is_none() {
            warn_of_forever(key);
        }
        let millis = || ttl.map(|millis| millis.to_string()).unwrap_or_default();
        let outcome = match &opts.condition {
            SetIf::Always => self.set_always(key, &value, ttl).await,
            SetIf::Absent => self.set_if_absent(key, &value, ttl).await,
            SetIf::Present => self.set_conditionally(key, &value, &millis(), &[b"present"]).await,
            SetIf::Equals(expected) => self.set_conditionally(key, &value, &millis(), &[b"equals", expected]).await,
        };
        let outcome = outcome.map_err(|fault| place(fault.into_write_error()))?;
        if outcome.is_written() {
            self.engine.large_keys.learn(key, value.len());
        }
        Ok(outcome)
    }

    async fn delete_if(&self, key: &Key, when: DeleteIf) -> Result<bool> {
        let (lane, answer);
        match &when {
            DeleteIf::Always => {
                answer = self.engine.script(Lane::Small, self.until(), &scripts::DELETE_IF, key, &[]).await;
            }
            DeleteIf::Equals(expected) => {
                lane = Lane::of(expected.len());
                answer = self.engine.script(lane, self.until(), &scripts::DELETE_IF, key, &[expected]).await;
            }
        }
        answer
            .and_then(|value| self.engine.flag(&value))
            .map_err(|fault| fault.into_write_error().at(BACKEND, "delete").with_key(key))
    }

    async fn touch(&self, key: &Key, ttl: Ttl) -> Result<bool> {
        let place = |error: Error| error.at(BACKEND, "touch").with_key(key);
        let millis = ttl.whole_millis().map_err(place)?.map(|millis| millis.to_string()).unwrap_or_default();
        if millis.is_empty() {
            warn_of_forever(key);
        }
        let answer = self.engine.script(Lane::Small, self.until(), &scripts::TOUCH, key, &[millis.as_bytes()]).await;
        answer.and_then(|value| self.engine.flag(&value)).map_err(|fault| place(fault.into_write_error()))
    }

    async fn scan(&self, prefix: &Prefix, after: Option<Cursor>, limit: usize) -> Result<Page> {
        scan::page(&self.engine, prefix, after, limit, self.until())
            .await
            .map_err(|fault| fault.into_read_error().at(BACKEND, "scan").with_namespace(prefix.namespace()))
    }

    async fn time(&self) -> Result<Timestamp> {
        let answer = self.engine.call(Lane::Small, Effect::Read, self.until(), &redis::cmd("TIME")).await;
        answer
            .and_then(|value| self.engine.checked(None, value))
            .and_then(|value| timestamp(&value).ok_or_else(|| self.engine.shape()))
            .map_err(|fault| fault.into_read_error().at(BACKEND, "time"))
    }

    fn with_deadline(&self, per_call: Duration) -> Arc<dyn KvStore> {
        Arc::new(Self::new(Arc::clone(&self.engine), per_call))
    }

    fn as_shared(&self) -> Option<&dyn SharedTier> {
        Some(self)
    }

    fn as_counted(&self) -> Option<&dyn Counted> {
        Some(self)
    }

    async fn get(&self, key: &Key) -> Result<Option<Bytes>> {
        let deadline = self.until();
        let answer = match self.engine.large_keys.lane(key) {
            Lane::Small => coalesce::ask::<Get>(&self.engine, key.clone(), deadline).await,
            Lane::Large => Get::alone(&self.engine, key, deadline).await,
        };
        answer.map_err(|fault| fault.into_read_error().at(BACKEND, "get").with_key(key))
    }

    async fn take(&self, key: &Key) -> Result<Option<Bytes>> {
        let cap = self.engine.cap.bytes().to_string();
        let lane = self.engine.large_keys.lane(key);
        let answer = self.engine.script(lane, self.until(), &scripts::TAKE, key, &[cap.as_bytes()]).await;
        let value = match answer {
            Ok(Value::BulkString(bytes)) => Ok(Some(Bytes::from(bytes))),
            Ok(Value::Nil) => Ok(None),
            Ok(_) => Err(self.engine.shape()),
            Err(fault) => Err(fault),
        };
        value.map_err(|fault| fault.into_write_error().at(BACKEND, "take").with_key(key))
    }

    async fn increment(&self, key: &Key, by: i64, ttl: Ttl) -> Result<i64> {
        let place = |error: Error| error.at(BACKEND, "increment").with_key(key);
        let millis = ttl.whole_millis().map_err(place)?.map(|millis| millis.to_string()).unwrap_or_default();
        if millis.is_empty() {
            warn_of_forever(key);
        }
        let by = by.to_string();
        let args = [by.as_bytes(), millis.as_bytes()];
        let answer = self.engine.script(Lane::Small, self.until(), &scripts::INCREMENT, key, &args).await;
        let sum = answer.and_then(|value| match value {
            Value::BulkString(text) => hallway_core::parse_canonical_i64(&text).map_err(|_| self.engine.shape()),
            _ => Err(self.engine.shape()),
        });
        sum.map_err(|fault| place(fault.into_write_error()))
    }

    async fn get_many(&self, keys: &[Key]) -> Result<Vec<Option<Bytes>>> {
        batch::get_many(&self.engine, keys, self.until())
            .await
            .map_err(|fault| fault.into_read_error().at(BACKEND, "get_many"))
    }

    async fn set_many(&self, items: &[(Key, Bytes, Ttl)]) -> Result<()> {
        batch::set_many(&self.engine, items, self.until()).await.map_err(|error| error.at(BACKEND, "set_many"))
    }

    async fn delete_many(&self, keys: &[Key]) -> Result<u64> {
        batch::delete_many(&self.engine, keys, self.until()).await.map_err(|error| error.at(BACKEND, "delete_many"))
    }

    async fn clear(&self, prefix: &Prefix) -> Result<u64> {
        scan::clear(&self.engine, prefix, self.until())
            .await
            .map_err(|error| error.at(BACKEND, "clear").with_namespace(prefix.namespace()))
    }

    async fn ping(&self) -> Result<()> {
        self.engine.ping(self.until()).await.map_err(|fault| fault.into_read_error().at(BACKEND, "ping"))
    }
}

impl SharedTier for RedisStore {
    fn link(&self, options: LinkOptions) -> Arc<dyn SharedLink> {
        Arc::new(RedisLink::new(&self.engine, options))
    }
}

/// Seconds and microseconds as `TIME` answers them.
fn timestamp(answer: &Value) -> Option<Timestamp> {
    let number = |value: &Value| match value {
        Value::BulkString(text) => hallway_core::parse_canonical_i64(text).ok(),
        _ => None,
    };
    let Value::Array(parts) = answer else { return None };
    let [seconds, micros] = parts.as_slice() else { return None };
    let micros = number(seconds)?.checked_mul(1_000_000)?.checked_add(number(micros)?)?;
    Some(Timestamp::from_unix_micros(micros))
}

/// Shows the server and the deadline, neither user nor password.
impl fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisStore")
            .field("server", &format_args!("{}", self.engine.target.resolve()))
            .field("deadline", &self.deadline)
            .field("max_value", &self.engine.cap.bytes())
            .field("coalescing", &self.engine.coalescers.is_some())
            .finish_non_exhaustive()
    }
}
