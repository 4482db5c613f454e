//! A recommendation for one workload, what it rests on, and what would change it.
//!
//! [`advise`] is pure: a [`Workload`] and the [`Costs`] of single operations go in, an [`Advice`] comes out. What may not
//! be chosen is ruled out first, each time with a reason; speed is looked at among the rest. Every number carries a
//! [`Basis`]: whether it was given, measured, read from a report, shipped with this crate or assumed.
//!
//! - [`Inputs`] are a workload as people write it, with units; what must not be guessed and is missing is a [`Refusal`];
//! - [`Costs`] start from shipped defaults, and a report, a calibration or a given figure take their place;
//! - [`calibrate`] measures stores that run, for half a minute at most.

mod advice;
mod architecture;
mod basis;
pub mod calibrate;
mod choose;
mod config;
mod cost;
mod costs;
mod curve;
mod fact;
mod flips;
mod hits;
mod inputs;
mod load;
mod model;
mod predict;
mod refusal;
mod semantics;
mod text;
mod units;
mod warnings;
mod workload;

pub use self::advice::{Advice, Elimination, NamedFact, SCHEMA, advise};
pub use self::architecture::Architecture;
pub use self::choose::{TIE, WORTH_IN_FLIGHT, choose};
pub use self::cost::{Cost, CostPoint};
pub use self::costs::{Costs, Operation};
pub use self::curve::{CurveRow, HitCurve, LogCurve, MOST_LOGGED_KEYS};
pub use self::fact::{Basis, Fact};
pub use self::flips::{Flip, Lever, Side};
pub use self::inputs::{Inputs, Keys, Ycsb};
pub use self::load::Load;
pub use self::predict::Prediction;
pub use self::refusal::{Missing, Refusal};
pub use self::units::{Rate, Share, Size, Span};
pub use self::workload::{Loss, Purpose, Service, Workload};
