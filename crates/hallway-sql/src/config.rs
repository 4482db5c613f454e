//! What a store is made of, and the URL form of it.

use std::fmt;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use hallway_core::{Error, ErrorKind, Result, StoreUrl, ValueCap};

use crate::schema::Migrate;
use crate::store::SqlStore;
use crate::table::Table;
#[cfg(feature = "postgres")]
use crate::tls::Security;

/// When SQLite says that a write is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Durability {
    /// When it is on the disk: `synchronous=FULL`.
    #[default]
    Full,
    /// When it is in the log: a power failure may take the last writes, never the consistency. `synchronous=NORMAL`.
    Normal,
}

impl FromStr for Durability {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "full" => Ok(Self::Full),
            "normal" => Ok(Self::Normal),
            _ => Err(Error::invalid_config("option `synchronous` needs full or normal")),
        }
    }
}

/// The database a store lives in.
#[derive(Clone)]
pub(crate) enum Target {
    #[cfg(feature = "sqlite")]
    File(PathBuf),
    #[cfg(feature = "sqlite")]
    Memory,
    #[cfg(feature = "postgres")]
    Postgres(Box<crate::tls::Server>),
    #[cfg(all(feature = "sqlite", feature = "sqlx-09"))]
    SqlitePool(sqlx::SqlitePool),
    #[cfg(all(feature = "postgres", feature = "sqlx-09"))]
    PgPool(sqlx::PgPool),
    #[cfg(not(any(feature = "sqlite", feature = "postgres")))]
    None(std::convert::Infallible),
}

/// How a [`SqlStore`] is opened.
///
/// `Debug` shows neither user name nor password.
#[derive(Clone)]
pub struct SqlConfig {
    pub(crate) target: Target,
    pub(crate) table: String,
    pub(crate) migrate: Migrate,
    pub(crate) deadline: Duration,
    pub(crate) max_value: ValueCap,
    pub(crate) readers: Option<usize>,
    pub(crate) statement_timeout: Duration,
    pub(crate) sweep: Option<Duration>,
    pub(crate) durability: Durability,
    pub(crate) pgbouncer: bool,
}

impl SqlConfig {
    pub(crate) fn new(target: Target) -> Self {
        Self {
            target,
            table: Table::default().name().to_owned(),
            migrate: Migrate::default(),
            deadline: Duration::from_secs(5),
            max_value: ValueCap::default(),
            readers: None,
            statement_timeout: Duration::from_secs(2),
            sweep: Some(Duration::from_secs(60)),
            durability: Durability::default(),
            pgbouncer: false,
        }
    }

    /// A SQLite database in a file, made if it is missing. Its folder must exist.
    #[cfg(feature = "sqlite")]
    #[must_use]
    pub fn sqlite(path: impl Into<PathBuf>) -> Self {
        Self::new(Target::File(path.into()))
    }

    /// A SQLite database in memory that ends with the store.
    #[cfg(feature = "sqlite")]
    #[must_use]
    pub fn sqlite_memory() -> Self {
        Self::new(Target::Memory)
    }

    /// A store from its URL: `sqlite:app.db`, `sqlite::memory:`, `postgres://user:password@host/database`.
    ///
    /// Host, port, database, password and TLS mode of PostgreSQL come from the URL alone, never from `PG*` variables
    /// or a password file, and `PGOPTIONS` is refused. Only what the URL leaves open is taken from the environment: a
    /// client certificate (`PGSSLCERT`, `PGSSLKEY`), authorities without `ca` (`PGSSLROOTCERT`), and the user
    /// (`PGUSER`, or the account's name).
    ///
    /// # Errors
    /// `InvalidConfig` for what cannot work, naming the option; `MissingFeature` for what is not compiled in.
    pub fn from_url(mut url: StoreUrl) -> Result<Self> {
        let mut config = match url.scheme() {
            "sqlite" => sqlite_from_url(&mut url)?,
            "postgres" | "postgresql" => postgres_from_url(&mut url)?,
            other => {
                return Err(Error::invalid_config(format!(
                    "`{other}` is not a SQL scheme; use sqlite:, postgres:// or postgresql://"
                )));
            }
        };
        if let Some(table) = url.take("table") {
            config.table = table;
        }
        if let Some(migrate) = url.take("migrate") {
            config.migrate = migrate.parse()?;
        }
        if let Some(deadline) = url.take_duration("deadline")? {
            config.deadline = deadline;
        }
        if let Some(bytes) = url.take_size("max_value")? {
            config.max_value = ValueCap::new(bytes)?;
        }
        if let Some(timeout) = url.take_duration("statement_timeout")? {
            config.statement_timeout = timeout;
        }
        let readers: Option<usize> = url.take_parsed("readers", "a whole number from 1 to 64")?;
        let connections: Option<usize> = url.take_parsed("connections", "a whole number from 1 to 64")?;
        config.readers = match (readers, connections) {
            (Some(_), Some(_)) => {
                return Err(Error::invalid_config(
                    "options `readers` and `connections` say the same; give one of them",
                ));
            }
            (readers, connections) => readers.or(connections),
        };
        config.sweep = match url.take("sweep").as_deref() {
            None => config.sweep,
            Some("off") => None,
            Some(text) => match humantime::parse_duration(text) {
                Ok(interval) => Some(interval),
                Err(_) => {
                    return Err(Error::invalid_config("option `sweep` needs off, or an interval such as 60s or 5m"));
                }
            },
        };
        url.finish()?;
        config.check()?;
        Ok(config)
    }

    /// The table. Default: `hallway_kv`.
    #[must_use]
    pub fn with_table(mut self, table: impl Into<String>) -> Self {
        self.table = table.into();
        self
    }

    /// What opening does about the table. Default: [`Migrate::Run`].
    #[must_use]
    pub fn with_migrate(mut self, migrate: Migrate) -> Self {
        self.migrate = migrate;
        self
    }

    /// How long a call may take. Default: 5 s.
    #[must_use]
    pub fn with_deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
        self
    }

    /// How large a value may be. Default: 1 MiB.
    #[must_use]
    pub fn with_max_value(mut self, max_value: ValueCap) -> Self {
        self.max_value = max_value;
        self
    }

    /// Connections for reads, beside those for writes. Default: 2 for SQLite, 3 for PostgreSQL; more help only when
    /// the database is far away.
    #[must_use]
    pub fn with_readers(mut self, readers: usize) -> Self {
        self.readers = Some(readers);
        self
    }

    /// How long PostgreSQL may work on a statement; how long SQLite waits for its lock, and works on once its caller has
    /// given up. Default: 2 s.
    #[must_use]
    pub fn with_statement_timeout(mut self, timeout: Duration) -> Self {
        self.statement_timeout = timeout;
        self
    }

    /// How often expired entries are looked for and deleted, give or take a half; `None` is never. Default: 60 s.
    ///
    /// Nothing depends on it but the size of the table.
    #[must_use]
    pub fn with_sweep(mut self, interval: Option<Duration>) -> Self {
        self.sweep = interval;
        self
    }

    /// When SQLite says that a write is done. Default: [`Durability::Full`].
    #[must_use]
    pub fn with_durability(mut self, durability: Durability) -> Self {
        self.durability = durability;
        self
    }

    /// Whether PgBouncer in transaction mode stands before PostgreSQL. Default: false, and found out at the first
    /// connection.
    #[must_use]
    pub fn with_pgbouncer(mut self, pgbouncer: bool) -> Self {
        self.pgbouncer = pgbouncer;
        self
    }

    /// The store. It connects in the background and inside the first call.
    ///
    /// # Errors
    /// `InvalidConfig` for what cannot work, naming the option.
    pub fn open(self) -> Result<SqlStore> {
        SqlStore::from_config(self)
    }

    /// How long SQLite waits for its lock: short enough that a call hears of it before its deadline.
    pub(crate) fn busy_timeout(&self) -> Duration {
        self.statement_timeout.min(self.deadline.mul_f64(0.75))
    }

    pub(crate) fn check(&self) -> Result<()> {
        Table::new(&self.table)?;
        if self.deadline.is_zero() {
            return Err(Error::invalid_config("option `deadline` must be longer than 0"));
        }
        if self.statement_timeout < Duration::from_millis(1) || self.statement_timeout > Duration::from_secs(600) {
            return Err(Error::invalid_config("option `statement_timeout` needs 1 ms to 10 min"));
        }
        if self.readers.is_some_and(|readers| !(1..=64).contains(&readers)) {
            return Err(Error::invalid_config("option `readers` needs a whole number from 1 to 64"));
        }
        if self.sweep.is_some_and(|interval| interval < Duration::from_millis(10)) {
            return Err(Error::invalid_config("option `sweep` needs at least 10 ms"));
        }
        Ok(())
    }
}

impl fmt::Debug for SqlConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqlConfig")
            .field("target", &self.target)
            .field("table", &self.table)
            .field("migrate", &self.migrate)
            .field("deadline", &self.deadline)
            .field("max_value", &self.max_value)
            .field("readers", &self.readers)
            .field("statement_timeout", &self.statement_timeout)
            .field("sweep", &self.sweep)
            .field("durability", &self.durability)
            .field("pgbouncer", &self.pgbouncer)
            .finish()
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            #[cfg(feature = "sqlite")]
            Self::File(path) => write!(f, "sqlite:{}", path.display()),
            #[cfg(feature = "sqlite")]
            Self::Memory => f.write_str("sqlite::memory:"),
            #[cfg(feature = "postgres")]
            Self::Postgres(server) => server.fmt(f),
            #[cfg(all(feature = "sqlite", feature = "sqlx-09"))]
            Self::SqlitePool(_) => f.write_str("a SQLite pool"),
            #[cfg(all(feature = "postgres", feature = "sqlx-09"))]
            Self::PgPool(_) => f.write_str("a PostgreSQL pool"),
            #[cfg(not(any(feature = "sqlite", feature = "postgres")))]
            Self::None(never) => match *never {},
        }
    }
}

#[cfg(all(feature = "sqlite", feature = "sqlx-09"))]
impl From<sqlx::SqlitePool> for SqlConfig {
    fn from(pool: sqlx::SqlitePool) -> Self {
        Self::new(Target::SqlitePool(pool))
    }
}

#[cfg(all(feature = "postgres", feature = "sqlx-09"))]
impl From<sqlx::PgPool> for SqlConfig {
    fn from(pool: sqlx::PgPool) -> Self {
        Self::new(Target::PgPool(pool))
    }
}

/// What is not compiled in, under the name its feature has for users.
pub(crate) fn missing(feature: &str) -> Error {
    Error::new(ErrorKind::MissingFeature, format!("built without `{feature}`; enable feature `{feature}` of hallway"))
}

#[cfg(not(feature = "sqlite"))]
fn sqlite_from_url(_: &mut StoreUrl) -> Result<SqlConfig> {
    Err(missing("sqlite"))
}

#[cfg(feature = "sqlite")]
fn sqlite_from_url(url: &mut StoreUrl) -> Result<SqlConfig> {
    let durability = url.take("synchronous").map_or(Ok(Durability::Full), |text| text.parse())?;
    let parsed = url.as_url();
    if !parsed.username().is_empty() || parsed.password().is_some() || parsed.port().is_some() {
        return Err(Error::invalid_config(
            "a SQLite database has no user, password or port; write sqlite:path/to/app.db",
        ));
    }
    // `sqlite://app.db` is how many write a relative path.
    let host = PathBuf::from(parsed.host_str().unwrap_or(""));
    let path = match url.path() {
        path if host.as_os_str().is_empty() => path,
        path => PathBuf::from(format!("{}{}", host.display(), path.display())),
    };
    if path.as_os_str() == ":memory:" {
        return Ok(SqlConfig::sqlite_memory());
    }
    if path.as_os_str().is_empty() {
        return Err(Error::invalid_config("the store URL names no file; write sqlite:app.db or sqlite::memory:"));
    }
    Ok(SqlConfig::sqlite(path).with_durability(durability))
}

#[cfg(not(feature = "postgres"))]
fn postgres_from_url(_: &mut StoreUrl) -> Result<SqlConfig> {
    Err(missing("postgres"))
}

#[cfg(feature = "postgres")]
fn postgres_from_url(url: &mut StoreUrl) -> Result<SqlConfig> {
    let pgbouncer = url.take_bool("pgbouncer")?.unwrap_or(false);
    let socket = url.take("host").map(PathBuf::from);
    let security = Security {
        mode: url.take("sslmode"),
        ca: url.take("ca").map(PathBuf::from),
        allow_plaintext: url.take_bool("allow_plaintext")?.unwrap_or(false),
        allow_unverified: url.take_bool("allow_unverified_tls")?.unwrap_or(false),
    };
    let server = crate::tls::Server::from_url(url, socket, security)?;
    Ok(SqlConfig::new(Target::Postgres(Box::new(server))).with_pgbouncer(pgbouncer))
}
