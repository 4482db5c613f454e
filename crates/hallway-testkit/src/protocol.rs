//! The coherence protocol as a model that is searched exhaustively: every interleaving of a few reads and writes.
//!
//! ```
//! use hallway_testkit::protocol::{self, Fault, Outcome, Property, Variant};
//!
//! // Fills are plain, writes leave no marker: what most applications do.
//! let naive = Variant::new("naive").without_lease().without_marker().with_gets(&[1, 1]).with_puts(&[1, 0]);
//! let report = protocol::explore(&naive);
//! let Outcome::Violated { property, path } = report.outcome else { panic!("stale without any fault") };
//! assert_eq!(property, Property::Acknowledged);
//! assert_eq!(path.last().unwrap(), "p0 insert L1 v0, return");
//! assert_eq!(report.states, 2_912);
//! ```
//!
//! One key, two or three processes, one Redis, one row of SQL. Explored is every order of: client sends, execution by
//! Redis, replies, invalidation pushes (first in, first out per connection), commits, acknowledgements, and each
//! [`Fault`] of the variant at most once. What is searched is the design, not the code that implements it; the
//! simulation searches that.
//!
//! A read is judged by three [properties](Property). A hit in the local tier is excused while an invalidation is on its
//! way to it: the heartbeat bounds for how long that may be.

mod explore;
mod fingerprint;
mod state;
mod steps;
mod variants;

pub use self::explore::{Outcome, Report, explore};
pub use self::variants::{Expected, Fault, Property, Variant, larger_variants, variants};
