//! Integration tests of `MokaStore`, in one binary.

#![expect(clippy::unwrap_used, reason = "tests may unwrap, their helpers too")]

mod atomicity;
mod bound;
mod conformance;
mod copies;
mod expiry;
mod hits;
mod model;
