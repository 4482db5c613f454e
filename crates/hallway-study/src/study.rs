//! A study from the first point to the report: what is measured when, kept where, and gone on with after an interruption.

mod found;
mod primitives;
mod progress;
mod question;
mod run;
mod state;

pub use self::found::{Found, Pairing};
pub(crate) use self::primitives::BYTES;
pub use self::primitives::{GET, SET};
pub use self::progress::{Progress, Silent};
pub use self::question::{Depth, Findings, Question, Run};
pub use self::run::{Plan, run};
