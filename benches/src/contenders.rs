//! The contenders: hallway through its own type and as `dyn`, and the libraries beneath it used plainly.

pub mod local;
pub mod ours;
pub mod redis;
pub mod sql;
pub mod tiers;
