//! Tests of tiers and caches through their public face.

mod cache_basics;
mod cache_support;
