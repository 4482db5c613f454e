//! Proves a hallway store: conformance suite, model test, fault injection, private servers.

pub mod servers;
