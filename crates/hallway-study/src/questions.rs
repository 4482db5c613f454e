//! The questions of the study, one file each.

mod q01;
mod q02;
mod q03;
mod q04;
mod q05;
mod q06;
mod q07;
mod q09;
mod q10;
mod q11;
mod q14;
mod q16;
mod streams;

use crate::study::Question;

/// All of them, in their order.
#[must_use]
pub(crate) fn all() -> Vec<Box<dyn Question>> {
    vec![
        Box::new(q01::LocalOverShared),
        Box::new(q02::EmbeddedOrShared),
        Box::new(q03::CachePays),
        Box::new(q04::CopiesWithWrites),
        Box::new(q05::SharedBehindLocal),
        Box::new(q06::LocalCapacity),
        Box::new(q07::Instances),
        Box::new(q09::Freshness),
        Box::new(q10::Saturation),
        Box::new(q11::Batches),
        Box::new(q14::SessionsBelong),
        Box::new(q16::SingleFlight),
    ]
}
