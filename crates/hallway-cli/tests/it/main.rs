//! The command from outside: the built binary, its answers, its exit codes, its silence about secrets.
#![expect(clippy::unwrap_used, reason = "tests may unwrap, their helpers too")]

mod acceptance;
mod advise;
mod compare;
mod curve;
#[cfg(feature = "demo")]
mod demo;
mod docs;
mod inputs;
mod replay;
mod run;
mod schema;
mod secrets;
mod tiers;
mod traces;
mod verbs;
mod verify;
mod watch;
