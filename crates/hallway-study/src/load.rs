//! Work for stores, and the one loop that measures it.
//!
//! A [`Contender`] is a store used in one way. A [`Workload`] owns prebuilt keys and values that can be verified. A
//! [`Lane`] is a contender with a workload, ready to run a [`Plan`].
//!
//! The loops run on worker threads, never inside `block_on`, and start together. Every value that is read is checked.

mod contender;
pub mod contenders;
mod cpu;
mod lane;
mod open_loop;
mod page;
mod workload;
mod zipf;

pub use self::contender::{CacheAside, Contender, Loader};
pub use self::cpu::CpuTime;
pub use self::lane::{Driver, Lane, Op, Plan, Sample};
pub use self::open_loop::{Offer, OpenLoop, Quantiles, open_loop};
pub use self::page::Page;
pub use self::workload::Workload;
