//! A process's client of the database.

use std::fmt;
use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use hallway_core::{
    AuthorityTier, Capabilities, Capability, Cursor, DeleteIf, Entry, Error, ErrorKind, Key, KvStore, OutboxId,
    OutboxRow, Page, Prefix, Result, SetOptions, SetOutcome, Timestamp, Ttl,
};
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep, sleep_until, timeout_at};

use super::SimSql;
use super::fate::{Plan, SqlFate};
use super::statement::{Answer, Statement, millis};

const BACKEND: &str = "sim-sql";

/// How long a call waits unless a view says otherwise.
const DEADLINE: Duration = Duration::from_secs(3);

/// Later than anybody waits for.
const FAR: Duration = Duration::from_secs(86_400 * 365);

/// A [`KvStore`] and [`AuthorityTier`] over a [`SimSql`]. A clone is the same client.
///
/// A write whose deadline passes is `Indeterminate`, a read `Unavailable`, as in a real store; a dropped call does not take
/// its statement back.
#[derive(Clone)]
pub struct SimSqlStore {
    shared: Arc<Client>,
    deadline: Duration,
    enlists: bool,
}

struct Client {
    sql: SimSql,
    has_ended: AtomicBool,
    is_cut_off: AtomicBool,
    /// Until when nothing is sent or heard, in microseconds of the world.
    stalled_until: AtomicU64,
}

impl SimSqlStore {
    pub(super) fn new(sql: SimSql) -> Self {
        let shared = Arc::new(Client {
            sql,
            has_ended: AtomicBool::new(false),
            is_cut_off: AtomicBool::new(false),
            stalled_until: AtomicU64::new(0),
        });
        Self { shared, deadline: DEADLINE, enlists: false }
    }

    /// Cuts the client off, or no longer: what it sends is lost and it hears nothing, so its calls end by their deadlines.
    pub fn cut_off(&self, is_cut_off: bool) {
        self.shared.is_cut_off.store(is_cut_off, Ordering::Relaxed);
    }

    /// Neither sends nor hears anything for so long.
    pub fn stall(&self, duration: Duration) {
        let until = self.shared.sql.0.clock.micros() + duration.as_micros() as u64;
        self.shared.stalled_until.fetch_max(until, Ordering::Relaxed);
    }

    /// The process has ended: no call ever ends. Of the statements on their way half arrive.
    pub(crate) fn end(&self) {
        self.shared.has_ended.store(true, Ordering::Relaxed);
    }

    async fn call(&self, statement: Statement) -> Result<Answer> {
        let is_write = statement.is_write();
        let now = Instant::now();
        let until = now.checked_add(self.deadline).unwrap_or(now + FAR);
        match timeout_at(until, self.exchange(statement, until)).await {
            Ok(answer) => answer,
            Err(_) => {
                self.unless_ended().await;
                let kind = if is_write { ErrorKind::Indeterminate } else { ErrorKind::Unavailable };
                Err(Error::new(kind, "no answer by the deadline"))
            }
        }
    }

    async fn exchange(&self, statement: Statement, until: Instant) -> Result<Answer> {
        self.unless_ended().await;
        self.shared.stand_still().await;
        if self.shared.is_cut_off.load(Ordering::Relaxed) {
            return pending().await;
        }
        let is_write = statement.is_write();
        let (plan, limit) = {
            let mut state = self.shared.sql.lock();
            if state.is_down {
                return Err(Error::new(ErrorKind::Unavailable, "the database refuses connections"));
            }
            let decided = if is_write { state.fates.pop_front() } else { None };
            let faults = state.faults;
            (faults.draw(&mut state.rng, decided, is_write), faults.statement_timeout)
        };
        let (say, heard) = oneshot::channel();
        // Of its own: the server does not stop working because nobody waits any more.
        tokio::spawn(serve(Arc::clone(&self.shared), statement, self.enlists, plan, limit, say));
        let answer = if matches!(plan.fate, SqlFate::Unknown { .. }) {
            self.break_off(plan, until).await
        } else {
            heard.await.unwrap_or_else(|_| Err(Error::new(ErrorKind::Unavailable, "the database ended the connection")))
        };
        self.shared.stand_still().await;
        self.unless_ended().await;
        if self.shared.is_cut_off.load(Ordering::Relaxed) {
            return pending().await;
        }
        answer
    }

    /// Waits for a random part of the time that is left.
    async fn break_off(&self, plan: Plan, until: Instant) -> Result<Answer> {
        let left = until.saturating_duration_since(Instant::now());
        sleep(left.mul_f64(plan.silence)).await;
        Err(Error::new(ErrorKind::Indeterminate, "the connection was lost before the answer"))
    }

    async fn unless_ended(&self) {
        if self.shared.has_ended.load(Ordering::Relaxed) {
            pending::<()>().await;
        }
    }

    async fn change(&self, operation: &'static str, key: Option<&Key>, statement: Result<Statement>) -> Result<Answer> {
        let answer = match statement {
            Ok(statement) => self.call(statement).await,
            Err(error) => Err(error),
        };
        answer.map_err(|error| {
            let error = error.at(BACKEND, operation);
            match key {
                Some(key) => error.with_key(key),
                None => error,
            }
        })
    }

    async fn flag(&self, operation: &'static str, key: &Key, statement: Result<Statement>) -> Result<bool> {
        match self.change(operation, Some(key), statement).await? {
            Answer::Changed(count) => Ok(count > 0),
            other => unreachable!("{operation} was answered by {other:?}"),
        }
    }

    async fn entries(&self, operation: &'static str, statement: Statement) -> Result<Vec<Option<Entry>>> {
        match self.change(operation, None, Ok(statement)).await? {
            Answer::Entries(entries) => Ok(entries),
            other => unreachable!("{operation} was answered by {other:?}"),
        }
    }
}

impl Client {
    async fn stand_still(&self) {
        loop {
            let until = self.stalled_until.load(Ordering::Relaxed);
            if until <= self.sql.0.clock.micros() {
                return;
            }
            sleep_until(self.sql.0.clock.instant(until)).await;
        }
    }
}

/// What happens to a statement once it has been sent.
async fn serve(
    client: Arc<Client>,
    statement: Statement,
    enlists: bool,
    plan: Plan,
    limit: Duration,
    say: oneshot::Sender<Result<Answer>>,
) {
    sleep(plan.there).await;
    if client.has_ended.load(Ordering::Relaxed) && !plan.outlives_caller {
        return;
    }
    let commits = match plan.fate {
        SqlFate::Done => true,
        SqlFate::Failed => false,
        SqlFate::Unknown { commits } => commits,
    };
    sleep(plan.work.min(limit)).await;
    let answer = if plan.work > limit {
        Err(Error::new(ErrorKind::Unavailable, "canceling statement due to statement timeout"))
    } else if commits {
        let now = client.sql.0.clock.micros();
        client.sql.lock().database.run(now, &statement, enlists)
    } else {
        Err(Error::new(ErrorKind::Unavailable, "the database could not run the statement"))
    };
    sleep(plan.back).await;
    // Nobody may be waiting any more.
    drop(say.send(answer));
}

#[async_trait]
impl KvStore for SimSqlStore {
    fn capabilities(&self) -> Capabilities {
        Capabilities::all().without(Capability::LocalRead)
    }

    async fn get_entry(&self, key: &Key) -> Result<Option<Entry>> {
        let entries = self.entries("get_entry", Statement::Get(vec![key.clone()])).await;
        Ok(entries.map_err(|error| error.with_key(key))?.pop().flatten())
    }

    async fn set(&self, key: &Key, value: Bytes, opts: SetOptions) -> Result<SetOutcome> {
        let statement = Statement::set(&[(key.clone(), value, opts.ttl)], opts.condition);
        let written = self.flag("set", key, statement).await?;
        Ok(if written { SetOutcome::Written } else { SetOutcome::ConditionNotMet })
    }

    async fn delete_if(&self, key: &Key, when: DeleteIf) -> Result<bool> {
        self.flag("delete", key, Ok(Statement::Delete { keys: vec![key.clone()], when })).await
    }

    async fn touch(&self, key: &Key, ttl: Ttl) -> Result<bool> {
        self.flag("touch", key, millis(ttl).map(|ttl| Statement::Touch { key: key.clone(), ttl })).await
    }

    async fn scan(&self, prefix: &Prefix, after: Option<Cursor>, limit: usize) -> Result<Page> {
        match self.change("scan", None, Statement::scan(prefix, after, limit)).await? {
            Answer::Page(page) => Ok(page),
            other => unreachable!("scan was answered by {other:?}"),
        }
    }

    async fn time(&self) -> Result<Timestamp> {
        match self.change("time", None, Ok(Statement::Time)).await? {
            Answer::Time(time) => Ok(time),
            other => unreachable!("time was answered by {other:?}"),
        }
    }

    fn with_deadline(&self, per_call: Duration) -> Arc<dyn KvStore> {
        Arc::new(Self { deadline: per_call, ..self.clone() })
    }

    fn as_authority(&self) -> Option<&dyn AuthorityTier> {
        Some(self)
    }

    async fn take(&self, key: &Key) -> Result<Option<Bytes>> {
        let entries = self.entries("take", Statement::Take(key.clone())).await;
        let entry = entries.map_err(|error| error.with_key(key))?.pop().flatten();
        Ok(entry.map(|entry| entry.value))
    }

    async fn increment(&self, key: &Key, by: i64, ttl: Ttl) -> Result<i64> {
        let statement = millis(ttl).map(|ttl| Statement::Increment { key: key.clone(), by, ttl });
        match self.change("increment", Some(key), statement).await? {
            Answer::Sum(sum) => Ok(sum),
            other => unreachable!("increment was answered by {other:?}"),
        }
    }

    async fn get_many(&self, keys: &[Key]) -> Result<Vec<Option<Bytes>>> {
        let entries = self.entries("get_many", Statement::Get(keys.to_vec())).await?;
        Ok(entries.into_iter().map(|entry| entry.map(|entry| entry.value)).collect())
    }

    async fn set_many(&self, items: &[(Key, Bytes, Ttl)]) -> Result<()> {
        self.change("set_many", None, Statement::set(items, hallway_core::SetIf::Always)).await.map(drop)
    }

    async fn delete_many(&self, keys: &[Key]) -> Result<u64> {
        let statement = Statement::Delete { keys: keys.to_vec(), when: DeleteIf::Always };
        match self.change("delete_many", None, Ok(statement)).await? {
            Answer::Changed(deleted) => Ok(deleted),
            other => unreachable!("delete_many was answered by {other:?}"),
        }
    }
}

#[async_trait]
impl AuthorityTier for SimSqlStore {
    fn enlisting(&self) -> Arc<dyn KvStore> {
        Arc::new(Self { enlists: true, ..self.clone() })
    }

    async fn pending(&self, limit: usize) -> Result<Vec<OutboxRow>> {
        match self.change("pending", None, Ok(Statement::Pending(limit))).await? {
            Answer::Rows(rows) => Ok(rows),
            other => unreachable!("pending was answered by {other:?}"),
        }
    }

    async fn settle(&self, rows: &[OutboxId]) -> Result<()> {
        self.change("settle", None, Ok(Statement::Settle(rows.to_vec()))).await.map(drop)
    }
}

impl fmt::Debug for SimSqlStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SimSqlStore")
            .field("deadline", &self.deadline)
            .field("enlists", &self.enlists)
            .finish_non_exhaustive()
    }
}
