//! `SqlStore` against real databases.

mod coalescing;
mod conformance;
mod expiry;
mod faults;
mod files;
mod model;
mod opening;
mod outside;
mod pgbouncer;
mod pool;
mod secrets;
mod support;
