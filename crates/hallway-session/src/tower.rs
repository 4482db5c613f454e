//! Sessions of tower-sessions in any store of hallway.
//!
//! [`TowerStore`] is a `SessionStore`: the middleware, the extractor and axum-login stay as they are, and only the line
//! that makes the store is ours. Feature `tower-sessions` is for tower-sessions 0.15, `tower-sessions-014` for 0.14, which
//! axum-login 0.18 needs; both may be on. `docs/guide/migrating-from-tower-sessions.md` says what changes.

mod adapter;
mod builder;
mod payload;
mod store;

pub use self::builder::TowerStoreBuilder;
pub use self::store::TowerStore;
