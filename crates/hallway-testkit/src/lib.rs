//! Proves a hallway store: conformance suite, model test, fault injection, private servers.

pub mod servers;

pub mod conformance;
mod fixture;
mod plain;

pub use crate::fixture::Fixture;
pub use crate::plain::PlainStore;
