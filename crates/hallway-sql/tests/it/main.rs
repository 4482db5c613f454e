//! `SqlStore` against real databases.

mod conformance;
mod files;
mod model;
mod opening;
mod outside;
mod support;
