//! The rivals, each used as its documentation shows, and the libraries beneath used by hand.

pub(crate) mod cached;
pub(crate) mod foyer;
pub(crate) mod hitbox;
pub(crate) mod moka;
pub(crate) mod multi_tier;
pub(crate) mod opendal;

use std::time::Duration;

/// How long entries live: longer than any measurement.
pub(crate) const TTL: Duration = hallway_bench::contenders::TTL;

/// What everybody's plain read answers where something must not be loaded.
pub(crate) const MISSING: &str = "not there, and nothing to load it from";
