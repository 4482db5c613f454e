//! Where local, shared and consistent state cross: measured on your machine, with intervals, drawn, and turned into advice.
//!
//! - [`advisor`] recommends where the state of a workload should live, and says what would change that;
//! - [`chart`] is what is drawn, as data;
//! - [`formulas`] are what is computed instead of measured;
//! - [`lab`] is the stores of a study: started, found or given;
//! - [`load`] is work for stores and the loop that measures it;
//! - [`placement`] says which cores a study and its servers run on;
//! - [`report`] is what a study found, as data and as files to look at;
//! - [`rounds`] measures points with criterion, so that a drift of the machine hits all alike;
//! - [`statistics`] says where measured curves cross, with intervals;
//! - [`study`] is the whole: what is measured when, and the report from it;
//! - [`trace`] is what streams of requests are like: hit ratios at every capacity, over any number of instances.

pub mod advisor;
pub mod chart;
mod failure;
pub mod formulas;
pub mod lab;
pub mod load;
mod markup;
pub mod placement;
mod questions;
pub mod report;
pub mod rounds;
pub mod statistics;
pub mod study;
pub mod trace;

pub use crate::failure::{Failure, Result};
