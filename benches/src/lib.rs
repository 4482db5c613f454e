//! What hallway is measured with: workloads, contenders, and one loop that measures them all.
//!
//! A [`Contender`] is a store used in one way: hallway's through its own type or as `dyn KvStore`, or the library
//! beneath it used plainly. A [`Workload`] owns prebuilt keys and values that can be verified. A [`Lane`] is a
//! contender with a workload, ready to run a [`Plan`]; targets and programs only choose the plans.
//!
//! The loops run on worker threads, never inside `block_on`, and start together. Every value that is read is checked.

mod contender;
pub mod contenders;
mod cpu;
mod lane;
pub mod machine;
mod page;
pub mod ratios;
mod stage;
mod workload;
mod zipf;

pub use crate::contender::{CacheAside, Contender, Failure, Loader, Result};
pub use crate::cpu::CpuTime;
pub use crate::lane::{Driver, Lane, Op, Plan, Sample};
pub use crate::page::Page;
pub use crate::stage::{Lanes, Stage, Store};
pub use crate::workload::Workload;
