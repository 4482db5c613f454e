//! The contenders: the libraries beneath hallway used plainly. Those of hallway itself are in `hallway_study::load`.

pub mod local;
pub mod redis;
pub mod sql;

pub use hallway_study::load::contenders::{OurCache, SharedPage, TTL};
