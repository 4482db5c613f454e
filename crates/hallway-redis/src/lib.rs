//! The shared store of hallway: Redis and Valkey behind the [`KvStore`](hallway_core::KvStore) contract.
//!
//! [`RedisStore`] keeps one multiplexed connection for small values and one for large ones, each with a supervisor that
//! replaces it in the background, so that no caller ever waits for a server that is down. Raw keys hold exactly the
//! bytes that were set: `redis-cli` and programs in other languages read them.

mod batch;
mod coalesce;
mod config;
mod copies;
mod engine;
mod fault;
mod gets;
mod guard;
mod large;
mod link;
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
