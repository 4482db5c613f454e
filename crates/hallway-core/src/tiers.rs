//! What the tiers of a `TieredStore` ask of their stores beyond `KvStore`.
//!
//! These are the seams of the coherence protocol (`docs/coherence.md`). A store answers them through
//! [`KvStore::as_local`], [`KvStore::as_shared`] and [`KvStore::as_authority`].
//!
//! [`KvStore::as_local`]: crate::KvStore::as_local
//! [`KvStore::as_shared`]: crate::KvStore::as_shared
//! [`KvStore::as_authority`]: crate::KvStore::as_authority

mod authority;
mod local;
mod name;
mod shared;

pub use self::authority::{AuthorityTier, OutboxId, OutboxRow};
pub use self::local::{LocalTier, Object};
pub use self::name::TierName;
pub use self::shared::{
    CopyState, Freshness, InvalidationSink, LeaseOutcome, LinkOptions, LinkState, SharedLink, SharedTier, Token,
};
