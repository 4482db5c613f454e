//! The consistent store of hallway: entries in one table of SQLite or PostgreSQL, behind the `KvStore` contract.
//!
//! Expiry is decided by the database's clock alone. Concurrent calls are coalesced into one statement, without a
//! timer: what queues while a statement is on the wire becomes the next one. Every statement stands alone and is
//! atomic; what a caller's condition found is told to that caller.
//!
//! | feature | adds |
//! |---|---|
//! | `sqlite` | `sqlite:` URLs, SQLite compiled in |
//! | `postgres` | `postgres://` URLs |
//! | `tls` | TLS to PostgreSQL |
//! | `otel` | spans that `tracing-opentelemetry` reads: name, kind, status |
//! | `sqlx-09` | stores over a pool of sqlx 0.9 that you have already |

#![cfg_attr(
    not(any(feature = "sqlite", feature = "postgres")),
    expect(dead_code, unreachable_code, unused_variables, reason = "without a dialect no store can be made")
)]

mod config;
mod dialect;
mod driver;
mod failure;
mod json;
mod lane;
mod link;
mod observe;
mod opener;
pub mod outbox;
mod schema;
mod stats;
mod store;
mod sweeper;
mod table;
#[cfg(feature = "postgres")]
mod tls;

pub use crate::config::{Durability, SqlConfig};
pub use crate::outbox::{Outbox, OutboxStatement};
pub use crate::schema::{Migrate, schema_sql};
pub use crate::stats::SqlStats;
pub use crate::store::SqlStore;
