//! Local, shared or consistent: state in tiers with a staleness bound that holds.

mod mode;

pub use crate::mode::{Mode, OnSharedDown};
