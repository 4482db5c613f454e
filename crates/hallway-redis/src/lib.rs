//! The shared store of hallway: Redis and Valkey behind the [`KvStore`](hallway_core::KvStore) contract.
//!
//! [`RedisStore`] keeps one multiplexed connection for small values and one for large ones, each with a supervisor that
//! replaces it in the background, so that no caller ever waits for a server that is down. Raw keys hold exactly the
//! bytes that were set: `redis-cli` and programs in other languages read them.
//!
//! As a shared tier ([`KvStore::as_shared`](hallway_core::KvStore::as_shared)) it holds copies of what lives elsewhere,
//! with leases and write markers, under keys that the caller has put apart. Each link has one more connection, which
//! carries reads, invalidations and heartbeat in one order; the server must be a primary that allows `CLIENT TRACKING`,
//! or the link says that it proves nothing. `SWAPDB` is the one change that a server does not announce: do not use it
//! on the database of a shared tier.

mod batch;
mod coalesce;
mod config;
mod copies;
mod deadline;
mod engine;
mod fault;
mod gets;
mod guard;
mod large;
mod link;
mod observe;
mod pulse;
mod scan;
mod scripts;
mod shared;
mod states;
mod stats;
mod store;
mod target;
#[cfg(feature = "tls")]
mod tls;
mod tracking;
mod transport;

pub use crate::config::RedisConfig;
pub use crate::stats::RedisStats;
pub use crate::store::RedisStore;
