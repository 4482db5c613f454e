//! The contenders: the libraries beneath hallway used plainly, and its own parts without what it promises. Those of hallway
//! itself are in `hallway_study::load`.

pub mod bare;
pub mod local;
pub mod redis;
pub mod sql;

pub use hallway_study::load::contenders::{OurCache, SharedPage, TTL};
