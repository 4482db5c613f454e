//! Sessions on stores in the process, by hand-moved clocks and faults made to order.
#![expect(clippy::unwrap_used, reason = "tests may unwrap, their helpers too")]

mod basics;
mod conflicts;
mod layer;
mod outage;
mod rotation;
mod shapes;
mod spans;
mod subjects;
mod support;
mod tiers;
mod timeouts;
