//! Writing to the outbox on a connection or in a transaction of sqlx 0.9.

use hallway_core::{Error, Key, Result};
use sqlx::pool::PoolConnection;
use sqlx::{SqlStr, Transaction};

use crate::outbox::Outbox;

impl Outbox {
    /// Owes an invalidation of each key as part of your transaction: nothing is owed unless it commits.
    ///
    /// It takes a `Transaction`, a `PoolConnection`, a `PgConnection` or a `SqliteConnection` of the database that the
    /// store is in, and has no time limit but those of the connection. On a connection that is in no transaction the
    /// rows are committed at once.
    ///
    /// # Errors
    /// `InvalidInput` for a connection to the other database; `InvalidConfig` if the table is missing there; else as
    /// for the store's own writes. On PostgreSQL the transaction can then only be rolled back.
    ///
    /// # Cancel safety
    /// As for any statement of sqlx: a transaction whose statement was dropped half-way is rolled back.
    pub async fn invalidate<C: OutboxConnection>(&self, connection: &mut C, keys: &[Key]) -> Result<()> {
        if C::DIALECT != self.dialect {
            return Err(Error::invalid_input(format!(
                "the connection is one of {}, and the store's outbox is in {}",
                C::DIALECT,
                self.dialect
            ))
            .at(self.dialect, "invalidate"));
        }
        if keys.is_empty() {
            return Ok(());
        }
        let statement = self.statement(keys);
        let [keys] = statement.binds;
        connection.owe(statement.sql, keys).await.map_err(|error| error.at(self.dialect, "invalidate"))
    }
}

/// Where [`Outbox::invalidate`] can write: connections and transactions of sqlx 0.9.
pub trait OutboxConnection: private::Owe {}

impl<C: private::Owe> OutboxConnection for C {}

mod private {
    use super::*;

    pub trait Owe: Send {
        const DIALECT: &'static str;

        fn owe(&mut self, sql: SqlStr, keys: String) -> impl Future<Output = Result<()>> + Send;
    }
}

macro_rules! connections {
    ($database:ident, $connection:ident, $dialect:ident, $driver:ident) => {
        impl private::Owe for sqlx::$connection {
            const DIALECT: &'static str = crate::dialect::$driver::$dialect.name;

            async fn owe(&mut self, sql: SqlStr, keys: String) -> Result<()> {
                let done = sqlx::query(sql).bind(keys).execute(self).await;
                done.map(drop).map_err(|error| crate::driver::$driver::translate(&error).into_error(true))
            }
        }

        impl private::Owe for PoolConnection<sqlx::$database> {
            const DIALECT: &'static str = crate::dialect::$driver::$dialect.name;

            async fn owe(&mut self, sql: SqlStr, keys: String) -> Result<()> {
                (**self).owe(sql, keys).await
            }
        }

        impl private::Owe for Transaction<'_, sqlx::$database> {
            const DIALECT: &'static str = crate::dialect::$driver::$dialect.name;

            async fn owe(&mut self, sql: SqlStr, keys: String) -> Result<()> {
                (**self).owe(sql, keys).await
            }
        }
    };
}

#[cfg(feature = "postgres")]
connections!(Postgres, PgConnection, POSTGRES, postgres);
#[cfg(feature = "sqlite")]
connections!(Sqlite, SqliteConnection, SQLITE, sqlite);
