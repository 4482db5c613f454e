//! The connections themselves: sqlx stays in here.

#[cfg(all(feature = "sqlx-09", any(feature = "postgres", feature = "sqlite")))]
mod lent;
#[cfg(feature = "postgres")]
pub(crate) mod postgres;
#[cfg(feature = "sqlite")]
pub(crate) mod sqlite;
