//! Local, shared or consistent: state in tiers with a staleness bound that holds.
//!
//! [`TieredStore`] puts an in-process, a shared and a consistent store behind one `KvStore`. What a reader is promised is
//! chosen per namespace ([`Mode`]); how the promise is kept is told in `docs/coherence.md`.
#![cfg_attr(hallway_docs, feature(doc_cfg))]

mod breaker;
mod builder;
mod cache;
mod copy_view;
mod counter;
mod engine;
mod flights;
mod front;
mod header;
mod health;
#[cfg(feature = "metrics")]
#[cfg_attr(hallway_docs, doc(cfg(feature = "metrics")))]
pub mod metrics;
mod mode;
mod observe;
mod random;
mod settings;
mod stamps;
mod stats;
mod store;
mod table;
mod task_pool;
mod threads;

pub use crate::breaker::BreakerState;
pub use crate::builder::{AnyTier, MaybeTier, NoTier, Tier, TieredBuilder};
pub use crate::cache::{Cache, CacheBuilder, CacheStats, IntoLoad, Load, Loaded, NotWritten, ServedBy};
pub use crate::copy_view::{CopyHeader, CopyView};
pub use crate::health::{Bound, Health, TierHealth};
pub use crate::mode::{Mode, OnSharedDown};
pub use crate::settings::NamespaceOptions;
pub use crate::stats::TieredStats;
pub use crate::store::TieredStore;
pub use crate::table::{Authority, Plan, TierSet};
