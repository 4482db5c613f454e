//! The command from outside: the built binary, its answers, its exit codes, its silence about secrets.

mod acceptance;
mod docs;
mod inputs;
mod replay;
mod run;
mod schema;
mod secrets;
mod traces;
mod verbs;
