//! A study from the first point to the report: what is measured when, kept where, and gone on with after an interruption.

mod chain;
mod control;
mod drawn;
mod found;
mod parts;
mod primitives;
mod progress;
mod question;
mod run;
mod state;
mod summing_up;
#[cfg(test)]
mod testing;
mod under_way;

pub use self::chain::{Chain, Hits};
pub(crate) use self::drawn::{common_rounds, drawn_median};
pub(crate) use self::found::{APART, BESIDE};
pub use self::found::{Found, MEAN, MEDIAN, Pairing};
pub use self::parts::{Beside, Part, TIERS, points as tier_points};
pub(crate) use self::primitives::BYTES;
pub use self::primitives::{GET, SET};
pub use self::progress::{Interrupted, Progress, Silent, Stop};
pub use self::question::{Depth, Findings, Question, Run};
pub use self::run::{Plan, Studied, run};
#[cfg(test)]
pub(crate) use self::testing::Sample;

/// All questions, in their order.
#[must_use]
pub fn questions() -> Vec<Box<dyn Question>> {
    crate::questions::all()
}
