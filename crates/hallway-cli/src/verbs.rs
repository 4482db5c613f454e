//! One file per verb.

mod advise;
mod compare;
mod curve;
mod delete;
#[cfg(feature = "demo")]
mod demo;
mod get;
mod ping;
mod scan;
mod schema;
mod set;
mod touch;
mod verify;
mod watch;

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
    /// Ask a store or tiers whether they answer, how fast, and what they promise
    Ping(ping::Ping),
    /// Print the statements that make the table of an SQL store
    Schema(schema::Schema),
    /// Show live how the tiers of a deployment are: hits, link, bound, invalidations
    Watch(watch::Watch),
    /// Compare copies in the shared tier with the truth
    Verify(verify::Verify),
    /// Measure where the backends cross on this machine, and write a report to look at
    Compare(compare::Compare),
    /// Replay an access trace through stores, or through tiers
    Replay(replay::Replay),
    /// Say how often a cache of each size hits on a log of your own keys
    Curve(curve::Curve),
    /// Recommend where the state of a workload should live, why, and what would change that
    Advise(Box<advise::Advise>),
    /// Serve the demonstration: logins and profiles of a whiteboard, with a panel that shows where they came from
    #[cfg(feature = "demo")]
    Demo(demo::Demo),
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
            Self::Watch(verb) => verb.run(output).await,
            Self::Verify(verb) => verb.run(output).await,
            Self::Replay(verb) => verb.run(output).await,
            Self::Compare(verb) => verb.run(output).await,
            Self::Curve(verb) => verb.run(output),
            Self::Advise(verb) => verb.run(output).await,
            #[cfg(feature = "demo")]
            Self::Demo(verb) => verb.run(output).await,
        }
    }
}

/// 0 for yes, 1 for no.
fn yes_or_no(yes: bool) -> ExitCode {
    if yes { ExitCode::SUCCESS } else { ExitCode::from(crate::failure::NO) }
}
