//! The deterministic simulation: production code of `hallway-redis` and `hallway-tiered` in a world made from a seed.
//!
//! Three processes read and write through tiers, over a simulated network, against a simulated Redis and a simulated
//! database, while one thing goes wrong. What they saw is recorded and judged: linearizable once reads are moved back by
//! the bound that was promised, no process goes back or misses its own write, nothing is read that was never written,
//! after its deadline, or after its deletion was acknowledged.
//!
//! [`sessions`] races sessions on every backend, simulated and real.
//!
//! [`run`] does one seed. `cargo run --release -p hallway-simulation --bin simulate -- --help` does many; the tests do
//! 2,000.

mod client;
mod cores;
mod faults;
mod instance;
mod judge;
mod local;
mod scenario;
pub mod sessions;

use std::fmt;

pub use crate::cores::on_all_cores;
pub use crate::judge::{Failure, Report};
pub use crate::scenario::{Fault, Scenario, Tiers};

/// Runs one seed and judges what was seen.
///
/// # Errors
/// The promise that was not kept, with the operations that show it.
///
/// # Panics
/// If production code panics.
pub fn run(seed: u64) -> Result<Report, Box<Failure>> {
    let scenario = Scenario::of(seed);
    let seen = hallway_testkit::sim::run(seed, move |world| client::play(world, scenario));
    judge::judge(&scenario, &seen)
}

impl fmt::Display for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "seed {}: {:?}, {:?}, {:?}", self.seed, self.tiers, self.policy, self.fault)
    }
}
