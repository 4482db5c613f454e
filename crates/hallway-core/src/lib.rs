//! The contract that every hallway store keeps, and the words it is written in.
//!
//! [`KvStore`] is a flat map from [`Key`] to bytes in which any entry may expire. Its clauses are
//! numbered in `docs/contract.md`; each has a test of the same name in the conformance suite.
//! [`KvStoreExt`] adds what can be built on the trait alone: typed values, compare-and-set, update
//! loops, prefix views.
//!
//! This crate knows no runtime and no driver.

mod capabilities;
mod clock;
mod codec;
mod counted;
mod cursor;
mod entry;
mod error;
mod ext;
mod forward;
mod integer;
mod key;
mod limits;
#[doc(hidden)]
pub mod mutant;
mod options;
mod prefix_store;
mod store;
mod tiers;
mod timestamp;
mod ttl;
mod url;

pub use bytes::Bytes;

pub use crate::capabilities::{Capabilities, Capability};
pub use crate::clock::{Clock, SystemClock};
#[cfg(feature = "bincode")]
pub use crate::codec::Bincode;
pub use crate::codec::Codec;
#[cfg(feature = "json")]
pub use crate::codec::Json;
#[cfg(feature = "postcard")]
pub use crate::codec::Postcard;
pub use crate::counted::{Count, Counted};
pub use crate::cursor::{Cursor, Page};
pub use crate::entry::Entry;
pub use crate::error::{Error, ErrorKind, Result};
pub use crate::ext::KvStoreExt;
pub use crate::integer::parse_canonical_i64;
pub use crate::key::{Key, MAX_KEY_BYTES, Namespace, Prefix};
pub use crate::limits::{BATCH_BYTES, BATCH_KEYS, HARD_VALUE_CAP, MAX_PAGE, ValueCap, write_batches};
pub use crate::options::{DeleteIf, SetIf, SetOptions, SetOutcome};
pub use crate::prefix_store::PrefixStore;
pub use crate::store::KvStore;
pub use crate::tiers::{
    AuthorityTier, CopyState, Freshness, InvalidationSink, LeaseOutcome, LinkOptions, LinkState, LocalTier, Object,
    OutboxId, OutboxRow, SharedLink, SharedTier, TierName, Token,
};
pub use crate::timestamp::Timestamp;
pub use crate::ttl::{MAX_TTL, Ttl};
pub use crate::url::StoreUrl;
