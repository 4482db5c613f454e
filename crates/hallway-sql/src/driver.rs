//! The connections themselves: sqlx stays in here.

#[cfg(feature = "postgres")]
pub(crate) mod postgres;
#[cfg(feature = "sqlite")]
pub(crate) mod sqlite;

/// How long a connection of the caller's pool is waited for.
#[cfg(feature = "sqlx-09")]
const ACQUIRE_LIMIT: std::time::Duration = std::time::Duration::from_secs(2);
