//! The contenders of hallway itself: stores, and the typed cache.

mod caches;
mod ready;
mod stores;
mod typed;

pub use self::caches::{OurCache, SharedPage, copying, tiers};
pub use self::ready::until_ready;
pub use self::stores::{Ours, OursAtOnce, TTL};
pub use self::typed::Typed;
