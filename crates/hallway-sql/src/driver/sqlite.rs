//! SQLite connections: each is a thread of sqlx with a connection of its own.

use std::fmt;
use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::Bytes;
use futures_util::TryStreamExt;
use hallway_core::ErrorKind;
use sqlx::query::Query;
use sqlx::sqlite::SqliteSynchronous;
use sqlx::sqlite::{SqliteArguments, SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteRow};
use sqlx::{ConnectOptions, Connection, Either, Executor, Row as _, SqlStr, Sqlite};

use crate::config::Durability;
use crate::dialect::{Dialect, Param, Statement, sqlite::SQLITE};
#[cfg(feature = "sqlx-09")]
use crate::driver::lent::{Lent, acquire};
use crate::failure::{Effect, Failure, from_sqlx};
use crate::json;
use crate::link::{Answer, Args, Driver, Link, Role, Row};

/// Steps of its machine, each far below a microsecond, between two questions whether a statement is late.
const STEPS: i32 = 1_000;

/// What SQLite answers to a `ROLLBACK` without a transaction.
const SQLITE_ERROR: i32 = 1;

/// Rows on their way from the connection's thread. Fewer would make the thread wait for us in the middle of a batch.
const ROWS_IN_FLIGHT: usize = 512;

enum Source {
    File {
        options: Box<SqliteConnectOptions>,
        create: bool,
    },
    Memory,
    #[cfg(feature = "sqlx-09")]
    Pool(sqlx::SqlitePool),
}

pub(crate) struct SqliteDriver {
    source: Source,
    busy_timeout: Duration,
    statement_timeout: Duration,
}

impl SqliteDriver {
    /// A database in a file.
    pub(crate) fn file(
        path: &std::path::Path,
        durability: Durability,
        busy_timeout: Duration,
        statement_timeout: Duration,
        create: bool,
    ) -> Self {
        let synchronous = match durability {
            Durability::Full => SqliteSynchronous::Full,
            Durability::Normal => SqliteSynchronous::Normal,
        };
        let options = SqliteConnectOptions::new()
            .filename(path)
            .busy_timeout(busy_timeout)
            .synchronous(synchronous)
            .row_buffer_size(ROWS_IN_FLIGHT)
            .disable_statement_logging();
        Self { source: Source::File { options: Box::new(options), create }, busy_timeout, statement_timeout }
    }

    /// A database that lives as long as its one connection.
    pub(crate) fn memory(busy_timeout: Duration, statement_timeout: Duration) -> Self {
        Self { source: Source::Memory, busy_timeout, statement_timeout }
    }

    #[cfg(feature = "sqlx-09")]
    pub(crate) fn from_pool(pool: sqlx::SqlitePool) -> Self {
        // The pool's options have it.
        Self { source: Source::Pool(pool), busy_timeout: Duration::ZERO, statement_timeout: Duration::ZERO }
    }
}

impl fmt::Debug for SqliteDriver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("SqliteDriver");
        match &self.source {
            Source::File { options, .. } => debug.field("file", &options.get_filename()),
            Source::Memory => debug.field("file", &":memory:"),
            #[cfg(feature = "sqlx-09")]
            Source::Pool(_) => debug.field("pool", &true),
        };
        debug.finish_non_exhaustive()
    }
}

#[async_trait]
impl Driver for SqliteDriver {
    fn dialect(&self) -> &'static Dialect {
        &SQLITE
    }

    fn is_private(&self) -> bool {
        matches!(self.source, Source::Memory)
    }

    fn outlasts(&self) -> Option<Duration> {
        match self.source {
            Source::File { .. } | Source::Memory => Some(self.statement_timeout),
            #[cfg(feature = "sqlx-09")]
            Source::Pool(_) => None,
        }
    }

    async fn open(&self, role: Role) -> Result<Box<dyn Link>, Failure> {
        let options = match &self.source {
            Source::File { options, create } => match role {
                Role::Migrate | Role::Write => {
                    (**options).clone().create_if_missing(*create).journal_mode(SqliteJournalMode::Wal)
                }
                // The writer has made the file by now; a reader that could write would be a mistake of ours.
                Role::Read => (**options).clone().pragma("query_only", "ON"),
            },
            Source::Memory => SqliteConnectOptions::new()
                .in_memory(true)
                .busy_timeout(self.busy_timeout)
                .row_buffer_size(ROWS_IN_FLIGHT)
                .disable_statement_logging(),
            #[cfg(feature = "sqlx-09")]
            Source::Pool(pool) if role == Role::Migrate => {
                let lent = acquire(pool, lending).await?;
                // It may end in the middle of a transaction, so it does not go back to the pool.
                return Ok(Box::new(SqliteLink::new(lent.detach(), self.statement_timeout)));
            }
            #[cfg(feature = "sqlx-09")]
            Source::Pool(pool) => return Ok(Box::new(PoolLink { pool: pool.clone(), lent: None })),
        };
        // Opening is never dropped half-way: its thread would go on alone.
        let connection = options.connect().await.map_err(|error| opening(translate(&error)))?;
        let mut link = SqliteLink::new(connection, self.statement_timeout);
        link.stop_when_late().await?;
        Ok(Box::new(link))
    }
}

struct SqliteLink {
    connection: SqliteConnection,
    statement_timeout: Duration,
    alarm: Arc<Alarm>,
}

impl SqliteLink {
    fn new(connection: SqliteConnection, statement_timeout: Duration) -> Self {
        Self { connection, statement_timeout, alarm: Arc::new(Alarm::new()) }
    }

    /// SQLite works for as long as a statement takes, whether or not anybody waits for it; so it asks the alarm.
    async fn stop_when_late(&mut self) -> Result<(), Failure> {
        let alarm = Arc::clone(&self.alarm);
        let mut handle = self.connection.lock_handle().await.map_err(|error| opening(translate(&error)))?;
        handle.set_progress_handler(STEPS, move || !alarm.rings());
        Ok(())
    }
}

/// When the statement that a connection works on is to be given up.
struct Alarm {
    base: Instant,
    /// Microseconds after `base`.
    at: AtomicU64,
}

impl Alarm {
    fn new() -> Self {
        Self { base: Instant::now(), at: AtomicU64::new(u64::MAX) }
    }

    fn set(&self, instant: Instant) {
        let micros = instant.saturating_duration_since(self.base).as_micros();
        self.at.store(u64::try_from(micros).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    fn turn_off(&self) {
        self.at.store(u64::MAX, Ordering::Relaxed);
    }

    fn rings(&self) -> bool {
        self.base.elapsed().as_micros() > u128::from(self.at.load(Ordering::Relaxed))
    }
}

#[async_trait]
impl Link for SqliteLink {
    async fn run(&mut self, statement: &Statement, args: &Args<'_>) -> Result<Answer, Failure> {
        // At the deadline; but what began just before it may wait for its lock and then be done.
        let started = Instant::now();
        let latest = started.checked_add(self.statement_timeout).unwrap_or(started);
        self.alarm.set(args.until.into_std().max(latest));
        let answer = run_on(&mut self.connection, statement, args).await;
        self.alarm.turn_off();
        answer
    }

    async fn script(&mut self, sql: SqlStr) -> Result<Answer, Failure> {
        fetch(&mut self.connection, sqlx::raw_sql(sql)).await
    }

    async fn check(&mut self) -> Result<(), Failure> {
        self.connection.ping().await.map_err(|error| translate(&error))
    }
}

/// A connection of the caller's pool for each statement.
#[cfg(feature = "sqlx-09")]
struct PoolLink {
    pool: sqlx::SqlitePool,
    lent: Option<Lent<Sqlite>>,
}

#[cfg(feature = "sqlx-09")]
impl PoolLink {
    async fn take(&mut self) -> Result<Lent<Sqlite>, Failure> {
        match self.lent.take() {
            Some(lent) => Ok(lent),
            None => self.lend().await,
        }
    }

    /// Nothing that is one statement harms the pool if we go away in the middle of it.
    async fn lend(&self) -> Result<Lent<Sqlite>, Failure> {
        let mut lent = Lent::acquire(&self.pool, lending).await?;
        lent.clean = true;
        Ok(lent)
    }
}

#[cfg(feature = "sqlx-09")]
#[async_trait]
impl Link for PoolLink {
    async fn run(&mut self, statement: &Statement, args: &Args<'_>) -> Result<Answer, Failure> {
        let mut lent = self.take().await?;
        // A transaction must not be left to the next one who gets the connection.
        lent.clean = statement.first.is_none();
        let answer = run_on(&mut lent.connection, statement, args).await;
        if statement.first.is_some() {
            lent.finish(&answer);
        }
        answer
    }

    fn is_ready(&self) -> bool {
        self.lent.is_some()
    }

    async fn prepare(&mut self) -> Result<(), Failure> {
        self.lent = Some(self.lend().await?);
        Ok(())
    }

    fn release(&mut self) {
        self.lent = None;
    }

    async fn script(&mut self, sql: SqlStr) -> Result<Answer, Failure> {
        let mut lent = self.lend().await?;
        fetch(&mut lent.connection, sqlx::raw_sql(sql)).await
    }

    async fn check(&mut self) -> Result<(), Failure> {
        Ok(())
    }
}

async fn run_on(connection: &mut SqliteConnection, statement: &Statement, args: &Args<'_>) -> Result<Answer, Failure> {
    let Some(first) = &statement.first else { return fetch(connection, bind(statement, args)).await };
    match in_transaction(connection, [first, statement], args).await {
        Err(failure) => Err(rolled_back(connection, failure).await),
        answer => answer,
    }
}

/// One after the other. As one text of several statements sqlx 0.9 would panic in its thread when one of them fails.
async fn in_transaction(
    connection: &mut SqliteConnection,
    statements: [&Statement; 2],
    args: &Args<'_>,
) -> Result<Answer, Failure> {
    // As a writer from the start, which never has to be upgraded.
    fetch(connection, sqlx::query("BEGIN IMMEDIATE")).await?;
    let mut answer = Answer::default();
    for statement in statements {
        answer = fetch(connection, bind(statement, args)).await?;
    }
    fetch(connection, sqlx::query("COMMIT")).await?;
    Ok(answer)
}

async fn rolled_back(connection: &mut SqliteConnection, failure: Failure) -> Failure {
    match fetch(connection, sqlx::query("ROLLBACK")).await {
        Ok(_) => failure,
        // It did not begin, or SQLite has rolled it back already.
        Err(open) if open.code.as_ref().is_some_and(|code| code.0 == code_text(SQLITE_ERROR)) => failure,
        Err(_) if failure.effect == Effect::Lost => failure,
        // The next one would find itself in this transaction.
        Err(_) => Failure { effect: Effect::Drop, ..failure },
    }
}

fn bind<'q>(statement: &Statement, args: &Args<'_>) -> Query<'q, Sqlite, SqliteArguments> {
    let mut query = sqlx::query(statement.sql.clone());
    for param in statement.params {
        query = match param {
            Param::Keys => query.bind(json::array(args.items.iter().map(|item| item.key.as_str()))),
            Param::Rows => query.bind(rows_json(args)),
            Param::Blob => query.bind(blob(args)),
            Param::Cap => query.bind(args.cap),
            Param::From => query.bind(args.bounds.from.clone()),
            Param::Until => query.bind(args.bounds.until.clone()),
            Param::Limit => query.bind(args.bounds.limit),
            Param::Expired => query.bind(i64::from(args.bounds.expired)),
            Param::Ids => query.bind(format!("{:?}", args.bounds.ids)),
            Param::Values | Param::Lives | Param::Expected | Param::Latest => {
                unreachable!("SQLite's statements take JSON, and nothing holds them up on their way")
            }
        };
    }
    query
}

/// Offsets count from 1, and the blob starts with one byte that nobody asks for: SQLite takes an empty one for NULL.
fn rows_json(args: &Args<'_>) -> String {
    let mut json = String::with_capacity(2 + args.items.iter().map(|item| item.key.as_str().len() + 40).sum::<usize>());
    let mut offset = 2;
    json.push('[');
    for (at, item) in args.items.iter().enumerate() {
        json.push_str(if at > 0 { ",[" } else { "[" });
        json::push_text(&mut json, item.key.as_str());
        let expected = offset + item.value.len();
        // Writing to a string cannot fail.
        let _ = write!(json, ",{},{offset},{},{expected},{}]", item.life, item.value.len(), item.expected.len());
        offset = expected + item.expected.len();
    }
    json.push(']');
    json
}

fn blob(args: &Args<'_>) -> Vec<u8> {
    let length = args.items.iter().map(|item| item.value.len() + item.expected.len()).sum::<usize>();
    let mut blob = Vec::with_capacity(1 + length);
    blob.push(0);
    for item in args.items {
        blob.extend_from_slice(&item.value);
        blob.extend_from_slice(&item.expected);
    }
    blob
}

async fn fetch<'q>(
    connection: &mut SqliteConnection,
    query: impl sqlx::Execute<'q, Sqlite> + 'q,
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

fn read(row: &SqliteRow) -> Result<Row, sqlx::Error> {
    let columns = row.len();
    // A script may answer with anything, such as the mode a PRAGMA has set.
    let mut read =
        Row { key: row.try_get::<Option<String>, _>(0).ok().flatten().unwrap_or_default(), ..Row::default() };
    if columns > 1 {
        read.bytes = row.try_get::<Option<Vec<u8>>, _>(1)?.map(Bytes::from);
    }
    if columns > 2 {
        read.first = row.try_get(2)?;
    }
    if columns > 3 {
        read.second = row.try_get(3)?;
    }
    Ok(read)
}

/// A connection that was never made changed nothing.
fn opening(failure: Failure) -> Failure {
    if failure.effect == Effect::Again { failure } else { Failure { effect: Effect::Drop, ..failure } }
}

#[cfg(feature = "sqlx-09")]
fn lending(error: &sqlx::Error) -> Failure {
    opening(translate(error))
}

pub(crate) fn translate(error: &sqlx::Error) -> Failure {
    let sqlx::Error::Database(database) = error else { return from_sqlx(error) };
    let code: i32 = database.code().and_then(|code| code.parse().ok()).unwrap_or(0);
    let (kind, effect, message) = classify(code);
    Failure::new(kind, effect, message).with_code(code_text(code))
}

fn code_text(code: i32) -> String {
    format!("SQLite result code {code}")
}

fn classify(code: i32) -> (ErrorKind, Effect, &'static str) {
    use ErrorKind::{Corrupt, InvalidConfig, OutOfMemory, Unauthorized, Unavailable};
    // SQLITE_IOERR_SHMSIZE: the shared-memory file cannot grow, on a full disk.
    if code == 4874 {
        return (OutOfMemory, Effect::All, "the disk is full; free space or clear a prefix");
    }
    match code & 0xff {
        5 | 6 => (Unavailable, Effect::Again, "another connection keeps the database locked"),
        7 => (OutOfMemory, Effect::Item, "SQLite is out of memory"),
        8 => (Unauthorized, Effect::All, "the database file is read-only; let this user write the file and its folder"),
        // Perhaps after its last step.
        9 => (Unavailable, Effect::Lost, "the statement took longer than its caller waits and was given up"),
        10 => (Unavailable, Effect::Lost, "reading or writing the database file failed; check the disk"),
        11 => (
            Corrupt,
            Effect::All,
            "the database file is damaged and is left as it is; restore a backup, or salvage it with `sqlite3 FILE .recover`",
        ),
        13 => (OutOfMemory, Effect::All, "the disk is full; free space or clear a prefix"),
        14 => (
            InvalidConfig,
            Effect::Drop,
            "cannot open the database file; the path must be a file, not a folder, in a folder that exists and is writable",
        ),
        18 => (ErrorKind::TooLarge, Effect::Item, "the batch is larger than SQLite takes"),
        23 | 3 => (Unauthorized, Effect::All, "no permission for the database file"),
        26 => (
            InvalidConfig,
            Effect::Drop,
            "the file is not a SQLite database and is left as it is; name another file in the store URL",
        ),
        1 => (
            InvalidConfig,
            Effect::All,
            "the table is missing or has other columns; open with migrate=run, or apply `hallway schema --print`",
        ),
        _ => (Unavailable, Effect::Item, "SQLite refused the statement"),
    }
}
