//! The in-process store of hallway: a bounded [moka](https://docs.rs/moka) cache that keeps the `KvStore` contract.
//!
//! It is a cache: an entry may leave before its deadline when room is needed, and everything is gone with the process.
//!
//! ```
//! use std::time::Duration;
//! use hallway_core::{Bytes, KvStore, Namespace, SetOptions};
//! use hallway_moka::MokaStore;
//!
//! # async fn example() -> hallway_core::Result<()> {
//! let store = MokaStore::builder().with_max_bytes(64 << 20).build()?;
//! let key = Namespace::new("user:profile")?.key("42")?;
//! store.set(&key, Bytes::from_static(b"Ada"), SetOptions::new(Duration::from_secs(3600))).await?;
//! assert_eq!(store.try_get(&key).as_deref(), Some(&b"Ada"[..]));
//! # Ok(())
//! # }
//! ```

mod config;
mod hashed;
mod map;
mod store;
mod sweeper;

pub use crate::config::MokaConfig;
pub use crate::store::MokaStore;
