//! `SqlStore` against real databases.

#![expect(clippy::unwrap_used, reason = "tests may unwrap, their helpers too")]

mod coalescing;
mod conformance;
mod expiry;
mod faults;
mod files;
mod lateness;
mod model;
mod observe;
mod opening;
mod outbox;
mod outside;
mod pgbouncer;
mod pool;
mod secrets;
mod support;
mod tls;
