//! Proves a hallway store: conformance suite, model test, fault injection, private servers.
//!
//! | you want to | take |
//! |---|---|
//! | prove a store of your own | [`conformance!`] and [`model`], each a line or two |
//! | see what your code does when a store is slow, fails or loses a reply | [`FaultStore`] |
//! | the same on the wire before a real server | [`FaultProxy`], [`DelayProxy`] |
//! | a Redis, PostgreSQL or PgBouncer that no other test touches | [`servers`] |
//! | expiry without waiting | [`ManualClock`] |
//! | a whole world of processes, network, Redis and SQL in one thread, the same for every run of a seed | `sim` (feature) |
//! | a page as a person sees it, in a private browser, with screenshots | `browser` (feature) |
//! | whether what callers saw has an explanation, and how stale it was | [`history`] |
//! | that the coherence protocol holds in every interleaving | [`protocol`] |
//!
//! For `[dev-dependencies]`: nothing here is meant for production.

#[cfg(feature = "browser")]
pub mod browser;
mod clock;
mod fault;
pub mod history;
pub mod model;
mod port;
pub mod protocol;
mod proxy;
pub mod servers;
#[cfg(feature = "sim")]
pub mod sim;

pub mod conformance;
mod fixture;
mod plain;
mod watching;

pub use crate::clock::ManualClock;
pub use crate::fault::{CallCounts, Fault, FaultStore, Faults};
pub use crate::fixture::Fixture;
pub use crate::plain::PlainStore;
pub use crate::proxy::{DelayProxy, Direction, FaultProxy, LinkFault, ProxyStats};
pub use crate::watching::{SeenEvent, SeenSpan, Watching};
