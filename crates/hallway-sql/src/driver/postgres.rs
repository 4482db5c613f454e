//! PostgreSQL connections: own ones, straight or through a transaction-mode pooler, or the caller's pool.

mod session;

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::TryStreamExt;
use hallway_core::ErrorKind;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgDatabaseError, PgRow, PgSeverity};
use sqlx::{ConnectOptions, Either, Executor, Postgres, Row as _, SqlStr, ValueRef};

use crate::dialect::{Dialect, Statement, postgres::POSTGRES};
#[cfg(feature = "sqlx-09")]
use crate::driver::lent::{Lent, acquire};
use crate::driver::postgres::session::{LATE, Session};
use crate::failure::{Effect, Failure, from_sqlx};
use crate::link::{Answer, Args, Driver, Link, Role, Row};

/// How long a connection may take to be made.
const CONNECT_LIMIT: Duration = Duration::from_secs(2);

/// Asks what became of the settings sent at the start: a pooler drops them.
const PROBE: &str = "SELECT current_setting('server_encoding'), NULL::bytea, \
    (extract(epoch FROM current_setting('statement_timeout')::interval) * 1000)::bigint, \
    (current_setting('hallway.direct', true) IS NOT NULL)::int::bigint";

/// Where connections come from. sqlx's options would print the password.
enum Source {
    Own(Box<PgConnectOptions>),
    #[cfg(feature = "sqlx-09")]
    Pool(sqlx::PgPool),
}

pub(crate) struct PgDriver {
    source: Source,
    statement_timeout: Duration,
    /// Whether a transaction-mode pooler stands between: told by the configuration, or found out.
    pooler: AtomicBool,
}

impl PgDriver {
    pub(crate) fn new(options: PgConnectOptions, statement_timeout: Duration, pooler: bool) -> Self {
        let options = options.application_name("hallway").disable_statement_logging();
        Self { source: Source::Own(Box::new(options)), statement_timeout, pooler: AtomicBool::new(pooler) }
    }

    #[cfg(feature = "sqlx-09")]
    pub(crate) fn from_pool(pool: sqlx::PgPool, statement_timeout: Duration, pooler: bool) -> Self {
        Self { source: Source::Pool(pool), statement_timeout, pooler: AtomicBool::new(pooler) }
    }

    fn is_pooled(&self) -> bool {
        self.pooler.load(Ordering::Relaxed)
    }

    async fn connect(&self, options: &PgConnectOptions) -> Result<PgConnection, Failure> {
        let options = if self.is_pooled() {
            // Named statements of two clients would meet on one server connection.
            options.clone().statement_cache_capacity(0)
        } else {
            let millis = self.statement_timeout.as_millis().max(1);
            let lock = millis.min(1_000);
            options.clone().options([
                ("statement_timeout", format!("{millis}ms")),
                ("lock_timeout", format!("{lock}ms")),
                ("idle_in_transaction_session_timeout", "10s".to_owned()),
                ("hallway.direct", "on".to_owned()),
                // Every statement is a look-up by key; a plan made while the table was small must not stay a scan.
                ("enable_seqscan", "off".to_owned()),
                ("enable_hashjoin", "off".to_owned()),
                ("enable_mergejoin", "off".to_owned()),
                ("jit", "off".to_owned()),
                // Planned once: for each new length of its arrays PostgreSQL would plan a statement anew.
                ("plan_cache_mode", "force_generic_plan".to_owned()),
            ])
        };
        match tokio::time::timeout(CONNECT_LIMIT, options.connect()).await {
            Ok(connected) => connected.map_err(|error| connecting(&error)),
            Err(_) => Err(Failure::new(
                ErrorKind::Unavailable,
                Effect::Drop,
                "PostgreSQL did not accept a connection within 2 s; check host, port and firewall",
            )),
        }
    }

    async fn probe(&self, link: &mut PgLink) -> Result<(), Failure> {
        let answer = link.script(SqlStr::from_static(PROBE)).await?;
        let Some(row) = answer.rows.into_iter().next() else { return Ok(()) };
        if row.key != "UTF8" && row.key != "SQL_ASCII" {
            return Err(Failure::new(
                ErrorKind::InvalidConfig,
                Effect::Drop,
                "the database cannot hold every key; create it with ENCODING 'UTF8'",
            ));
        }
        if row.second != Some(1) && !self.pooler.swap(true, Ordering::Relaxed) {
            tracing::info!("a pooler keeps our settings from PostgreSQL: using one transaction per statement");
        }
        link.session.wrapped = self.is_pooled();
        if let Some(server) = row.first.and_then(|millis| u64::try_from(millis).ok()).filter(|millis| *millis > 0) {
            link.session.limit = link.session.limit.min(Duration::from_millis(server));
        }
        if link.session.wrapped && row.first.unwrap_or(0) == 0 {
            return Err(Failure::new(
                ErrorKind::InvalidConfig,
                Effect::Drop,
                "behind a pooler the server must limit statements itself and `SHOW statement_timeout` says 0; \
                 run: ALTER ROLE <user> SET statement_timeout = '2s'",
            ));
        }
        Ok(())
    }
}

impl fmt::Debug for PgDriver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("PgDriver");
        match &self.source {
            Source::Own(options) => {
                debug.field("host", &options.get_host()).field("port", &options.get_port());
            }
            #[cfg(feature = "sqlx-09")]
            Source::Pool(_) => {
                debug.field("pool", &true);
            }
        }
        debug.field("pooler", &self.is_pooled()).finish_non_exhaustive()
    }
}

#[async_trait]
impl Driver for PgDriver {
    fn dialect(&self) -> &'static Dialect {
        &POSTGRES
    }

    fn outlasts(&self) -> Option<Duration> {
        // With a pooler the commit is a step of its own.
        let own = self.is_pooled() || matches!(self.source, Source::Own(_));
        own.then(|| self.statement_timeout.saturating_mul(if self.is_pooled() { 2 } else { 1 }))
    }

    async fn open(&self, role: Role) -> Result<Box<dyn Link>, Failure> {
        match &self.source {
            Source::Own(options) => self.open_own(options, role).await,
            #[cfg(feature = "sqlx-09")]
            Source::Pool(pool) => {
                let held = match role {
                    // It may end in the middle of a transaction, so it does not go back to the pool.
                    Role::Migrate => Held::Own(Box::new(acquire(pool, connecting).await?.detach())),
                    Role::Read | Role::Write => Held::Pool { pool: pool.clone(), lent: None },
                };
                Ok(Box::new(self.link(held)))
            }
        }
    }
}

impl PgDriver {
    fn link(&self, held: Held) -> PgLink {
        PgLink { held, session: Session::new(self.is_pooled(), self.statement_timeout) }
    }

    async fn open_own(&self, options: &PgConnectOptions, role: Role) -> Result<Box<dyn Link>, Failure> {
        let was_pooled = self.is_pooled();
        let mut connected = self.connect(options).await;
        // PgBouncer refuses the settings with 08P01.
        if !was_pooled && connected.as_ref().is_err_and(|failure| has_code(failure, "08P01")) {
            self.pooler.store(true, Ordering::Relaxed);
            connected = self.connect(options).await;
            if connected.is_err() {
                self.pooler.store(false, Ordering::Relaxed);
            }
        }
        let mut link = self.link(Held::Own(Box::new(connected?)));
        answers(self.probe(&mut link)).await?;
        if link.session.wrapped && !was_pooled {
            // Found out only now: this connection has named statements on.
            link.held = Held::Own(Box::new(self.connect(options).await?));
        }
        if role == Role::Write {
            answers(link.check()).await?;
        }
        Ok(Box::new(link))
    }
}

/// Gives up what takes long although the connection has been made.
async fn answers(asked: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    tokio::time::timeout(CONNECT_LIMIT, asked).await.unwrap_or_else(|_| {
        Err(Failure::new(
            ErrorKind::Unavailable,
            Effect::Drop,
            "PostgreSQL accepted the connection and then did not answer within 2 s",
        ))
    })
}

enum Held {
    Own(Box<PgConnection>),
    #[cfg(feature = "sqlx-09")]
    Pool {
        pool: sqlx::PgPool,
        lent: Option<Lent<Postgres>>,
    },
}

struct PgLink {
    held: Held,
    session: Session,
}

#[async_trait]
impl Link for PgLink {
    async fn run(&mut self, statement: &Statement, args: &Args<'_>) -> Result<Answer, Failure> {
        match &mut self.held {
            Held::Own(connection) => self.session.run(connection, statement, args).await,
            #[cfg(feature = "sqlx-09")]
            Held::Pool { pool, lent } => {
                let mut lent = match lent.take() {
                    Some(lent) => lent,
                    None => Lent::acquire(pool, connecting).await?,
                };
                let answer = self.session.run(&mut lent.connection, statement, args).await;
                lent.finish(&answer);
                answer
            }
        }
    }

    fn is_ready(&self) -> bool {
        match &self.held {
            Held::Own(_) => true,
            #[cfg(feature = "sqlx-09")]
            Held::Pool { lent, .. } => lent.is_some(),
        }
    }

    async fn prepare(&mut self) -> Result<(), Failure> {
        match &mut self.held {
            Held::Own(_) => {}
            #[cfg(feature = "sqlx-09")]
            Held::Pool { pool, lent } => *lent = Some(Lent::acquire(pool, connecting).await?),
        }
        Ok(())
    }

    fn release(&mut self) {
        match &mut self.held {
            Held::Own(_) => {}
            #[cfg(feature = "sqlx-09")]
            Held::Pool { lent, .. } => {
                if let Some(mut lent) = lent.take() {
                    lent.clean = true;
                }
            }
        }
    }

    async fn script(&mut self, sql: SqlStr) -> Result<Answer, Failure> {
        match &mut self.held {
            Held::Own(connection) => fetch(connection, sqlx::raw_sql(sql)).await,
            #[cfg(feature = "sqlx-09")]
            Held::Pool { pool, .. } => {
                let mut lent = Lent::acquire(pool, connecting).await?;
                let answer = fetch(&mut lent.connection, sqlx::raw_sql(sql)).await;
                lent.finish(&answer);
                answer
            }
        }
    }

    async fn check(&mut self) -> Result<(), Failure> {
        match &mut self.held {
            // As good a question as any, and one whose answer is of use.
            Held::Own(connection) => self.session.read_clock(connection).await,
            // The pool checks what it lends.
            #[cfg(feature = "sqlx-09")]
            Held::Pool { .. } => Ok(()),
        }
    }
}

async fn fetch<'q>(
    connection: &mut PgConnection,
    query: impl sqlx::Execute<'q, Postgres> + 'q,
) -> Result<Answer, Failure> {
    let mut answer = Answer::default();
    let mut stream = connection.fetch_many(query);
    loop {
        match stream.try_next().await {
            Ok(Some(Either::Left(done))) => answer.changed += done.rows_affected(),
            Ok(Some(Either::Right(row))) => answer.rows.push(read(&row).map_err(|error| translate(&error))?),
            Ok(None) => return Ok(answer),
            Err(error) => return Err(translate(&error)),
        }
    }
}

fn read(row: &PgRow) -> Result<Row, sqlx::Error> {
    let columns = row.len();
    let mut read = Row { key: row.try_get::<Option<String>, _>(0)?.unwrap_or_default(), ..Row::default() };
    if columns > 1 {
        let raw = row.try_get_raw(1)?;
        if !raw.is_null() {
            read.bytes = Some(Bytes::copy_from_slice(raw.as_bytes().map_err(sqlx::Error::Decode)?));
        }
    }
    if columns > 2 {
        read.first = row.try_get(2)?;
    }
    if columns > 3 {
        read.second = row.try_get(3)?;
    }
    Ok(read)
}

fn has_code(failure: &Failure, code: &str) -> bool {
    failure.code.as_ref().is_some_and(|found| found.0.ends_with(code))
}

/// A connection that was never made changed nothing.
fn connecting(error: &sqlx::Error) -> Failure {
    let failure = translate(error);
    match failure.kind {
        ErrorKind::Unavailable if failure.code.is_none() || matches!(error, sqlx::Error::Io(_)) => Failure {
            message: "PostgreSQL cannot be reached; check that it runs, and host and port in the store URL".into(),
            effect: Effect::Drop,
            ..failure
        },
        _ => Failure { effect: Effect::Drop, ..failure },
    }
}

pub(crate) fn translate(error: &sqlx::Error) -> Failure {
    let sqlx::Error::Database(database) = error else { return from_sqlx(error) };
    let state = database.code().unwrap_or_default();
    let (kind, effect, message) = classify(&state);
    let severity = database.try_downcast_ref::<PgDatabaseError>().map(PgDatabaseError::severity);
    let effect = after(effect, severity);
    Failure::new(kind, effect, message).with_code(format!("SQLSTATE {state}"))
}

/// A server that ends the session does not say how far it got.
fn after(effect: Effect, severity: Option<PgSeverity>) -> Effect {
    match severity {
        Some(PgSeverity::Fatal | PgSeverity::Panic) => Effect::Lost,
        _ => effect,
    }
}

fn classify(state: &str) -> (ErrorKind, Effect, &'static str) {
    use ErrorKind::{InvalidConfig, InvalidInput, OutOfMemory, Unauthorized, Unavailable};
    match state {
        "40001" | "40P01" => (Unavailable, Effect::Again, "other transactions kept winning; try again"),
        "40003" => (Unavailable, Effect::Lost, "the server does not know whether the statement was done"),
        "55P03" => (Unavailable, Effect::Busy, "another session holds a lock on the entry"),
        LATE => (Unavailable, Effect::Again, "the statement reached the server after its deadline"),
        "57014" => (Unavailable, Effect::Busy, "the server cancelled the statement at its statement_timeout"),
        "25006" => (Unavailable, Effect::Drop, "the server is read-only: a standby, or an old primary"),
        "57P01" | "57P02" => (Unavailable, Effect::Lost, "the server ended the connection"),
        "57P03" => (Unavailable, Effect::Drop, "the server is starting or stopping"),
        "53300" => (
            Unavailable,
            Effect::Drop,
            "the server has no free connection; raise max_connections or use fewer `readers`",
        ),
        "53100" => (OutOfMemory, Effect::All, "the server's disk is full; free space or clear a prefix"),
        "53200" => (OutOfMemory, Effect::Item, "the server is out of memory"),
        "28P01" | "28000" => {
            (Unauthorized, Effect::Drop, "the server refused the user or the password in the store URL")
        }
        "42501" => (Unauthorized, Effect::All, "the role may not do this; GRANT it the table, or CREATE on the schema"),
        "3D000" => (InvalidConfig, Effect::Drop, "there is no such database; create it, or correct the store URL"),
        "42P01" | "42703" | "42804" | "42883" | "42P10" => (
            InvalidConfig,
            Effect::All,
            "the table is missing or has other columns; open with migrate=run, or apply `hallway schema --print`",
        ),
        "08P01" => (Unavailable, Effect::Lost, "the server or a pooler did not accept the protocol"),
        "22P05" | "22021" => (InvalidInput, Effect::Item, "the database's encoding cannot hold the key; use UTF8"),
        _ => match state.get(..2) {
            Some("08") => (Unavailable, Effect::Lost, "the connection to the server failed"),
            Some("53") => (OutOfMemory, Effect::All, "the server is out of a resource"),
            Some("57") => (Unavailable, Effect::Lost, "the server ended the connection"),
            Some("58" | "XX") => (Unavailable, Effect::Lost, "the server failed; see its log"),
            _ => (Unavailable, Effect::Item, "the server refused the statement; see its log"),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_have_happened_is_never_taken_for_undone() {
        for state in ["40003", "08007", "57P01", "57P05", "58030", "XX000"] {
            let (kind, effect, message) = classify(state);
            assert_eq!(effect, Effect::Lost, "{state}");
            let failure = Failure::new(kind, effect, message);
            assert_eq!(failure.into_error(true).kind(), ErrorKind::Indeterminate, "{state}");
        }
        let (_, effect, _) = classify("25P03");
        assert_eq!(effect, Effect::Item);
        assert_eq!(after(effect, Some(PgSeverity::Error)), Effect::Item);
        assert_eq!(after(effect, Some(PgSeverity::Fatal)), Effect::Lost);
        assert_eq!(after(effect, Some(PgSeverity::Panic)), Effect::Lost);
    }
}
