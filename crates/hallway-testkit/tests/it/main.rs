//! Tests of the test kit itself.
#![allow(clippy::unwrap_used, reason = "a helper of a test may fail like the test")]

mod broken;
mod conformance;
mod fault;
mod history;
mod model;
mod protocol;
mod proxy;
mod servers;
#[cfg(feature = "sim")]
mod sim;
mod twisted;
