//! Where Redis and PostgreSQL are: named, found or started.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hallway_testkit::servers::{PostgresOptions, PostgresServer, RedisOptions, RedisServer};
use sqlx::postgres::{PgConnectOptions, PgConnection};
use sqlx::{ConnectOptions as _, Connection as _};

use crate::{Failure, Result};

/// How long a server that might be there may take to say so.
const PATIENCE: Duration = Duration::from_millis(500);
/// How long a server that was named may take.
const LONG_PATIENCE: Duration = Duration::from_secs(10);
/// Where Redis usually listens, and its socket.
const REDIS_PORT: u16 = 6379;
const REDIS_SOCKETS: [&str; 2] = ["/run/redis/redis-server.sock", "/var/run/redis/redis.sock"];

/// Which server to use.
#[derive(Debug, Clone, Default)]
pub enum Choice {
    /// One that answers where such servers usually do, without a password.
    #[default]
    Find,
    /// None.
    None,
    /// A private one, gone with the study.
    Start,
    /// This one.
    Url(String),
}

/// Where a server comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// It was running.
    Found,
    /// It was named.
    Given,
    /// The study started it.
    Started,
}

impl Origin {
    /// As it stands in reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Found => "found",
            Self::Given => "given",
            Self::Started => "started",
        }
    }
}

/// A Redis to measure.
#[derive(Debug)]
pub struct Redis {
    url: String,
    addr: Option<SocketAddr>,
    socket: Option<PathBuf>,
    server: Option<RedisServer>,
    origin: Origin,
}

impl Redis {
    /// Its URL over TCP.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The address, if it is reached over plain TCP, where a proxy can stand.
    #[must_use]
    pub fn addr(&self) -> Option<SocketAddr> {
        self.addr
    }

    /// Its Unix socket, if this process can see it.
    #[must_use]
    pub fn socket(&self) -> Option<&Path> {
        self.socket.as_deref()
    }

    /// The URL of the socket.
    #[must_use]
    pub fn socket_url(&self) -> Option<String> {
        self.socket.as_ref().map(|socket| format!("redis+unix://{}", socket.display()))
    }

    /// Where it comes from.
    #[must_use]
    pub fn origin(&self) -> Origin {
        self.origin
    }

    /// The server, if it is the study's.
    #[must_use]
    pub fn started(&self) -> Option<&RedisServer> {
        self.server.as_ref()
    }
}

/// A PostgreSQL to measure.
#[derive(Debug)]
pub struct Postgres {
    url: String,
    server: Option<PostgresServer>,
    origin: Origin,
}

/// The database of a private server that does not wait for the disk.
const ASYNC_DATABASE: &str = "hallway_study_async";

impl Postgres {
    /// Its URL.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    pub(super) fn logged_url(&self) -> String {
        with_option(&self.url, "table", "hallway_study")
    }

    pub(super) fn unlogged_url(&self) -> String {
        with_option(&self.url, "table", "hallway_study_unlogged")
    }

    pub(super) fn async_url(&self) -> Option<String> {
        Some(with_option(&self.server.as_ref()?.url_of(ASYNC_DATABASE), "table", "hallway_study_async"))
    }

    /// Where it comes from.
    #[must_use]
    pub fn origin(&self) -> Origin {
        self.origin
    }

    /// The server, if it is the study's.
    #[must_use]
    pub fn started(&self) -> Option<&PostgresServer> {
        self.server.as_ref()
    }

    /// The address, if it is reached over plain TCP on this machine, where a proxy can stand.
    #[must_use]
    pub fn addr(&self) -> Option<SocketAddr> {
        self.server.as_ref().map(PostgresServer::addr)
    }

    /// A connection of its own, for what a store does not do.
    ///
    /// # Errors
    /// If it does not answer.
    pub async fn connect(&self) -> Result<PgConnection> {
        Ok(options(&self.url)?.connect().await?)
    }

    /// One to the database that does not wait for the disk.
    ///
    /// # Errors
    /// If it does not answer, or there is none.
    pub async fn connect_async(&self) -> Result<PgConnection> {
        let url = self.async_url().ok_or("only a private server has such a database")?;
        Ok(options(&url)?.connect().await?)
    }

    pub(super) async fn set_unlogged(&self) -> Result<()> {
        let mut connection = self.connect().await?;
        sqlx::query("ALTER TABLE hallway_study_unlogged SET UNLOGGED").execute(&mut connection).await?;
        Ok(connection.close().await?)
    }

    pub(super) async fn drop_tables(&self) -> Result<()> {
        let mut connection = self.connect().await?;
        // Each with the table of what is owed to a shared tier.
        for table in [
            "DROP TABLE IF EXISTS hallway_study",
            "DROP TABLE IF EXISTS hallway_study_outbox",
            "DROP TABLE IF EXISTS hallway_study_unlogged",
            "DROP TABLE IF EXISTS hallway_study_unlogged_outbox",
        ] {
            sqlx::query(table).execute(&mut connection).await?;
        }
        Ok(connection.close().await?)
    }
}

/// The inner result says why there is none, which is no failure of the study.
pub(super) async fn redis(choice: &Choice) -> Result<std::result::Result<Redis, Failure>> {
    match choice {
        Choice::None => Ok(Err("left out by --no-servers".into())),
        Choice::Find => {
            let url = format!("redis://127.0.0.1:{REDIS_PORT}");
            let addr = Some(SocketAddr::from((Ipv4Addr::LOCALHOST, REDIS_PORT)));
            match answers(&url, PATIENCE).await {
                Ok(()) => {
                    let socket = REDIS_SOCKETS.iter().map(PathBuf::from).find(|path| path.exists());
                    Ok(Ok(Redis { url, addr, socket, server: None, origin: Origin::Found }))
                }
                Err(_) => Ok(Err("no Redis answers at 127.0.0.1:6379; name one by --redis URL, or use --start".into())),
            }
        }
        Choice::Start => {
            let server = RedisServer::start(RedisOptions::default())?;
            let (url, addr, socket) = (server.url(), Some(server.addr()), Some(server.socket()));
            Ok(Ok(Redis { url, addr, socket, server: Some(server), origin: Origin::Started }))
        }
        Choice::Url(url) => {
            answers(url, LONG_PATIENCE).await?;
            Ok(Ok(Redis {
                url: url.clone(),
                addr: plain_addr(url).await,
                socket: None,
                server: None,
                origin: Origin::Given,
            }))
        }
    }
}

pub(super) async fn postgres(choice: &Choice) -> Result<std::result::Result<Postgres, Failure>> {
    match choice {
        Choice::None => Ok(Err("left out by --no-servers".into())),
        Choice::Find => {
            let user = std::env::var("USER").unwrap_or_default();
            for user in ["postgres", &user].into_iter().filter(|user| !user.is_empty()) {
                let url = format!("postgres://{user}@127.0.0.1:5432/postgres");
                if answers(&url, PATIENCE).await.is_ok() {
                    return Ok(Ok(Postgres { url, server: None, origin: Origin::Found }));
                }
            }
            Ok(Err("no PostgreSQL lets us in at 127.0.0.1:5432 without a password; name one by --postgres URL, or use --start".into()))
        }
        Choice::Start => {
            let server = PostgresServer::start(PostgresOptions::default())?;
            server.try_psql(&format!("CREATE DATABASE {ASYNC_DATABASE}"))?;
            server.try_psql(&format!("ALTER DATABASE {ASYNC_DATABASE} SET synchronous_commit = off"))?;
            Ok(Ok(Postgres { url: server.url(), server: Some(server), origin: Origin::Started }))
        }
        Choice::Url(url) => {
            answers(url, LONG_PATIENCE).await?;
            Ok(Ok(Postgres { url: url.clone(), server: None, origin: Origin::Given }))
        }
    }
}

/// Whether a store answers there. Looking makes no table.
async fn answers(url: &str, patience: Duration) -> Result<()> {
    let url = if url.starts_with("postgres") { with_option(url, "migrate", "off") } else { url.to_owned() };
    let open = async { hallway::open(&url).await?.time().await };
    match tokio::time::timeout(patience, open).await {
        Ok(answer) => Ok(answer.map(|_| ())?),
        Err(_) => Err(format!("no answer within {patience:?}").into()),
    }
}

/// Where a plain `redis://` leads, if that is this machine.
async fn plain_addr(url: &str) -> Option<SocketAddr> {
    let url = hallway::StoreUrl::parse(url).ok()?;
    if url.scheme() != "redis" || url.as_url().password().is_some() {
        return None;
    }
    let host = url.as_url().host_str()?.to_owned();
    let port = url.as_url().port().unwrap_or(REDIS_PORT);
    tokio::net::lookup_host((host, port)).await.ok()?.next()
}

/// A machine that is measured is busy: a call may take longer than an application would wait.
pub(super) fn patient(url: &str) -> String {
    let mut patient = url.to_owned();
    if !url.contains("deadline=") {
        patient = with_option(&patient, "deadline", "10s");
    }
    // Another connection is opened for the first large value, while 32 tasks write.
    if url.starts_with("redis") && !url.contains("connect_timeout=") {
        patient = with_option(&patient, "connect_timeout", "10s");
    }
    patient
}

fn with_option(url: &str, name: &str, value: &str) -> String {
    let separator = if url.contains('?') { '&' } else { '?' };
    format!("{url}{separator}{name}={value}")
}

/// sqlx's options for one of our URLs: what only a store knows is not for it.
fn options(url: &str) -> Result<PgConnectOptions> {
    const THEIRS: [&str; 4] = ["host", "sslmode", "user", "password"];
    let parsed = hallway::StoreUrl::parse(url)?;
    let mut plain = parsed.as_url().clone();
    let kept: Vec<(String, String)> = parsed
        .as_url()
        .query_pairs()
        .filter(|(name, _)| THEIRS.contains(&&**name))
        .map(|(name, value)| (name.into_owned(), value.into_owned()))
        .collect();
    plain.set_query(None);
    if !kept.is_empty() {
        plain.query_pairs_mut().extend_pairs(kept);
    }
    Ok(PgConnectOptions::from_url(&plain)?.disable_statement_logging())
}

pub(super) fn now_secs() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
