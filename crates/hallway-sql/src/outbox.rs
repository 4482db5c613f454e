//! The outbox: a table of keys whose copies elsewhere are out of date, written in the transaction that made them so.
//!
//! Beside its entries every store has a table of invalidations that are owed to the shared tier, `<table>_outbox`. A
//! commit that changes what is cached and the row that says so are one transaction: both or neither. Any instance that
//! reaches the shared tier reads the rows, invalidates the keys and deletes the rows, at least once each.
//!
//! | column | SQLite | PostgreSQL | what it is |
//! |---|---|---|---|
//! | `id` | `INTEGER`, given by the database | `bigint`, given by the database | names the row; never used twice |
//! | `key` | `TEXT` | `text` | the physical key, such as `user:profile:42` |
//! | `written` | `INTEGER`, now by default | `bigint`, now by default | microseconds since 1970 on the database's clock |
//!
//! It is there for every driver, language and trigger: `INSERT INTO hallway_kv_outbox (key) VALUES ('user:profile:42')`
//! is all it takes. In a key `%`, `:`, `{` and `}` that belong to a name are written `%25`, `%3A`, `%7B` and `%7D`, as
//! [`Key`] does it. A row whose key is no physical form of any key names no copy: it is deleted with a warning and holds
//! nobody up. Write `id` and `written` only by their defaults. The role that inserts needs `INSERT` on the table and
//! nothing else; on PostgreSQL the name is looked up in its `search_path`, so that must lead where the store's leads.
//!
//! The invalidation comes after the commit, when an instance next looks: until then readers of copies may see what was
//! before. What must be seen at once is written through the store itself.
//!
//! # From a transaction of your own
//! [`Outbox::statement`] gives text and parameter for any driver. With feature `sqlx-09`,
//! [`Outbox::invalidate`] runs it in a transaction of sqlx 0.9:
//!
//! ```
//! # #[cfg(all(feature = "sqlite", feature = "sqlx-09"))]
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
//! use hallway_core::{KvStore, Namespace};
//! use hallway_sql::SqlStore;
//!
//! # let folder = tempfile::tempdir()?;
//! # let file = folder.path().join("app.db");
//! # let options = sqlx::sqlite::SqliteConnectOptions::new().filename(&file).create_if_missing(true);
//! # let pool = sqlx::SqlitePool::connect_with(options).await?;
//! # sqlx::query("CREATE TABLE users (id INTEGER PRIMARY KEY, name TEXT NOT NULL)").execute(&pool).await?;
//! let store = SqlStore::from_pool(pool.clone())?;
//! # store.ping().await?;
//! let outbox = store.outbox();
//! let profile = Namespace::new("user:profile")?.key("42")?;
//!
//! let mut tx = pool.begin().await?;
//! sqlx::query("UPDATE users SET name = ? WHERE id = ?").bind("Ada").bind(42).execute(&mut *tx).await?;
//! outbox.invalidate(&mut tx, &[profile]).await?;
//! tx.commit().await?;
//! # assert_eq!(store.as_authority().unwrap().pending(10).await?.len(), 1);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # }).unwrap();
//! ```
//!
//! # From a trigger
//! Then no writer can forget it, not even a person at a prompt. SQLite:
//!
//! ```sql
#![doc = include_str!("outbox/trigger_sqlite.sql")]
//! ```
//!
//! PostgreSQL:
//!
//! ```sql
#![doc = include_str!("outbox/trigger_postgres.sql")]
//! ```

#[cfg(all(feature = "sqlx-09", any(feature = "postgres", feature = "sqlite")))]
mod sqlx_09;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use hallway_core::{AuthorityTier, Key, KvStore, MAX_PAGE, OutboxId, OutboxRow, Result, Timestamp};
use sqlx::SqlStr;
use tokio::time::Instant;

use crate::dialect::Verb;
use crate::json;
use crate::lane::Request;
use crate::link::Bounds;
#[cfg(all(feature = "sqlx-09", any(feature = "postgres", feature = "sqlite")))]
pub use crate::outbox::sqlx_09::OutboxConnection;
use crate::store::SqlStore;

/// Rows that one statement settles.
const SETTLE_ROWS: usize = 1_000;

/// The table of owed invalidations of one store, for transactions of your own. See the [module](self).
#[derive(Clone)]
pub struct Outbox {
    dialect: &'static str,
    table: String,
    insert: SqlStr,
}

impl Outbox {
    /// The name of the table, unquoted: `hallway_kv_outbox`. Names of more than 56 bytes are cut and end with a hash.
    #[must_use]
    pub fn table(&self) -> &str {
        &self.table
    }

    /// One statement that owes an invalidation of each key, for any driver. No keys are no rows.
    ///
    /// ```
    /// # #[cfg(feature = "sqlite")]
    /// # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
    /// # use hallway_core::{Namespace, StoreUrl};
    /// # let store = hallway_sql::SqlStore::open_url(StoreUrl::parse("sqlite::memory:")?).await?;
    /// let user = Namespace::new("user")?;
    /// let statement = store.outbox().statement(&[user.key("ada")?, user.key("bob")?]);
    /// assert_eq!(statement.sql(), r#"INSERT INTO "hallway_kv_outbox" (key) SELECT value FROM json_each(?1)"#);
    /// assert_eq!(statement.binds(), [r#"["user:ada","user:bob"]"#]);
    /// # Ok::<(), hallway_core::Error>(())
    /// # }).unwrap();
    /// ```
    #[must_use]
    pub fn statement(&self, keys: &[Key]) -> OutboxStatement {
        OutboxStatement { sql: self.insert.clone(), binds: [json::array(keys.iter().map(Key::as_str))] }
    }
}

impl fmt::Debug for Outbox {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outbox").field("dialect", &self.dialect).field("table", &self.table).finish()
    }
}

/// What a driver needs to insert rows into an outbox. The text is the same for any number of keys, so that it can be
/// prepared once.
///
/// `Debug` shows no keys.
#[derive(Clone)]
pub struct OutboxStatement {
    sql: SqlStr,
    binds: [String; 1],
}

impl OutboxStatement {
    /// The text, with the placeholders of the store's database: `?1`, or `$1`.
    #[must_use]
    pub fn sql(&self) -> &str {
        self.sql.as_str()
    }

    /// The values of the placeholders in their order, to be bound as text. There is one: the keys as a JSON array.
    #[must_use]
    pub fn binds(&self) -> &[String] {
        &self.binds
    }
}

impl fmt::Debug for OutboxStatement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OutboxStatement").field("sql", &self.sql()).finish_non_exhaustive()
    }
}

impl SqlStore {
    /// The table of owed invalidations, for transactions of your own.
    #[must_use]
    pub fn outbox(&self) -> Outbox {
        let (dialect, table) = (self.inner.dialect, &self.inner.table);
        Outbox { dialect: dialect.name, table: table.outbox(), insert: dialect.render(dialect.owe, table) }
    }

    async fn settle_until(&self, ids: &[i64], deadline: Instant) -> Result<()> {
        for ids in ids.chunks(SETTLE_ROWS) {
            let bounds = Bounds { ids: ids.to_vec(), ..Bounds::default() };
            self.run_until("settle", Request::within(Verb::Settle, bounds), deadline).await?;
        }
        Ok(())
    }
}

/// Calls end by the store's deadline, as all its calls do.
#[async_trait]
impl AuthorityTier for SqlStore {
    fn enlisting(&self) -> Arc<dyn KvStore> {
        Arc::new(Self { enlists: true, ..self.clone() })
    }

    fn write_limit(&self) -> Option<Duration> {
        SqlStore::write_limit(self)
    }

    /// Rows whose key is none are deleted with a warning.
    async fn pending(&self, limit: usize) -> Result<Vec<OutboxRow>> {
        if limit == 0 {
            return Ok(Vec::new());
        }
        let deadline = self.due();
        let limit = limit.min(MAX_PAGE);
        loop {
            let bounds = Bounds { limit: limit as i64, ..Bounds::default() };
            let answer = self.run_until("pending", Request::within(Verb::Pending, bounds), deadline).await?;
            let found = answer.rows.len();
            let (mut owed, mut strangers) = (Vec::with_capacity(found), Vec::new());
            for row in answer.rows {
                let id = row.first.unwrap_or_default();
                match Key::from_physical(&row.key) {
                    Ok(key) => {
                        let written = Timestamp::from_unix_micros(row.second.unwrap_or_default());
                        owed.push(OutboxRow { id: OutboxId(id), key, written });
                    }
                    Err(_) => strangers.push(id),
                }
            }
            if !strangers.is_empty() {
                tracing::warn!(
                    rows = strangers.len(),
                    table = self.inner.table.outbox(),
                    "deleting rows of the outbox whose key is no physical key; see who inserts them"
                );
                match self.settle_until(&strangers, deadline).await {
                    // The next round meets them again, and must not keep back what is owed now.
                    Err(error) if !owed.is_empty() => tracing::warn!(%error, "they could not be deleted"),
                    settled => settled?,
                }
            }
            if !owed.is_empty() || found < limit {
                return Ok(owed);
            }
        }
    }

    async fn settle(&self, rows: &[OutboxId]) -> Result<()> {
        let mut ids: Vec<i64> = rows.iter().map(|row| row.0).collect();
        ids.sort_unstable();
        ids.dedup();
        self.settle_until(&ids, self.due()).await
    }
}
