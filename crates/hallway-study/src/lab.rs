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
use hallway::{KvStore, Prefix, StoreUrl};
use tempfile::TempDir;

pub use self::backend::Backend;
pub use self::controls::{GROUP as CONTROL_GROUP, Injection, SERIES as CONTROL_SERIES, SLOWER, controls};
pub use self::environment::{Watch, processor};
pub use self::place::{Choice, Origin, Postgres, Redis};
pub use self::replay::{Replay, Replayed, Replaying};
pub use self::tiers::Tiers;
pub use self::wire::Profile;
use crate::load::contenders::{OurCache, Ours, Typed};
use crate::load::{Driver, Lane, Plan, Workload};
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
}

/// The stores of a study.
#[derive(Debug)]
pub struct Lab {
    redis: Option<Redis>,
    postgres: Option<Postgres>,
    sqlite: TempDir,
    /// In front of all names, so that nobody else's entries are met.
    name: String,
    names: AtomicU64,
    injection: Option<Injection>,
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
        let mut absent = Vec::new();
        let redis = keep("redis", place::redis(&choices.redis).await?, &mut absent);
        let postgres = keep("postgres", place::postgres(&choices.postgres).await?, &mut absent);
        let sqlite = TempDir::with_prefix_in("sqlite-", out)
            .map_err(|error| format!("cannot make a folder in {}: {error}", out.display()))?;
        let name = format!("study{:x}", std::process::id() ^ place::now_secs() as u32);
        Ok(Self { redis, postgres, sqlite, name, names: AtomicU64::new(0), injection, absent, traces: Vec::new() })
    }

    /// The same with key logs of the user's, whose hit ratios are studied beside those of the built-in streams.
    #[must_use]
    pub fn with_traces(mut self, traces: Vec<PathBuf>) -> Self {
        self.traces = traces;
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
            Backend::RedisTcp => self.redis.is_some(),
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
            Backend::Postgres => postgres()?.logged_url(),
            Backend::PostgresAsync => postgres()?.async_url().ok_or(
                "a database that does not wait for the disk is made only on a server that the study starts; use --start",
            )?,
            Backend::PostgresUnlogged => postgres()?.unlogged_url(),
            Backend::RedisTcp => redis()?.url().to_owned(),
            Backend::RedisUnix => {
                redis()?.socket_url().ok_or("this Redis has no Unix socket that this process can see")?
            }
            Backend::Sqlite => {
                let file = self.sqlite.path().join(format!("{}.db", self.names.fetch_add(1, Ordering::Relaxed)));
                format!("sqlite:{}", file.display())
            }
        };
        Ok(place::patient(&url))
    }

    /// A store of bytes.
    ///
    /// # Errors
    /// If there is no such backend, or it does not answer.
    pub async fn store(&self, backend: Backend) -> Result<Arc<dyn KvStore>> {
        let store = hallway::open(&self.url(backend)?).await?;
        self.make_ready(backend, &*store).await?;
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
        let (name, workload, url) = (backend.name(), workload.clone(), StoreUrl::parse(&place::patient(url))?);
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
                self.make_ready(backend, &*store).await?;
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

    /// A cell in which a lane of a backend runs a plan, slowed down if that was asked for.
    #[must_use]
    pub fn cell(&self, backend: Backend, lane: &Arc<Lane>, plan: Plan) -> Cell {
        self.injected(backend, Cell::of_lane(Arc::clone(lane), plan), 1)
    }

    /// A cell that calls a backend so often in each iteration, slowed down if that was asked for.
    #[must_use]
    pub fn injected(&self, backend: Backend, cell: Cell, calls: u32) -> Cell {
        match &self.injection {
            Some(injection) if injection.backend == backend => cell.delayed(injection.delay * calls),
            _ => cell,
        }
    }

    /// What was to be slowed down.
    #[must_use]
    pub fn injection(&self) -> Option<Injection> {
        self.injection
    }

    async fn make_ready(&self, backend: Backend, store: &dyn KvStore) -> Result<()> {
        store.ping().await?;
        if backend == Backend::PostgresUnlogged
            && let Some(server) = &self.postgres
        {
            server.set_unlogged().await?;
        }
        Ok(())
    }

    /// The stores with what was read back from them.
    ///
    /// # Errors
    /// If a server does not tell, or has another setting than was asked for: what was measured there is void.
    pub async fn servers(&self) -> Result<Vec<Server>> {
        readback::servers(self).await
    }

    /// Takes away what the study has written into servers that go on.
    ///
    /// # Errors
    /// If a server does not answer any more.
    pub async fn clear(&self) -> Result<()> {
        if let Some(redis) = self.redis.as_ref().filter(|redis| redis.origin() != Origin::Started) {
            let store = hallway::open(redis.url()).await?;
            store.clear(&Prefix::new(&self.name)?).await?;
            // Copies of what is in SQL.
            store.clear(&Prefix::new(&format!("copy:{}", self.name))?).await?;
        }
        if let Some(postgres) = self.postgres.as_ref().filter(|postgres| postgres.origin() != Origin::Started) {
            postgres.drop_tables().await?;
        }
        Ok(())
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
