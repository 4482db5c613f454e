//! The facade from outside: its errors, its features side by side, its examples.

mod custom_backend;
mod errors;
#[cfg(all(feature = "moka", feature = "tiered"))]
mod examples;
mod features;
#[cfg(all(feature = "metrics", feature = "moka", feature = "redis", feature = "session", feature = "sqlite"))]
mod observability;
#[cfg(all(feature = "moka", feature = "json"))]
mod quickstart;
