//! A PostgreSQL to measure: tables of a study's own, made before it and gone after it.

use std::fmt;
use std::net::SocketAddr;

use hallway_testkit::servers::{PostgresOptions, PostgresServer};
use sqlx::postgres::PgConnection;
use sqlx::{ConnectOptions as _, Connection as _};

use super::url::{options, with_option};
use super::{Choice, LONG_PATIENCE, Origin, PATIENCE, Placed, answers, patient, shown, slow, takes_writes, whole};
use crate::placement::Placement;
use crate::{Failure, Result};

/// The database of a private server that does not wait for the disk.
const ASYNC_DATABASE: &str = "hallway_study_async";

/// For one transaction: nobody's lock is waited for longer, and the table that the next statements are about.
const BOUND: &str = "SELECT set_config('lock_timeout', '5s', true), set_config('statement_timeout', '9s', true), \
     set_config('hallway_study.table', $1, true)";
const SET_UNLOGGED: &str = "DO $do$ BEGIN \
         EXECUTE format('ALTER TABLE %I SET UNLOGGED', current_setting('hallway_study.table')); \
     END $do$";
/// Whoever makes or upgrades a table of hallway holds the same lock: the ASCII text `hallway1`.
const LOCK: &str = "SELECT pg_advisory_xact_lock(7521962890145624369)";
/// Each with the table of what is owed to a shared tier, and with what `hallway_schema` says of it.
const DROP: &str = "DO $do$ \
     DECLARE study text := current_setting('hallway_study.table'); \
     BEGIN \
         EXECUTE format('DROP TABLE IF EXISTS %I, %I', study, study || '_outbox'); \
         EXECUTE format('DROP TABLE IF EXISTS %I, %I', study || '_unlogged', study || '_unlogged_outbox'); \
         IF to_regclass('hallway_schema') IS NOT NULL THEN \
             DELETE FROM hallway_schema WHERE store IN (study, study || '_unlogged'); \
         END IF; \
     END $do$";
/// A list of tables that the study has made goes with its last row; an application may have come to it since.
const DROP_LIST: &str = "DO $do$ BEGIN \
         IF to_regclass('hallway_schema') IS NOT NULL THEN \
             IF NOT EXISTS (SELECT FROM hallway_schema) THEN \
                 DROP TABLE hallway_schema; \
             END IF; \
         END IF; \
     END $do$";
const HAS_LIST: &str = "SELECT to_regclass('hallway_schema') IS NOT NULL";
const SYSTEM: &str = "SELECT system_identifier::text FROM pg_control_system()";
const PERSISTENCE: &str = "SELECT relpersistence::text FROM pg_class WHERE oid = to_regclass($1)";

/// A PostgreSQL to measure. `Debug` shows no password.
pub struct Postgres {
    url: String,
    /// The name of its tables, which nobody else has: the study's own name. One has it with an ending.
    table: String,
    /// Whether the list of hallway's tables was there before the study.
    had_list: bool,
    identifier: Option<String>,
    server: Option<PostgresServer>,
    origin: Origin,
}

impl Postgres {
    /// Its URL.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    pub(in crate::lab) fn logged_url(&self) -> Result<String> {
        of_table(&self.url, &self.table)
    }

    pub(in crate::lab) fn unlogged_url(&self) -> Result<String> {
        of_table(&self.url, &self.unlogged())
    }

    pub(in crate::lab) fn async_url(&self) -> Result<Option<String>> {
        self.server.as_ref().map(|server| of_table(&server.url_of(ASYNC_DATABASE), &self.table)).transpose()
    }

    fn unlogged(&self) -> String {
        format!("{}_unlogged", self.table)
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

    /// The address, if it is the study's server, where a proxy can stand.
    #[must_use]
    pub fn addr(&self) -> Option<SocketAddr> {
        self.server.as_ref().map(PostgresServer::addr)
    }

    /// What tells it from other servers; the study's own is another one each time.
    pub(in crate::lab) fn identity(&self) -> String {
        match (self.origin, &self.identifier) {
            (Origin::Started, _) => "postgres started".to_owned(),
            (_, Some(identifier)) => format!("postgres {identifier}"),
            (_, None) => format!("postgres at {}", shown(&self.url)),
        }
    }

    /// A connection of its own, for what a store does not do.
    ///
    /// # Errors
    /// If it does not answer.
    pub async fn connect(&self) -> Result<PgConnection> {
        connect(&self.url).await
    }

    /// One to the database that does not wait for the disk.
    ///
    /// # Errors
    /// If it does not answer, or there is none.
    pub async fn connect_async(&self) -> Result<PgConnection> {
        connect(&self.async_url()?.ok_or("only a private server has such a database")?).await
    }

    /// What is written of changes of the two tables, as PostgreSQL says it: `p` for a log, `u` for none.
    pub(in crate::lab) async fn persistence(&self, connection: &mut PgConnection) -> Result<[String; 2]> {
        let mut both = [String::new(), String::new()];
        for (persistence, table) in both.iter_mut().zip([self.table.clone(), self.unlogged()]) {
            *persistence = sqlx::query_scalar(PERSISTENCE).bind(table).fetch_one(&mut *connection).await?;
        }
        Ok(both)
    }

    /// Makes the tables, and sees that they take writes.
    async fn prepare(&mut self, mut connection: PgConnection) -> Result<()> {
        self.had_list = sqlx::query_scalar(HAS_LIST).fetch_one(&mut connection).await?;
        // A hosted one may refuse it; its address tells it from others then.
        // A hosted server may not tell it; then the study is known by the URL alone.
        self.identifier = sqlx::query_scalar(SYSTEM).fetch_one(&mut connection).await.ok();
        for url in [Some(self.logged_url()?), Some(self.unlogged_url()?), self.async_url()?].into_iter().flatten() {
            takes_writes(&*hallway::open(&patient(&url)?).await?, &self.table).await?;
        }
        let mut all = connection.begin().await?;
        sqlx::query(BOUND).bind(self.unlogged()).execute(&mut *all).await?;
        sqlx::query(SET_UNLOGGED).execute(&mut *all).await?;
        all.commit().await?;
        Ok(connection.close().await?)
    }

    /// Takes away what [`Postgres::prepare`] has made, all of it or nothing.
    pub(in crate::lab) async fn clear(&self) -> Result<()> {
        let drop = async {
            let mut connection = self.connect().await?;
            let mut all = connection.begin().await?;
            sqlx::query(BOUND).bind(&self.table).execute(&mut *all).await?;
            sqlx::query(LOCK).execute(&mut *all).await?;
            sqlx::query(DROP).execute(&mut *all).await?;
            if !self.had_list {
                sqlx::query(DROP_LIST).execute(&mut *all).await?;
            }
            all.commit().await?;
            Ok(connection.close().await?)
        };
        // Several statements and a connection, each of them bounded.
        match tokio::time::timeout(LONG_PATIENCE * 3, drop).await {
            Ok(done) => done.map_err(|failure: Failure| {
                format!(
                    "the tables {0} and {0}_unlogged are left behind in PostgreSQL: {1}; drop them, and their \
                     _outbox, by hand",
                    self.table,
                    whole(&failure)
                )
                .into()
            }),
            Err(_) => Err(slow(&format!("dropping the tables {0} and {0}_unlogged of PostgreSQL", self.table)).into()),
        }
    }
}

impl fmt::Debug for Postgres {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Postgres")
            .field("url", &shown(&self.url))
            .field("table", &self.table)
            .field("origin", &self.origin)
            .finish_non_exhaustive()
    }
}

pub(in crate::lab) async fn postgres(choice: &Choice, placement: &Placement, name: &str) -> Result<Placed<Postgres>> {
    match choice {
        Choice::None => Ok(Err("left out by --no-servers".into())),
        Choice::Find => {
            let user = std::env::var("USER").unwrap_or_default();
            let mut why: Failure = "no PostgreSQL lets us in at 127.0.0.1:5432 without a password; name one by --postgres URL, or use --start".into();
            for user in ["postgres", &user].into_iter().filter(|user| !user.is_empty()) {
                let url = format!("postgres://{user}@127.0.0.1:5432/postgres");
                // Looking makes no table.
                if answers(&with_option(&url, "migrate", "off")?, PATIENCE).await.is_ok() {
                    match found(&url, name).await {
                        Ok(postgres) => return Ok(Ok(postgres)),
                        Err(failure) => why = failure,
                    }
                }
            }
            Ok(Err(why))
        }
        Choice::Start => {
            let server = placement.serving(|| PostgresServer::start(PostgresOptions::default()))?;
            server.try_psql(&format!("CREATE DATABASE {ASYNC_DATABASE}"))?;
            server.try_psql(&format!("ALTER DATABASE {ASYNC_DATABASE} SET synchronous_commit = off"))?;
            at(&server.url(), Origin::Started, Some(server), name).await.map(Ok)
        }
        Choice::Url(url) => match at(url, Origin::Given, None, name).await {
            Ok(postgres) => Ok(Ok(postgres)),
            Err(failure) => Err(format!("the PostgreSQL at {}: {}", shown(url), whole(&failure)).into()),
        },
    }
}

/// One that nobody named is left alone if it does not let us make tables and write.
pub(in crate::lab) async fn found(url: &str, name: &str) -> Placed<Postgres> {
    at(url, Origin::Found, None, name).await.map_err(|failure| {
        let why = whole(&failure);
        format!("the PostgreSQL that was found is left alone: {why}; name one by --postgres URL, or use --start").into()
    })
}

async fn at(url: &str, origin: Origin, server: Option<PostgresServer>, name: &str) -> Result<Postgres> {
    let (url, table) = (url.to_owned(), format!("hallway_{name}"));
    let mut postgres = Postgres { url, table, had_list: true, identifier: None, server, origin };
    let connection = postgres.connect().await?;
    if let Err(failure) = postgres.prepare(connection).await {
        // A part may be there. What matters is why it is no more than a part.
        return Err(match postgres.clear().await {
            Ok(()) => failure,
            Err(left) if postgres.has_made_some().await => format!("{}; {left}", whole(&failure)).into(),
            Err(_) => failure,
        });
    }
    Ok(postgres)
}

impl Postgres {
    async fn has_made_some(&self) -> bool {
        let look = async {
            let mut connection = self.connect().await?;
            let found = sqlx::query_scalar::<_, String>(PERSISTENCE).bind(&self.table).fetch_optional(&mut connection);
            Ok::<_, Failure>(found.await?.is_some())
        };
        look.await.unwrap_or(false)
    }
}

/// The URL with the study's table, which it makes whatever a user's URL says about a table of the user's.
fn of_table(url: &str, table: &str) -> Result<String> {
    with_option(&with_option(url, "table", table)?, "migrate", "run")
}

async fn connect(url: &str) -> Result<PgConnection> {
    let options = options(url)?;
    Ok(tokio::time::timeout(LONG_PATIENCE, options.connect()).await.map_err(|_| slow("connecting to PostgreSQL"))??)
}
