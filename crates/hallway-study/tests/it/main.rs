//! The study from outside: its figures against models, and against real traces where they are.
#![expect(clippy::unwrap_used, reason = "tests may unwrap, their helpers too")]

mod calls;
mod hits;
mod questions;
mod traces;
