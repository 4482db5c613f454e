//! One file per verb.

mod delete;
mod get;
mod ping;
mod scan;
mod schema;
mod set;
mod touch;

use std::process::ExitCode;

use clap::Subcommand;

use crate::failure::Failure;
use crate::output::Output;
use crate::replay;

#[derive(Subcommand)]
pub(crate) enum Verb {
    /// Write the value of a key to standard output
    Get(get::Get),
    /// Set a value and its time to live
    Set(set::Set),
    /// Delete a key, or everything below a prefix
    Delete(delete::Delete),
    /// Give a key a new time to live
    Touch(touch::Touch),
    /// List keys
    Scan(scan::Scan),
    /// Ask the store whether it answers, how fast, and what it can do
    Ping(ping::Ping),
    /// Print the statements that make the table of an SQL store
    Schema(schema::Schema),
    /// Replay an access trace through one or more stores
    Replay(replay::Replay),
}

impl Verb {
    pub(crate) async fn run(self, output: Output) -> Result<ExitCode, Failure> {
        match self {
            Self::Get(verb) => verb.run(output).await,
            Self::Set(verb) => verb.run(output).await,
            Self::Delete(verb) => verb.run(output).await,
            Self::Touch(verb) => verb.run(output).await,
            Self::Scan(verb) => verb.run(output).await,
            Self::Ping(verb) => verb.run(output).await,
            Self::Schema(verb) => verb.run(output),
            Self::Replay(verb) => verb.run(output).await,
        }
    }
}

/// 0 for yes, 1 for no.
fn yes_or_no(yes: bool) -> ExitCode {
    if yes { ExitCode::SUCCESS } else { ExitCode::from(crate::failure::NO) }
}
