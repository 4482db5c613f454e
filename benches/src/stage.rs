//! Opens the contenders of one store side by side, on private servers with their default durability.

mod tiers;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use hallway::moka::MokaStore;
use hallway::redis::RedisStore;
use hallway::sql::SqlStore;
use hallway::{KvStore, StoreUrl};
use hallway_testkit::DelayProxy;
use hallway_testkit::servers::{PostgresOptions, PostgresServer, RedisOptions, RedisServer};
use tempfile::TempDir;

use crate::contenders::local::RawMoka;
use crate::contenders::redis::RawRedis;
use crate::contenders::sql::{RawPostgres, RawSqlite};
use crate::{Contender, Driver, Lane, Op, Result, Workload};
use hallway_study::load::contenders::{Ours, OursAtOnce};
use hallway_study::placement::Awake;

/// How far away [`Store::PostgresAway`] is: what a query waits for the network, there and back.
const ROUND_TRIP: Duration = Duration::from_micros(500);

/// The usual size of a value in a store.
pub(crate) const VALUE_BYTES: usize = 128;

/// The usual size of a value in a cache.
pub(crate) const CACHED_BYTES: usize = 1 << 10;

/// A kind of store, with the place where it runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Store {
    /// A cache whose hot set fits into this process: 1,000 keys.
    CacheHot,
    /// A cache over this process and Redis; one key in ten of 50,000 fits into this process.
    CacheShared,
    /// A cache with 100,000 keys in this process, all equally likely.
    CacheWide,
    /// In this process.
    Moka,
    /// PostgreSQL over loopback.
    Postgres,
    /// PostgreSQL half a millisecond away.
    PostgresAway,
    /// Redis over loopback.
    Redis,
    /// SQLite in a file.
    Sqlite,
    /// Tiers over this process and PostgreSQL, read with the promise of consistency.
    TieredPostgres,
}

impl Store {
    /// As it stands in ids.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::CacheHot | Self::CacheShared | Self::CacheWide | Self::TieredPostgres => "tiers",
            Self::Moka => "moka",
            Self::Postgres | Self::PostgresAway => "postgres",
            Self::Redis => "redis",
            Self::Sqlite => "sqlite",
        }
    }

    /// The keys and values that its goals are measured with, or values of another size.
    ///
    /// # Panics
    /// If values of so few bytes cannot be told apart.
    #[must_use]
    pub fn workload(self, value_bytes: Option<usize>) -> Workload {
        let cached = value_bytes.unwrap_or(CACHED_BYTES);
        match self {
            Self::CacheHot => Workload::new(1_000, cached, 1),
            Self::CacheShared => Workload::new(50_000, cached, 1),
            Self::CacheWide => Workload::new(100_000, cached, 1),
            Self::Moka | Self::Postgres | Self::PostgresAway | Self::Redis | Self::Sqlite | Self::TieredPostgres => {
                Workload::new(1_000, value_bytes.unwrap_or(VALUE_BYTES), 8)
            }
        }
    }
}

/// The contenders of one store, their keys written.
#[derive(Debug)]
pub struct Lanes {
    /// hallway's store with `try_get`; only where that can hit.
    pub at_once: Option<Lane>,
    /// The parts of a cache without its promises; only where it is more than one of them.
    pub bare: Option<Lane>,
    /// hallway's store, or cache, through its own type.
    pub ours: Lane,
    /// hallway's store as `dyn KvStore`; a cache is none.
    pub ours_dyn: Option<Lane>,
    /// The server process, if there is one.
    pub server: Option<u32>,
    raw: Lane,
    // sqlx on SQLite writes with a smaller pool than it reads with.
    raw_writer: Option<Lane>,
}

impl Lanes {
    /// The library beneath, set up for this operation.
    #[must_use]
    pub fn raw(&self, op: Op) -> &Lane {
        match (&self.raw_writer, op) {
            (Some(writer), Op::Set) => writer,
            _ => &self.raw,
        }
    }

    /// All of them.
    pub fn all(&self) -> impl Iterator<Item = &Lane> {
        let others = [&self.ours_dyn, &self.at_once, &self.bare, &self.raw_writer];
        [&self.ours, &self.raw].into_iter().chain(others.into_iter().flatten())
    }
}

/// The servers and files of a run; each is started when it is first asked for and gone with this value. While there is
/// one the cores of the machine stay awake, if this process may have them do so: waking one takes longer than many an
/// operation that is measured, and not as long each time.
pub struct Stage {
    awake: std::io::Result<Awake>,
    redis: Option<RedisServer>,
    postgres: Option<PostgresServer>,
    away: Option<DelayProxy>,
    files: Vec<TempDir>,
}

impl fmt::Debug for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stage").field("redis", &self.redis).field("postgres", &self.postgres).finish_non_exhaustive()
    }
}

impl Default for Stage {
    fn default() -> Self {
        Self { awake: Awake::keep(), redis: None, postgres: None, away: None, files: Vec::new() }
    }
}

impl Stage {
    /// Why the cores are not kept awake, if they are not.
    #[must_use]
    pub fn asleep(&self) -> Option<&std::io::Error> {
        self.awake.as_ref().err()
    }

    /// Opens the contenders of a store and writes their keys.
    ///
    /// Starting a server blocks, so this belongs outside of the workers.
    ///
    /// # Errors
    /// If a server is not installed (the message names the package) or a contender does not work.
    pub async fn lanes(&mut self, store: Store, workload: &Arc<Workload>) -> Result<Lanes> {
        match store {
            Store::CacheHot | Store::CacheWide => tiers::local(workload).await,
            Store::CacheShared => {
                let server = self.start_redis()?;
                tiers::shared(&server.url(), server.pid(), workload).await
            }
            Store::Moka => moka(workload).await,
            Store::Postgres => {
                let server = self.start_postgres()?;
                let (url, pid) = (server.url(), server.pid());
                postgres(&url, pid, workload).await
            }
            Store::TieredPostgres => {
                let server = self.start_postgres()?;
                let (url, pid) = (server.url(), server.pid());
                tiers::consistent(&url, pid, workload).await
            }
            Store::PostgresAway => {
                let server = self.start_postgres()?;
                let (url, addr, pid) = (server.url(), server.addr(), server.pid());
                if self.away.is_none() {
                    self.away = Some(DelayProxy::start(addr, ROUND_TRIP)?);
                }
                let away = self.away.as_ref().ok_or("the proxy was started just above")?;
                postgres(&url.replace(&format!(":{}/", addr.port()), &format!(":{}/", away.port())), pid, workload)
                    .await
            }
            Store::Redis => {
                let server = self.start_redis()?;
                redis(&server.url(), server.pid(), workload).await
            }
            Store::Sqlite => {
                let folder = tempfile::Builder::new().prefix("hallway-bench-").tempdir()?;
                let lanes = sqlite(&folder, workload).await;
                self.files.push(folder);
                lanes
            }
        }
    }

    /// Redis, once it was started.
    #[must_use]
    pub fn redis(&self) -> Option<&RedisServer> {
        self.redis.as_ref()
    }

    /// PostgreSQL, once it was started.
    #[must_use]
    pub fn postgres_if_started(&self) -> Option<&PostgresServer> {
        self.postgres.as_ref()
    }

    /// Redis, started if it was not yet.
    ///
    /// # Errors
    /// If it is not installed.
    pub fn start_redis(&mut self) -> Result<&RedisServer> {
        if self.redis.is_none() {
            self.redis = Some(RedisServer::start(RedisOptions::default())?);
        }
        Ok(self.redis.as_ref().ok_or("the server was started just above")?)
    }

    /// PostgreSQL, started if it was not yet.
    ///
    /// # Errors
    /// If it is not installed.
    pub fn start_postgres(&mut self) -> Result<&PostgresServer> {
        if self.postgres.is_none() {
            self.postgres = Some(PostgresServer::start(PostgresOptions::default())?);
        }
        Ok(self.postgres.as_ref().ok_or("the server was started just above")?)
    }
}

async fn moka(workload: &Arc<Workload>) -> Result<Lanes> {
    let store = Arc::new(MokaStore::open_url(StoreUrl::parse("moka:?max=256MiB")?)?);
    let at_once = OursAtOnce(Ours::new(store.clone(), "bench:at"));
    let raw = RawMoka::new(1_000_000);
    Ok(Lanes {
        at_once: Some(Lane::prepare("hallway try_get", at_once, workload.clone(), Driver::Threads).await?),
        ..lanes(store, raw, "moka", None, workload, Driver::Threads).await?
    })
}

async fn redis(url: &str, pid: Option<u32>, workload: &Arc<Workload>) -> Result<Lanes> {
    let store = Arc::new(RedisStore::open_url(StoreUrl::parse(url)?).await?);
    lanes(store, RawRedis::connect(url).await?, "redis-rs", pid, workload, Driver::Tasks).await
}

async fn postgres(url: &str, pid: Option<u32>, workload: &Arc<Workload>) -> Result<Lanes> {
    let store = Arc::new(SqlStore::open_url(StoreUrl::parse(url)?).await?);
    lanes(store, RawPostgres::connect(url).await?, "sqlx", pid, workload, Driver::Tasks).await
}

async fn sqlite(folder: &TempDir, workload: &Arc<Workload>) -> Result<Lanes> {
    let url = format!("sqlite:{}", folder.path().join("hallway.db").display());
    let store = Arc::new(SqlStore::open_url(StoreUrl::parse(&url)?).await?);
    // The pool sizes of the goals: sqlx' default for reads, four connections for writes.
    let reader = RawSqlite::open(&folder.path().join("raw.db"), 10).await?;
    let writer = RawSqlite::open(&folder.path().join("raw.db"), 4).await?;
    Ok(Lanes {
        raw_writer: Some(Lane::prepare("sqlx", writer, workload.clone(), Driver::Tasks).await?),
        ..lanes(store, reader, "sqlx", None, workload, Driver::Tasks).await?
    })
}

async fn lanes<S: KvStore, R: Contender>(
    store: Arc<S>,
    raw: R,
    raw_name: &str,
    server: Option<u32>,
    workload: &Arc<Workload>,
    driver: Driver,
) -> Result<Lanes> {
    let ours = Ours::new(store.clone(), "bench:kv");
    let ours_dyn = Ours::<dyn KvStore>::new(store, "bench:dy");
    Ok(Lanes {
        at_once: None,
        bare: None,
        ours: Lane::prepare("hallway", ours, workload.clone(), driver).await?,
        ours_dyn: Some(Lane::prepare("hallway dyn", ours_dyn, workload.clone(), driver).await?),
        raw: Lane::prepare(raw_name, raw, workload.clone(), driver).await?,
        raw_writer: None,
        server,
    })
}
