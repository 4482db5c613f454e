//! Sessions on real servers, through the facade.
#![expect(clippy::unwrap_used, reason = "tests may unwrap, their helpers too")]

mod tiers;
mod timeouts;
