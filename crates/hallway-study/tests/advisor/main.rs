//! The advisor from outside: the rules of the field, what must hold for any workload, what is refused.
#![expect(clippy::unwrap_used, reason = "tests may unwrap, their helpers too")]

mod configuration;
mod evidence;
mod flips;
mod properties;
mod refusals;
mod rules;
mod stage;
