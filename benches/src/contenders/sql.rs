//! sqlx used plainly: its default pool, one statement per call, a table of key and value without expiry.
//!
//! The table does less than hallway's, so the comparison errs against hallway.

use std::path::Path;

use bytes::Bytes;
use sqlx::postgres::PgPool;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteSynchronous};

use crate::{Contender, Result};

/// `PgPool` with sqlx' defaults: ten connections, a ping on each acquire.
#[derive(Debug, Clone)]
pub struct RawPostgres(PgPool);

impl RawPostgres {
    /// Connects, and creates the table if it is not there.
    ///
    /// # Errors
    /// If the server does not answer.
    pub async fn connect(url: &str) -> Result<Self> {
        let pool = PgPool::connect(url).await?;
        sqlx::query(r#"CREATE TABLE IF NOT EXISTS raw_kv (key TEXT COLLATE "C" PRIMARY KEY, value BYTEA NOT NULL)"#)
            .execute(&pool)
            .await?;
        Ok(Self(pool))
    }
}

impl Contender for RawPostgres {
    type Key = String;
    type Value = Vec<u8>;

    fn key(&self, text: &str) -> Result<String> {
        Ok(format!("bench:kv:{text}"))
    }

    async fn get(&mut self, key: &String) -> Result<Option<Vec<u8>>> {
        Ok(sqlx::query_scalar("SELECT value FROM raw_kv WHERE key = $1").bind(key).fetch_optional(&self.0).await?)
    }

    async fn set(&mut self, key: &String, value: &Bytes) -> Result<()> {
        sqlx::query(
            "INSERT INTO raw_kv (key, value) VALUES ($1, $2) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        )
        .bind(key)
        .bind(&value[..])
        .execute(&self.0)
        .await?;
        Ok(())
    }
}

/// `SqlitePool` in write-ahead mode with `synchronous = FULL`, as hallway's.
#[derive(Debug, Clone)]
pub struct RawSqlite(SqlitePool);

impl RawSqlite {
    /// Opens a file with that many connections, and creates the table if it is not there.
    ///
    /// # Errors
    /// If the file cannot be opened.
    pub async fn open(file: &Path, connections: u32) -> Result<Self> {
        let options = SqliteConnectOptions::new()
            .filename(file)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Full);
        let pool = SqlitePoolOptions::new().max_connections(connections).connect_with(options).await?;
        sqlx::query("CREATE TABLE IF NOT EXISTS raw_kv (key TEXT PRIMARY KEY, value BLOB NOT NULL)")
            .execute(&pool)
            .await?;
        Ok(Self(pool))
    }
}

impl Contender for RawSqlite {
    type Key = String;
    type Value = Vec<u8>;

    fn key(&self, text: &str) -> Result<String> {
        Ok(format!("bench:kv:{text}"))
    }

    async fn get(&mut self, key: &String) -> Result<Option<Vec<u8>>> {
        Ok(sqlx::query_scalar("SELECT value FROM raw_kv WHERE key = ?").bind(key).fetch_optional(&self.0).await?)
    }

    async fn set(&mut self, key: &String, value: &Bytes) -> Result<()> {
        sqlx::query(
            "INSERT INTO raw_kv (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value",
        )
        .bind(key)
        .bind(&value[..])
        .execute(&self.0)
        .await?;
        Ok(())
    }
}
