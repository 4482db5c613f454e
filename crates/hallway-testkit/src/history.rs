//! What callers saw, recorded, and whether any order of their operations explains it.
//!
//! ```
//! use std::time::Duration;
//! use hallway_testkit::history::{self, History, Input, Operation, Output, Verdict};
//!
//! let operations = vec![
//!     // process, key, call and return in microseconds
//!     Operation::new(0, "a", 0, 10, Input::Write(1), Output::Done),
//!     Operation::new(0, "a", 20, 30, Input::Write(2), Output::Done),
//!     Operation::new(1, "a", 5_000, 5_010, Input::Read, Output::Value(Some(1))).cached(),
//! ];
//! let history = History { operations };
//!
//! // The value had been replaced before the read began ...
//! assert!(matches!(history::check(&history, Duration::ZERO), Verdict::Violated(_)));
//! // ... 4,970 µs before, and that is all that is wrong with it.
//! assert_eq!(history::check(&history, Duration::from_millis(5)), Verdict::Holds);
//! let staleness = history::measured_staleness(&history);
//! assert_eq!(staleness.worst().bounded(), Some(Duration::from_micros(4_970)));
//! ```
//!
//! | question | answered by |
//! |---|---|
//! | is there one order that explains everything, with cached reads at most Δ behind? | [`check`], [`Checker`] |
//! | how far behind were the cached reads, and what did they miss? | [`measured_staleness`] |
//! | did one process go back, or miss its own write? | [`monotonic_reads`], [`read_your_writes`] |
//! | did anybody see what was never written, past its deadline, or deleted? | [`only_written_values`], [`expiry`], [`no_resurrection`] |
//! | what happened around it? | [`timeline`] |
//!
//! A [`Recorder`] notes operations as they happen. Times are microseconds on one clock. Whether an operation preceded
//! another is taken from them alone: it did if it returned **before** the other was called; at the same microsecond
//! they count as concurrent. A recorder gives every event a moment of its own, so on a clock that stands still
//! (a simulation, paused time) the order in which things happened is kept.
//!
//! The method of Wing, Gong and Lowe with a memory of the positions already tried, one key at a time. Cached reads may
//! be Δ behind: they are judged as if called Δ earlier (Δ-atomicity of Golab, Li and Shah). An operation whose outcome
//! is unknown returns never, and may have had no effect. Operations that definitely failed are not recorded.

mod check;
mod facts;
mod json;
mod operation;
mod plan;
mod recorder;
mod rules;
mod search;
mod staleness;
mod timeline;

pub use self::check::{Checker, Inconclusive, Rule, Verdict, Violation, check};
pub use self::json::FORMAT;
pub use self::operation::{History, Input, Operation, Output};
pub use self::recorder::{Call, Recorder};
pub use self::rules::{expiry, monotonic_reads, no_resurrection, only_written_values, read_your_writes};
pub use self::staleness::{KeyStaleness, Lag, Missed, Staleness, measured_staleness};
pub use self::timeline::timeline;
