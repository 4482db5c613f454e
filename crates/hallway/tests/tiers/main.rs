//! Tiers on real servers: the contract in every valid pair of mode and tiers.
#![expect(clippy::unwrap_used, reason = "tests may unwrap, their helpers too")]

mod conformance;
mod cut_off;
mod joins;
mod outage;
mod processes;
mod stage;
mod staleness;
mod stampede;
