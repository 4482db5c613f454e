//! What hallway is measured with: workloads, contenders, and one loop that measures them all.
//!
//! A [`Contender`] is a store used in one way: hallway's through its own type or as `dyn KvStore`, or the library
//! beneath it used plainly. A [`Workload`] owns prebuilt keys and values that can be verified. A [`Lane`] is a
//! contender with a workload, ready to run a [`Plan`]; targets and programs only choose the plans.
//!
//! The loops run on worker threads, never inside `block_on`, and start together. Every value that is read is checked.

pub mod contenders;
pub mod controls;
pub mod machine;
pub mod published;
pub mod ratios;
mod stage;

pub use hallway_study::load::{CacheAside, Contender, CpuTime, Driver, Lane, Loader, Op, Page, Plan, Sample, Workload};
pub use hallway_study::{Failure, Result};

pub use crate::stage::{Lanes, Stage, Store};
