//! The contenders of hallway itself: stores, and the typed cache.

mod caches;
mod stores;
mod typed;

pub use self::caches::{OurCache, SharedPage, copying, tiers};
pub use self::stores::{Ours, OursAtOnce, TTL};
pub use self::typed::Typed;
