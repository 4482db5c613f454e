//! Points measured by criterion in rounds: shuffled, pairs side by side, each round a baseline of its own.
//!
//! criterion runs one benchmark to its end before the next begins, so whatever the machine does meanwhile lands on one
//! curve. Here every round measures every point once, shortly, and a drift hits both sides of a pair alike.

mod driver;
mod order;
mod point;
mod quiet;
mod tree;

pub use self::driver::{Driver, Times};
pub use self::order::shuffled;
pub use self::point::{Cell, Point, PointId};
pub use self::tree::{Measured, sweep};
