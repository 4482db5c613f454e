//! Races of sessions: several instances load, change, rotate and end the same sessions at once, and what they saw is
//! judged. A session that is over stays over, nobody sees another's, a rotation has one winner, no change is lost, and
//! nothing is missing that nobody has ended.
//!
//! The simulated forms run in a world made from the seed: moka on the world's clock, Redis behind a simulated network, a
//! simulated database. The real ones run against servers that the caller has started.

mod history;
mod homes;
mod judge;
mod play;
mod slips;

pub use self::history::Tally;
pub use self::homes::{Home, RealHome};
pub use self::judge::Violation;
pub use self::slips::Slip;

use hallway_testkit::sim::SimRng;

/// Races one seed on the simulated form of a backend.
///
/// # Errors
/// The promise that was not kept.
///
/// # Panics
/// If production code panics.
pub fn run(seed: u64, home: Home) -> Result<Tally, Box<Violation>> {
    run_with(seed, home, None)
}

/// The same on a store that makes a mistake, to see whether anybody notices.
///
/// # Errors
/// The promise that was not kept for it.
pub fn run_with(seed: u64, home: Home, slip: Option<Slip>) -> Result<Tally, Box<Violation>> {
    let history = hallway_testkit::sim::run(seed, move |world| async move {
        let stage = homes::simulated(&world, home, seed, slip);
        play::play(stage, seed).await
    });
    judge::judge(&history)
}

/// Races one seed on real stores. Every seed has keys of its own.
///
/// # Errors
/// The promise that was not kept.
pub async fn run_real(seed: u64, home: &RealHome) -> Result<Tally, Box<Violation>> {
    judge::judge(&play::play(home.stage(seed), seed).await)
}

/// Chance that goes with a seed and a purpose.
fn rng(seed: u64, purpose: u64) -> SimRng {
    SimRng::new(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(purpose))
}
