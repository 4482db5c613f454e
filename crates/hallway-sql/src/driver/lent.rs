//! A connection of the caller's pool, which gets back only what it can use.

use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::{Database, Pool};

use crate::failure::{Effect, Failure, from_sqlx};

/// How long a connection of the caller's pool is waited for.
const ACQUIRE_LIMIT: Duration = Duration::from_secs(2);

/// A connection that is closed instead of given back unless it was [`finish`](Self::finish)ed.
pub(super) struct Lent<D: Database> {
    pub(super) connection: PoolConnection<D>,
    pub(super) clean: bool,
}

pub(super) async fn acquire<D: Database>(
    pool: &Pool<D>,
    failed: fn(&sqlx::Error) -> Failure,
) -> Result<PoolConnection<D>, Failure> {
    match tokio::time::timeout(ACQUIRE_LIMIT, pool.acquire()).await {
        Ok(acquired) => acquired.map_err(|error| failed(&error)),
        Err(_) => Err(from_sqlx(&sqlx::Error::PoolTimedOut)),
    }
}

impl<D: Database> Lent<D> {
    pub(super) async fn acquire(pool: &Pool<D>, failed: fn(&sqlx::Error) -> Failure) -> Result<Self, Failure> {
        Ok(Self { connection: acquire(pool, failed).await?, clean: false })
    }

    pub(super) fn finish<T>(&mut self, answer: &Result<T, Failure>) {
        self.clean = !answer.as_ref().is_err_and(|failure| matches!(failure.effect, Effect::Lost | Effect::Drop));
    }
}

impl<D: Database> Drop for Lent<D> {
    fn drop(&mut self) {
        if !self.clean {
            self.connection.close_on_drop();
        }
    }
}
