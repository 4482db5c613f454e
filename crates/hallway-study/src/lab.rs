//! The stores of a study: what there is to measure, opened, and cleared away afterwards.

mod backend;
mod controls;
mod environment;
mod place;
mod readback;
mod replay;
mod tiers;
mod wire;

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use hallway::moka::MokaStore;
use hallway::redis::RedisStore;
use hallway::sql::SqlStore;
use hallway::{KvStore, StoreUrl};
use tempfile::TempDir;

pub use self::backend::Backend;
pub use self::controls::{
    BACKENDS as CONTROL_BACKENDS, GROUP as CONTROL_GROUP, Injection, SERIES as CONTROL_SERIES, SLOWER, controls,
};
pub use self::environment::{Watch, processor};
pub use self::place::{Choice, Origin, Postgres, Redis};
pub use self::readback::changes;
pub use self::replay::{Replay, Replayed, Replaying};
pub use self::tiers::Tiers;
pub use self::wire::Profile;
use crate::load::contenders::{OurCache, Ours, Typed};
use crate::load::{Driver, Lane, Plan, Workload};
use crate::placement::Placement;
use crate::report::{NotMeasured, Server};
use crate::rounds::Cell;
use crate::{Failure, Result};

/// How values come back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// As bytes.
    Bytes,
    /// Decoded by each read where the store has bytes.
    Decoded,
}

/// Which servers a study uses.
#[derive(Debug, Clone, Default)]
pub struct Choices {
    /// Redis.
    pub redis: Choice,
    /// PostgreSQL.
    pub postgres: Choice,
    /// Which cores the study runs on, and which ones those of them that it starts.
    pub placement: Placement,
}

/// Why a server of somebody else has no such database.
const ASYNC_NEEDS: &str =
    "a database that does not wait for the disk is made only on a server that the study starts; use --start";

/// The stores of a study.
#[derive(Debug)]
pub struct Lab {
    redis: Option<Redis>,
    postgres: Option<Postgres>,
    placement: Placement,
    sqlite: TempDir,
    /// In front of all names, so that nobody else's entries are met.
    name: String,
    names: AtomicU64,
    injection: Option<Injection>,
    supposed: Option<Injection>,
    absent: Vec<NotMeasured>,
    traces: Vec<PathBuf>,
}

impl Lab {
    /// Starts, finds or asks for the servers. What is not there is in [`Lab::absent`] with the remedy.
    ///
    /// Files of SQLite go into a folder below `out`, because a folder for temporary files may be in memory. Starting a
    /// server blocks.
    ///
    /// # Errors
    /// If a server that was named by URL does not answer, or one that was to be started does not start.
    pub async fn open(choices: &Choices, out: &Path, injection: Option<Injection>) -> Result<Self> {
        // Of random numbers, so that no other study has it, on whatever machine and server.
        let name = format!("study{:08x}", rand::random::<u32>());
        let sqlite = TempDir::with_prefix_in("sqlite-", out)
            .map_err(|error| format!("cannot make a folder in {}: {error}", out.display()))?;
        let mut absent = Vec::new();
        let redis = keep("redis", place::redis(&choices.redis, &choices.placement, &name).await?, &mut absent);
        // Last: it makes tables, which nothing would drop if anything after it failed.
        let postgres =
            keep("postgres", place::postgres(&choices.postgres, &choices.placement, &name).await?, &mut absent);
        let (names, traces, placement) = (AtomicU64::new(0), Vec::new(), choices.placement.clone());
        let mut lab =
            Self { redis, postgres, placement, sqlite, name, names, injection, supposed: None, absent, traces };
        let parts = lab.missing_parts();
        lab.absent.extend(parts);
        Ok(lab)
    }

    /// What there is not to measure on servers that there are.
    fn missing_parts(&self) -> Vec<NotMeasured> {
        let mut missing = Vec::new();
        let mut note = |what: &str, why: &str| missing.push(NotMeasured { what: what.to_owned(), why: why.to_owned() });
        if let Some(redis) = &self.redis {
            if !redis.is_on_tcp() {
                note("redis", "only over its Unix socket, by which it was named; name it by redis://HOST for the rest");
            } else if redis.addr().is_none() {
                note("Q2: redis", "a longer wire needs plain TCP to an address that answers; name it by redis://HOST");
            }
            if !self.has(Backend::RedisUnix) {
                note(Backend::RedisUnix.name(), redis.no_socket());
            }
        }
        if self.postgres.is_some() && !self.has(Backend::PostgresAsync) {
            note(Backend::PostgresAsync.name(), ASYNC_NEEDS);
        }
        missing
    }

    /// The same with key logs of the user's, whose hit ratios are studied beside those of the built-in streams.
    #[must_use]
    pub fn with_traces(mut self, traces: Vec<PathBuf>) -> Self {
        self.traces = traces;
        self
    }

    /// Has cells say how much longer they would take if each call of a backend did. That adds nothing to what is
    /// measured.
    #[must_use]
    pub fn supposing(mut self, supposed: Option<Injection>) -> Self {
        self.supposed = supposed;
        self
    }

    /// Key logs of the user's.
    #[must_use]
    pub fn traces(&self) -> &[PathBuf] {
        &self.traces
    }

    /// What is not there, and why.
    #[must_use]
    pub fn absent(&self) -> &[NotMeasured] {
        &self.absent
    }

    /// Which cores the study runs on, and which ones the servers that it starts.
    #[must_use]
    pub fn placement(&self) -> &Placement {
        &self.placement
    }

    /// Redis, if there is one.
    #[must_use]
    pub fn redis(&self) -> Option<&Redis> {
        self.redis.as_ref()
    }

    /// PostgreSQL, if there is one.
    #[must_use]
    pub fn postgres(&self) -> Option<&Postgres> {
        self.postgres.as_ref()
    }

    /// The database that plays the authority: PostgreSQL if there is one, else SQLite.
    #[must_use]
    pub fn database(&self) -> Backend {
        if self.postgres.is_some() { Backend::Postgres } else { Backend::Sqlite }
    }

    /// Whether there is such a backend.
    #[must_use]
    pub fn has(&self, backend: Backend) -> bool {
        match backend {
            Backend::MokaBytes | Backend::MokaTyped | Backend::Sqlite => true,
            Backend::Postgres | Backend::PostgresUnlogged => self.postgres.is_some(),
            Backend::PostgresAsync => self.postgres.as_ref().is_some_and(|server| server.started().is_some()),
            Backend::RedisTcp => self.redis.as_ref().is_some_and(Redis::is_on_tcp),
            Backend::RedisUnix => self.redis.as_ref().is_some_and(|server| server.socket().is_some()),
        }
    }

    /// Those of these backends that there are.
    #[must_use]
    pub fn present(&self, backends: &[Backend]) -> Vec<Backend> {
        backends.iter().copied().filter(|backend| self.has(*backend)).collect()
    }

    /// A namespace that nobody has used.
    pub fn namespace(&self) -> String {
        format!("{}:{}", self.name, self.names.fetch_add(1, Ordering::Relaxed))
    }

    /// The URL of a backend, for stores and tiers; SQLite's file is a new one each time.
    ///
    /// # Errors
    /// If there is no such backend.
    pub fn url(&self, backend: Backend) -> Result<String> {
        let redis = || self.redis.as_ref().ok_or("there is no Redis");
        let postgres = || self.postgres.as_ref().ok_or("there is no PostgreSQL");
        let url = match backend {
            // It never waits.
            Backend::MokaBytes | Backend::MokaTyped => return Ok("moka:?max=1GiB".to_owned()),
            Backend::Postgres => postgres()?.logged_url()?,
            Backend::PostgresAsync => postgres()?.async_url()?.ok_or(ASYNC_NEEDS)?,
            Backend::PostgresUnlogged => postgres()?.unlogged_url()?,
            Backend::RedisTcp if !self.has(backend) => {
                return Err("this Redis is reached by its Unix socket alone".into());
            }
            Backend::RedisTcp => redis()?.url().to_owned(),
            Backend::RedisUnix => {
                redis()?.socket_url().ok_or("this Redis has no Unix socket that this process can see")?
            }
            Backend::Sqlite => {
                let file = self.sqlite.path().join(format!("{}.db", self.names.fetch_add(1, Ordering::Relaxed)));
                format!("sqlite:{}", file.display())
            }
        };
        place::patient(&url)
    }

    /// A store of bytes.
    ///
    /// # Errors
    /// If there is no such backend, or it does not answer.
    pub async fn store(&self, backend: Backend) -> Result<Arc<dyn KvStore>> {
        let store = hallway::open(&self.url(backend)?).await?;
        store.ping().await?;
        Ok(store)
    }

    /// A lane with its keys written in a namespace of its own.
    ///
    /// # Errors
    /// If there is no such backend, or writing fails.
    pub async fn lane(&self, backend: Backend, shape: Shape, workload: &Arc<Workload>) -> Result<Arc<Lane>> {
        let url = self.url(backend)?;
        self.lane_at(backend, &url, shape, workload).await
    }

    /// The same at another URL, such as behind a longer wire.
    ///
    /// # Errors
    /// As [`Lab::lane`].
    pub async fn lane_at(
        &self,
        backend: Backend,
        url: &str,
        shape: Shape,
        workload: &Arc<Workload>,
    ) -> Result<Arc<Lane>> {
        let (name, workload, url) = (backend.name(), workload.clone(), StoreUrl::parse(&place::patient(url)?)?);
        let lane = match backend {
            Backend::MokaTyped => {
                let cache = OurCache::open(workload.keys() as u64 * 4, None).await?;
                Lane::prepare_cache(name, cache, workload, Driver::Threads).await?
            }
            Backend::MokaBytes => {
                let store = Arc::new(MokaStore::open_url(url)?);
                self.lane_of(name, store, shape, workload, Driver::Threads).await?
            }
            Backend::RedisTcp | Backend::RedisUnix => {
                let store = Arc::new(RedisStore::open_url(url).await?);
                self.lane_of(name, store, shape, workload, Driver::Tasks).await?
            }
            Backend::Postgres | Backend::PostgresAsync | Backend::PostgresUnlogged | Backend::Sqlite => {
                let store = Arc::new(SqlStore::open_url(url).await?);
                store.ping().await?;
                self.lane_of(name, store, shape, workload, Driver::Tasks).await?
            }
        };
        lane.verify().await?;
        Ok(Arc::new(lane))
    }

    async fn lane_of<S: KvStore>(
        &self,
        name: &str,
        store: Arc<S>,
        shape: Shape,
        workload: Arc<Workload>,
        driver: Driver,
    ) -> Result<Lane> {
        let namespace = self.namespace();
        match shape {
            Shape::Bytes => Lane::prepare(name, Ours::new(store, namespace), workload, driver).await,
            Shape::Decoded => Lane::prepare(name, Typed::new(store, namespace), workload, driver).await,
        }
    }

    /// A cell in which a lane of a backend runs a plan, [`injected`](Self::injected) once.
    #[must_use]
    pub fn cell(&self, backend: Backend, lane: &Arc<Lane>, plan: Plan) -> Cell {
        self.injected(backend, Cell::of_lane(Arc::clone(lane), plan), 1.0)
    }

    /// A cell that calls a backend so often in each iteration, one call after the other: slowed down if that was asked
    /// for, and telling what it would take if that was supposed. Calls at the same time count once.
    #[must_use]
    pub fn injected(&self, backend: Backend, cell: Cell, calls: f64) -> Cell {
        let delay = |injection: Option<Injection>| {
            injection.filter(|injection| injection.backend == backend).map(|injection| injection.delay.mul_f64(calls))
        };
        let cell = match delay(self.injection) {
            Some(delay) => cell.delayed(delay),
            None => cell,
        };
        cell.supposing(delay(self.supposed).unwrap_or_default())
    }

    /// What was to be slowed down.
    #[must_use]
    pub fn injection(&self) -> Option<Injection> {
        self.injection
    }

    /// The stores with what was read back from them. To be asked before and after a study; [`changes`] compares.
    ///
    /// # Errors
    /// If a server does not answer, or has another setting than was asked for: what was measured there is void.
    pub async fn servers(&self) -> Result<Vec<Server>> {
        readback::servers(self).await
    }

    /// What the stores of a study are, so that it goes on with the same ones: every backend that there is, and each
    /// server by the name it has for itself. The study's own servers are alike.
    #[must_use]
    pub fn identity(&self) -> String {
        let backends: Vec<_> = self.present(&Backend::ALL).into_iter().map(Backend::name).collect();
        let redis = self.redis.as_ref().map_or_else(|| "no redis".to_owned(), Redis::identity);
        let postgres = self.postgres.as_ref().map_or_else(|| "no postgres".to_owned(), Postgres::identity);
        format!("{redis}, {postgres}: {}", backends.join(" "))
    }

    /// Takes away what the study has written into servers that go on. May be called at any time and more than once;
    /// a store that is opened after it makes its table again.
    ///
    /// # Errors
    /// If a server does not answer any more; what can be taken away from the other one is gone all the same.
    pub async fn clear(&self) -> Result<()> {
        let redis = match self.redis.as_ref().filter(|redis| redis.origin() != Origin::Started) {
            Some(redis) => redis.clear(&self.name).await.map_err(|failure| {
                format!("entries of {} and copy:{} may be left behind in Redis: {failure}", self.name, self.name)
            }),
            None => Ok(()),
        };
        let postgres = match self.postgres.as_ref().filter(|postgres| postgres.origin() != Origin::Started) {
            Some(postgres) => postgres.clear().await.map_err(|failure| failure.to_string()),
            None => Ok(()),
        };
        match [redis.err(), postgres.err()].into_iter().flatten().collect::<Vec<_>>() {
            failures if failures.is_empty() => Ok(()),
            failures => Err(failures.join("; ").into()),
        }
    }

    /// How much longer each call of an injected backend takes.
    #[must_use]
    pub fn injected_delay(&self, backend: Backend) -> Duration {
        self.injection
            .filter(|injection| injection.backend == backend)
            .map_or(Duration::ZERO, |injection| injection.delay)
    }
}

fn keep<T>(what: &str, found: std::result::Result<T, Failure>, absent: &mut Vec<NotMeasured>) -> Option<T> {
    match found {
        Ok(found) => Some(found),
        Err(why) => {
            absent.push(NotMeasured { what: what.to_owned(), why: why.to_string() });
            None
        }
    }
}

#[cfg(test)]
mod tests;
