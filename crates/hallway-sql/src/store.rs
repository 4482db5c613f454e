//! `SqlStore`: the contract in terms of statements.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use hallway_core::{
    AuthorityTier, Capabilities, Capability, Counted, Cursor, DeleteIf, Entry, Error, ErrorKind, Key, KvStore,
    MAX_PAGE, Page, Prefix, Result, SetIf, SetOptions, SetOutcome, StoreUrl, Timestamp, Ttl, ValueCap, write_batches,
};
use tokio::time::Instant;

use crate::config::{SqlConfig, Target};
use crate::dialect::{Dialect, Verb};
use crate::lane::{Lane, Request};
use crate::link::{Answer, Bounds, Driver, Item, Role, Row};
use crate::opener::Opener;
use crate::stats::SqlStats;
use crate::sweeper;
use crate::table::Table;

/// Keys that one statement of `clear` or `delete_many` deletes.
const DELETE_KEYS: usize = 1_000;

/// What a statement may take beyond its own limit before its connection is given up.
const GRACE: Duration = Duration::from_millis(500);

/// Above every key there can be: no key has room for so many of the last character.
fn last_key() -> String {
    "\u{10FFFF}".repeat(hallway_core::MAX_KEY_BYTES / 4 + 1)
}

/// A store in one table of SQLite or PostgreSQL.
///
/// # Cloning
/// A clone is another handle to the same store.
///
/// # Consistency
/// Every verb on one key is one atomic statement, and so is each part of a batch. What one caller has written, every later call of any instance sees.
#[derive(Clone)]
pub struct SqlStore {
    pub(crate) inner: Arc<Inner>,
    pub(crate) deadline: Duration,
    /// Whether its writes also write to the outbox.
    pub(crate) enlists: bool,
}

pub(crate) struct Inner {
    pub(crate) backend: &'static str,
    place: String,
    pub(crate) table: Table,
    pub(crate) dialect: &'static Dialect,
    capabilities: Capabilities,
    cap: ValueCap,
    reads: Arc<Lane>,
    writes: Arc<Lane>,
    sweeper: Option<tokio::task::AbortHandle>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        if let Some(sweeper) = &self.sweeper {
            sweeper.abort();
        }
    }
}

impl SqlStore {
    /// Opens a store by URL: `sqlite:app.db`, `sqlite::memory:`, `postgres://user:password@host/database`.
    ///
    /// It fails only for its configuration; connecting and migrating happen in the background and inside the first
    /// call.
    ///
    /// # Errors
    /// `InvalidConfig` naming the option; `MissingFeature` naming the Cargo feature.
    pub async fn open_url(url: StoreUrl) -> Result<Self> {
        SqlConfig::from_url(url)?.open()
    }

    /// A store on connections of your own sqlx 0.9 pool, one for each statement: a `PgPool` or a `SqlitePool`.
    ///
    /// [`SqlConfig`] is made from a pool as well, for other options than the default ones. Those that concern
    /// connections do not apply: the pool decides. With PgBouncer in transaction mode say
    /// [`SqlConfig::with_pgbouncer`], and limit statements on the server. A SQLite pool should use WAL.
    ///
    /// # Errors
    /// `InvalidConfig` naming the option.
    #[cfg(feature = "sqlx-09")]
    pub fn from_pool(pool: impl Into<SqlConfig>) -> Result<Self> {
        pool.into().open()
    }

    /// How long after the start of a write it may still be done, whatever its caller was told: the deadline, and what
    /// the database may take for a statement that began just before it. `None` on a pool of your own, where hallway
    /// does not limit statements.
    ///
    /// A statement that a network or a stopped server held up is not done after its deadline: it says to the server when
    /// it must have begun. PostgreSQL then works on it for no longer than `statement_timeout`, and with PgBouncer waits
    /// once more as long for the commit. SQLite waits for its lock and works for no longer than `statement_timeout`. The
    /// last flush to the disk is not limited by anybody.
    #[must_use]
    pub fn write_limit(&self) -> Option<Duration> {
        Some(self.deadline.saturating_add(self.inner.writes.outlasts()?))
    }

    /// What the store has counted since it was opened.
    #[must_use]
    pub fn stats(&self) -> SqlStats {
        self.inner.writes.stats()
    }

    pub(crate) fn from_config(config: SqlConfig) -> Result<Self> {
        config.check()?;
        let place = format!("{:?}", config.target);
        let driver: Box<dyn Driver> = match &config.target {
            #[cfg(feature = "sqlite")]
            Target::File(path) => Box::new(crate::driver::sqlite::SqliteDriver::file(
                path,
                config.durability,
                config.busy_timeout(),
                config.statement_timeout,
                config.migrate == crate::Migrate::Run,
            )),
            #[cfg(feature = "sqlite")]
            Target::Memory => {
                Box::new(crate::driver::sqlite::SqliteDriver::memory(config.busy_timeout(), config.statement_timeout))
            }
            #[cfg(feature = "postgres")]
            Target::Postgres(server) => Box::new(crate::driver::postgres::PgDriver::new(
                server.options.clone(),
                config.statement_timeout,
                config.pgbouncer,
            )),
            #[cfg(all(feature = "sqlite", feature = "sqlx-09"))]
            Target::SqlitePool(pool) => Box::new(crate::driver::sqlite::SqliteDriver::from_pool(pool.clone())),
            #[cfg(all(feature = "postgres", feature = "sqlx-09"))]
            Target::PgPool(pool) => Box::new(crate::driver::postgres::PgDriver::from_pool(
                pool.clone(),
                config.statement_timeout,
                config.pgbouncer,
            )),
            #[cfg(not(any(feature = "sqlite", feature = "postgres")))]
            Target::None(never) => match *never {},
        };
        let dialect = driver.dialect();
        let table = Table::new(&config.table)?;
        let private = driver.is_private();
        let sqlite = dialect.name == "sqlite";
        let mut capabilities = Capabilities::all().without(Capability::LocalRead);
        if private {
            capabilities = capabilities.without(Capability::Durable).without(Capability::Shared);
        }
        // SQLite's thread cannot be called back, so giving its connection up would only add another.
        let limit = (!sqlite).then_some(config.statement_timeout + GRACE);
        let opener = Arc::new(Opener::new(driver, table.clone(), config.migrate));
        let lane = |role, width| {
            let statements = dialect.statements(&table);
            let lane = Lane::new(role, width, limit, config.max_value.bytes(), statements, Arc::clone(&opener));
            Arc::new(lane.with_patience(if sqlite { config.busy_timeout() } else { Duration::ZERO }))
        };
        // SQLite has one writer at a time; a second one would only wait for the lock.
        let writes = lane(Role::Write, if sqlite { 1 } else { 2 });
        let reads = match private {
            true => Arc::clone(&writes),
            false => lane(Role::Read, config.readers.unwrap_or(if sqlite { 2 } else { 3 })),
        };
        let mut sweeper = None;
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            writes.warm_up();
            reads.warm_up();
            if let Some(interval) = config.sweep {
                let sweep = sweeper::sweep(Arc::downgrade(&writes), interval, config.deadline);
                sweeper = Some(runtime.spawn(sweep).abort_handle());
            }
        }
        let inner = Inner {
            backend: dialect.name,
            place,
            table,
            dialect,
            capabilities,
            cap: config.max_value,
            reads,
            writes,
            sweeper,
        };
        Ok(Self { inner: Arc::new(inner), deadline: config.deadline, enlists: false })
    }

    async fn run(&self, operation: &'static str, request: Request) -> Result<Answer> {
        let deadline = self.due();
        self.run_until(operation, request, deadline).await
    }

    pub(crate) async fn run_until(
        &self,
        operation: &'static str,
        mut request: Request,
        deadline: Instant,
    ) -> Result<Answer> {
        let writes = request.verb.writes();
        request.enlisted = self.enlists && request.verb.changes_keys();
        if deadline <= Instant::now() {
            // Every call here waits for the database, so one that may not wait ends before anything is sent.
            let late = Error::new(ErrorKind::Unavailable, "the deadline has passed; nothing was sent");
            return Err(late.at(self.inner.backend, operation));
        }
        let lane = if writes { &self.inner.writes } else { &self.inner.reads };
        let answer = lane.call(request, deadline).await;
        answer.map_err(|error| error.into_error(writes, self.deadline).at(self.inner.backend, operation))
    }

    /// When a call that starts now must have ended. A clock has an end too, and nobody waits for it.
    pub(crate) fn due(&self) -> Instant {
        Instant::now() + self.deadline.min(Duration::from_secs(365 * 24 * 3600))
    }

    /// Runs a verb on one key; its row, if there is one.
    async fn one(&self, operation: &'static str, verb: Verb, item: Item) -> Result<Option<Row>> {
        self.one_until(operation, verb, item, self.due()).await
    }

    async fn one_until(
        &self,
        operation: &'static str,
        verb: Verb,
        item: Item,
        deadline: Instant,
    ) -> Result<Option<Row>> {
        let key = item.key.clone();
        let request = Request::of(verb, vec![item]);
        let answer = self.run_until(operation, request, deadline).await.map_err(|error| error.with_key(&key))?;
        Ok(answer.rows.into_iter().next())
    }

    fn fail(&self, operation: &'static str, key: &Key, error: Error) -> Error {
        error.at(self.inner.backend, operation).with_key(key)
    }

    /// The bytes of a row, unless there are more of them than the store hands out.
    fn bytes(&self, row: &Row) -> Result<Bytes> {
        match &row.bytes {
            Some(bytes) => Ok(bytes.clone()),
            None => {
                let length = usize::try_from(row.second.unwrap_or(i64::MAX)).unwrap_or(usize::MAX);
                self.inner.cap.check(length)?;
                Err(Error::new(ErrorKind::Corrupt, "the value is missing from the table"))
            }
        }
    }

    fn life(ttl: Ttl) -> Result<i64> {
        // Ten years of microseconds are far from the end of an i64.
        Ok(ttl.whole_millis()?.map_or(-1, |millis| millis.get() as i64 * 1_000))
    }

    async fn entries(&self, operation: &'static str, keys: &[Key]) -> Result<Vec<Option<Entry>>> {
        let deadline = self.due();
        let mut asked: Vec<&Key> = keys.iter().collect();
        asked.sort_unstable();
        asked.dedup();
        let mut found = HashMap::with_capacity(asked.len());
        let mut left = &asked[..];
        while !left.is_empty() {
            // As many as the size of the values allows, which each answer tells better.
            let (now, later) = left.split_at(left.len().min(self.inner.reads.read_keys()));
            let items = now.iter().map(|key| Item::new((*key).clone())).collect();
            let answer = self.run_until(operation, Request::of(Verb::Get, items), deadline).await?;
            for row in answer.rows {
                let value = self.bytes(&row).map_err(|error| error.at(self.inner.backend, operation))?;
                let entry = Entry::new(value, remaining(&row));
                found.insert(row.key, entry);
            }
            left = later;
        }
        Ok(keys.iter().map(|key| found.get(key.as_str()).cloned()).collect())
    }

    async fn page(&self, operation: &'static str, bounds: Bounds, deadline: Instant) -> Result<Vec<String>> {
        let request = Request::within(Verb::Scan, bounds);
        let answer = self.run_until(operation, request, deadline).await?;
        Ok(answer.rows.into_iter().map(|row| row.key).collect())
    }

    async fn delete_all(&self, operation: &'static str, keys: Vec<Key>, deadline: Instant) -> Result<u64> {
        let mut deleted = 0;
        for (done, keys) in keys.chunks(DELETE_KEYS).enumerate() {
            let items = keys.iter().map(|key| Item::new(key.clone())).collect();
            let request = Request::of(Verb::DeleteAlways, items);
            let answer =
                self.run_until(operation, request, deadline).await.map_err(|error| half_done(done > 0, error))?;
            deleted += answer.rows.iter().filter(|row| row.first == Some(1)).count() as u64;
        }
        Ok(deleted)
    }
}

/// The rest of the life of a row's entry.
fn remaining(row: &Row) -> Ttl {
    match row.first {
        Some(micros) => Ttl::After(Duration::from_millis(u64::try_from(micros).unwrap_or(0) / 1_000)),
        None => Ttl::Forever,
    }
}

/// After a part is done, nobody may read an error as "nothing happened".
fn half_done(something: bool, error: Error) -> Error {
    if something { error.with_kind(ErrorKind::Indeterminate) } else { error }
}

impl fmt::Debug for SqlStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqlStore")
            .field("place", &self.inner.place)
            .field("table", &self.inner.table.name())
            .field("enlists", &self.enlists)
            .field("deadline", &self.deadline)
            .field("reads", &self.inner.reads)
            .field("writes", &self.inner.writes)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl KvStore for SqlStore {
    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities
    }

    async fn get_entry(&self, key: &Key) -> Result<Option<Entry>> {
        let Some(row) = self.one("get", Verb::Get, Item::new(key.clone())).await? else { return Ok(None) };
        let value = self.bytes(&row).map_err(|error| self.fail("get", key, error))?;
        Ok(Some(Entry::new(value, remaining(&row))))
    }

    async fn set(&self, key: &Key, value: Bytes, opts: SetOptions) -> Result<SetOutcome> {
        let checked = self.inner.cap.check(value.len()).and_then(|()| Self::life(opts.ttl));
        let life = checked.map_err(|error| self.fail("set", key, error))?;
        let (verb, expected) = match opts.condition {
            SetIf::Always => (Verb::SetAlways, Bytes::new()),
            SetIf::Absent => (Verb::SetAbsent, Bytes::new()),
            SetIf::Present => (Verb::SetPresent, Bytes::new()),
            SetIf::Equals(expected) => (Verb::SetEquals, expected),
        };
        let row = self.one("set", verb, Item { key: key.clone(), value, expected, life }).await?;
        Ok(if verb == Verb::SetAlways || row.is_some() { SetOutcome::Written } else { SetOutcome::ConditionNotMet })
    }

    async fn delete_if(&self, key: &Key, when: DeleteIf) -> Result<bool> {
        let (verb, expected) = match when {
            DeleteIf::Always => (Verb::DeleteAlways, Bytes::new()),
            DeleteIf::Equals(expected) => (Verb::DeleteEquals, expected),
        };
        let row = self.one("delete", verb, Item { expected, ..Item::new(key.clone()) }).await?;
        Ok(row.is_some_and(|row| row.first == Some(1)))
    }

    async fn touch(&self, key: &Key, ttl: Ttl) -> Result<bool> {
        let life = Self::life(ttl).map_err(|error| self.fail("touch", key, error))?;
        let row = self.one("touch", Verb::Touch, Item { life, ..Item::new(key.clone()) }).await?;
        Ok(row.is_some())
    }

    async fn scan(&self, prefix: &Prefix, after: Option<Cursor>, limit: usize) -> Result<Page> {
        if limit == 0 {
            return Err(Error::invalid_input("a scan needs a limit of at least 1").at(self.inner.backend, "scan"));
        }
        let limit = limit.min(MAX_PAGE);
        let lower = prefix.to_physical();
        let bounds = Bounds {
            // A cursor from elsewhere must not lead out of the prefix.
            from: after.map(|cursor| cursor.as_str().to_owned()).filter(|from| *from > lower).unwrap_or(lower),
            until: prefix.upper_bound().unwrap_or_else(last_key),
            limit: limit as i64,
            ..Bounds::default()
        };
        let found = self.page("scan", bounds, self.due()).await?;
        let next = found.last().filter(|_| found.len() == limit).map(Cursor::new);
        // Whoever else writes to the table may have put there what is no key of ours.
        let keys = found.iter().filter_map(|key| Key::from_physical(key).ok()).collect();
        Ok(Page { keys, next })
    }

    async fn time(&self) -> Result<Timestamp> {
        let request = Request::of(Verb::Time, Vec::new());
        let answer = self.run("time", request).await?;
        match answer.rows.first().and_then(|row| row.first) {
            Some(micros) => Ok(Timestamp::from_unix_micros(micros)),
            None => {
                Err(Error::new(ErrorKind::Corrupt, "the database did not tell the time").at(self.inner.backend, "time"))
            }
        }
    }

    /// The view that enlists is none itself: who has it has the store.
    fn as_authority(&self) -> Option<&dyn AuthorityTier> {
        (!self.enlists).then_some(self)
    }

    fn as_counted(&self) -> Option<&dyn Counted> {
        Some(self)
    }

    fn with_deadline(&self, per_call: Duration) -> Arc<dyn KvStore> {
        Arc::new(Self { deadline: per_call, ..self.clone() })
    }

    async fn take(&self, key: &Key) -> Result<Option<Bytes>> {
        let deadline = self.due();
        match self.one_until("take", Verb::Take, Item::new(key.clone()), deadline).await? {
            Some(row) if row.first == Some(1) => {
                self.bytes(&row).map(Some).map_err(|error| self.fail("take", key, error))
            }
            Some(_) => Ok(None),
            // A value that is too large to hand out is not deleted either, and that is not the same as absent.
            None => match self.one_until("take", Verb::Get, Item::new(key.clone()), deadline).await? {
                Some(row) if row.bytes.is_none() => {
                    self.bytes(&row).map(Some).map_err(|error| self.fail("take", key, error))
                }
                // One that fits came only after we had looked.
                _ => Ok(None),
            },
        }
    }

    async fn increment(&self, key: &Key, by: i64, ttl: Ttl) -> Result<i64> {
        let life = Self::life(ttl).map_err(|error| self.fail("increment", key, error))?;
        let value = Bytes::from(by.to_string());
        let item = Item { value, life, ..Item::new(key.clone()) };
        let Some(row) = self.one("increment", Verb::Increment, item).await? else {
            let error = Error::invalid_input(
                "the value is not the decimal text of a 64-bit integer, or the sum does not fit one; the entry is kept",
            );
            return Err(self.fail("increment", key, error));
        };
        let sum = hallway_core::parse_canonical_i64(row.bytes.as_deref().unwrap_or_default());
        sum.map_err(|error| self.fail("increment", key, error.with_kind(ErrorKind::Corrupt)))
    }

    async fn get_many(&self, keys: &[Key]) -> Result<Vec<Option<Bytes>>> {
        let entries = self.entries("get_many", keys).await?;
        Ok(entries.into_iter().map(|entry| entry.map(|entry| entry.value)).collect())
    }

    async fn get_entries(&self, keys: &[Key]) -> Result<Vec<Option<Entry>>> {
        self.entries("get_entries", keys).await
    }

    async fn set_many(&self, items: &[(Key, Bytes, Ttl)]) -> Result<()> {
        let mut last = BTreeMap::new();
        for (key, value, ttl) in items {
            let checked = self.inner.cap.check(value.len()).and_then(|()| Self::life(*ttl));
            checked.map_err(|error| self.fail("set_many", key, error))?;
            last.insert(key.clone(), (value.clone(), *ttl));
        }
        let sorted: Vec<_> = last.into_iter().map(|(key, (value, ttl))| (key, value, ttl)).collect();
        let deadline = self.due();
        for (done, run) in write_batches(&sorted).enumerate() {
            let item = |(key, value, ttl): &(Key, Bytes, Ttl)| {
                Ok(Item { value: value.clone(), life: Self::life(*ttl)?, ..Item::new(key.clone()) })
            };
            let items = sorted[run].iter().map(item).collect::<Result<_>>()?;
            let request = Request::of(Verb::SetAlways, items);
            self.run_until("set_many", request, deadline).await.map_err(|error| half_done(done > 0, error))?;
        }
        Ok(())
    }

    async fn delete_many(&self, keys: &[Key]) -> Result<u64> {
        let mut keys = keys.to_vec();
        keys.sort_unstable();
        keys.dedup();
        self.delete_all("delete_many", keys, self.due()).await
    }

    async fn clear(&self, prefix: &Prefix) -> Result<u64> {
        let Some(until) = prefix.upper_bound() else {
            let error = Error::invalid_input("clear needs a prefix; it never empties a whole store");
            return Err(error.at(self.inner.backend, "clear"));
        };
        let deadline = self.due();
        let mut from = prefix.to_physical();
        let mut cleared = 0;
        loop {
            let (from_now, until) = (from.clone(), until.clone());
            let bounds =
                Bounds { from: from_now, until, limit: DELETE_KEYS as i64, expired: true, ..Bounds::default() };
            let something = cleared > 0;
            let found = self.page("clear", bounds, deadline).await.map_err(|error| half_done(something, error))?;
            let keys = found.iter().filter_map(|key| Key::from_physical(key).ok()).collect();
            cleared += self.delete_all("clear", keys, deadline).await.map_err(|error| half_done(something, error))?;
            match found.last() {
                Some(last) if found.len() == DELETE_KEYS => from.clone_from(last),
                _ => return Ok(cleared),
            }
        }
    }
}
