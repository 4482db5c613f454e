//! The store of tower-sessions by itself: its verbs, its clock, and what it makes of records that were tampered with.
#![expect(clippy::unwrap_used, reason = "tests may unwrap, their helpers too")]

mod golden;
mod scene;
#[cfg(feature = "aead")]
mod seal;
mod slide;
mod verbs;
