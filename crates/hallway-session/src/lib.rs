//! Sessions that expire, slide, rotate and stay dead.
//!
//! [`Sessions`] keeps one record for each session in one store of hallway, found by a hash of an id of 256 random bits. A
//! record is written by compare-and-set and never made anew, so nothing brings a session back after its end; two timeouts,
//! idle and absolute, run by the store's clock. [`SessionsExt::sessions`] is where to begin; `docs/guide/sessions.md` tells
//! what happens when.
#![cfg_attr(hallway_docs, feature(doc_cfg))]

#[cfg(feature = "axum")]
#[cfg_attr(hallway_docs, doc(cfg(feature = "axum")))]
pub mod axum;
mod builder;
mod clock;
mod counted;
mod create;
mod devices;
mod end;
mod handle;
mod home;
mod id;
mod index;
mod load;
mod new;
mod random;
mod recent;
mod record;
mod rotate;
mod save;
mod seal;
mod search;
mod session;
mod sessions;
mod stats;
mod told;
#[cfg(any(feature = "tower-sessions", feature = "tower-sessions-014"))]
#[cfg_attr(hallway_docs, doc(cfg(any(feature = "tower-sessions", feature = "tower-sessions-014"))))]
pub mod tower;
mod turns;

pub use crate::builder::{SessionsBuilder, SessionsExt};
pub use crate::devices::Listed;
pub use crate::handle::Handle;
pub use crate::id::SessionId;
pub use crate::load::{Incompatible, Loaded};
pub use crate::new::NewSession;
pub use crate::rotate::Draft;
pub use crate::save::Saved;
#[cfg(feature = "aead")]
pub use crate::seal::SealingKeys;
pub use crate::session::Session;
pub use crate::sessions::Sessions;
pub use crate::stats::SessionStats;
