//! `SqlStore` against real databases.

mod conformance;
mod model;
mod support;
