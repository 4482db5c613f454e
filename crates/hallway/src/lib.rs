//! One way to keep state that other code can also see: in this process, in Redis, in SQL.
//!
//! [`open`] turns a URL into a store, [`Config`] turns the environment or a TOML file into a set of them, put together as
//! tiers with a promise about staleness: `TieredStore`, and `Cache` for what a loader of yours gives. Everything else is
//! [`KvStore`], the contract that every store keeps, and [`KvStoreExt`], what can be built on it.
//!
//! ```
//! # #[cfg(all(feature = "moka", feature = "json"))]
//! # fn main() -> hallway::Result<()> {
//! # tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
//! use std::time::Duration;
//! use hallway::{Bytes, KvStore, Namespace, SetOptions};
//!
//! let store = hallway::open("moka:?max=64MiB").await?;
//! let users = Namespace::new("user:profile")?;
//! store.set(&users.key("42")?, Bytes::from("Ada"), SetOptions::new(Duration::from_secs(3600))).await?;
//! assert_eq!(store.get(&users.key("42")?).await?.as_deref(), Some(&b"Ada"[..]));
//! # Ok(()) })
//! # }
//! # #[cfg(not(all(feature = "moka", feature = "json")))]
//! # fn main() {}
//! ```
//!
//! # Features
//!
//! A feature adds types and URL schemes. It never changes what an existing type does, and asking for what was not
//! compiled in is [`ErrorKind::MissingFeature`], which names the feature.
//!
//! | feature | adds | pulls in | default |
//! |---|---|---|---|
//! | `moka` | `MokaStore`; `moka:` | moka | yes |
//! | `redis` | `RedisStore`; `redis://`, `redis+unix://` | redis, tokio | |
//! | `redis-tls` | `redis` with `rediss://` | rustls, webpki-roots | |
//! | `sqlite` | `SqlStore` on SQLite; `sqlite:` | sqlx, the SQLite library (built from C) | |
//! | `postgres` | `SqlStore` on PostgreSQL; `postgres://`, `postgresql://` | sqlx | |
//! | `sql-tls` | TLS to PostgreSQL | rustls, webpki-roots | |
//! | `sqlx-09` | `SqlStore::from_pool` and other signatures that show sqlx 0.9 types | nothing more | |
//! | `tiered` | `TieredStore`, `Cache`; `Config::open` gives the tiers instead of bare stores; brings `json` | tokio, tracing | yes |
//! | `session` | `Sessions` over any store; brings `json` | sha2, getrandom, tracing | |
//! | `aead` | `SealingKeys`: session records that only the application reads | chacha20poly1305 | |
//! | `axum` | `session` with a layer and an extractor for axum 0.8 | axum-core, cookie, http, tower-layer, tower-service | |
//! | `tower-sessions` | `session::tower::TowerStore` for tower-sessions 0.15; brings `session` | tower-sessions-core | |
//! | `tower-sessions-014` | the same for tower-sessions 0.14, which axum-login 0.18 needs | tower-sessions-core 0.14 | |
//! | `json` | the `Json` codec | serde, serde_json | with `tiered` |
//! | `postcard` | the `Postcard` codec | serde, postcard | |
//! | `bincode` | the `Bincode` codec; unmaintained upstream, so not in `full` | serde, bincode 2.0.1 | |
//! | `metrics` | `metrics::Exporter`, and measurements of what takes time, for a recorder of the `metrics` crate; brings `tiered` | metrics | |
//! | `otel` | spans with the fields that `tracing-opentelemetry` looks for | nothing | |
//! | `full` | everything but `bincode` | all of the above | |
//!
//! # Options of every URL
//!
//! `connect=now` reaches the server before [`open`] returns; `connect=lazy`, the default, leaves that to the first
//! call. `deadline=250ms` bounds each call, `max_value=1MiB` each value. The others are described with their store.
#![cfg_attr(hallway_docs, feature(doc_cfg))]

mod config;
mod open;

#[doc(inline)]
pub use hallway_core::*;
#[cfg(feature = "tiered")]
#[cfg_attr(hallway_docs, doc(cfg(feature = "tiered")))]
#[doc(inline)]
pub use hallway_tiered::*;

pub use crate::config::{Config, Stores};
pub use crate::open::open;

/// The in-process store.
#[cfg(feature = "moka")]
#[cfg_attr(hallway_docs, doc(cfg(feature = "moka")))]
pub mod moka {
    pub use hallway_moka::*;
}

/// The store that all instances share: Redis and Valkey.
#[cfg(feature = "redis")]
#[cfg_attr(hallway_docs, doc(cfg(feature = "redis")))]
pub mod redis {
    pub use hallway_redis::*;
}

/// Sessions that expire, slide, rotate and stay dead, in any store.
#[cfg(feature = "session")]
#[cfg_attr(hallway_docs, doc(cfg(feature = "session")))]
pub mod session {
    pub use hallway_session::*;
}

/// The store that is the truth: SQLite and PostgreSQL.
#[cfg(any(feature = "sqlite", feature = "postgres"))]
#[cfg_attr(hallway_docs, doc(cfg(any(feature = "sqlite", feature = "postgres"))))]
pub mod sql {
    pub use hallway_sql::*;
}
