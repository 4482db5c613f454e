//! Tests of tiers and caches through their public face.

mod cache_basics;
mod cache_double;
mod cache_many;
mod cache_stale;
mod cache_stampede;
mod cache_support;
