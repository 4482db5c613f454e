//! Tests of tiers and caches through their public face.
#![expect(clippy::unwrap_used, reason = "tests may unwrap, their helpers too")]

mod cache_basics;
mod cache_behind;
mod cache_double;
mod cache_hits;
mod cache_many;
mod cache_once;
mod cache_peers;
mod cache_shared;
mod cache_stale;
mod cache_stampede;
mod cache_support;
mod health;
mod observe;
mod store_peers;
