//! The contenders of hallway itself: stores, and the typed cache.

mod caches;
mod stores;

pub use self::caches::{OurCache, SharedPage, copying, tiers};
pub use self::stores::{Ours, OursAtOnce, TTL};
