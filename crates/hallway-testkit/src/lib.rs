//! Proves a hallway store: conformance suite, model test, fault injection, private servers.

mod clock;
mod fault;
pub mod model;
mod port;
mod proxy;
pub mod servers;

pub mod conformance;
mod fixture;
mod plain;

pub use crate::clock::ManualClock;
pub use crate::fault::{CallCounts, Fault, FaultStore, Faults};
pub use crate::fixture::Fixture;
pub use crate::plain::PlainStore;
pub use crate::proxy::{DelayProxy, Direction, FaultProxy, LinkFault, ProxyStats};
