//! Where local, shared and consistent state cross: measured on your machine, with intervals, drawn, and turned into advice.
//!
//! - [`chart`] is what is drawn, as data;
//! - [`report`] is what a study found, as data and as files to look at.

pub mod chart;
mod failure;
pub mod report;

pub use crate::failure::{Failure, Result};
