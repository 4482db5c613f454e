//! Tests of the test kit itself.
#![allow(clippy::unwrap_used, reason = "a helper of a test may fail like the test")]

mod conformance;
mod proxy;
mod servers;
