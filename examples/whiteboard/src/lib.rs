//! The demonstration: the account area of a shared whiteboard. Logins and profiles are kept by hallway, wherever the
//! deployment says.
//!
//! A profile stands in SQLite, behind a query that is slow on purpose, and is served through a
//! [`Cache`](hallway::Cache); a panel on the page says who answered. `README.md` beside this file has the commands for one
//! instance and for two.

mod agent;
mod away;
mod database;
mod guard;
mod html;
mod observe;
mod options;
mod pages;
mod panel;
mod profile;
mod routes;
mod server;
mod state;
mod user;

use std::process::ExitCode;

use clap::Parser;
use hallway::{Config, Error};

pub use crate::options::{Options, TIERS};
pub use crate::server::run;

/// A shared whiteboard's account area, kept by hallway.
#[derive(Debug, Parser)]
#[command(name = "whiteboard", version, max_term_width = 100, after_help = TIERS)]
struct Cli {
    #[command(flatten)]
    options: Options,
}

/// The program: reads command line and environment, serves until it is interrupted or terminated.
pub fn main() -> ExitCode {
    let options = Cli::parse().options;
    let served = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Error::invalid_config("cannot start the runtime").with_source(error))
        .and_then(|runtime| runtime.block_on(async { run(options, Config::from_env()?).await }));
    match served {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            let mut cause = std::error::Error::source(&error);
            while let Some(link) = cause {
                eprintln!("  caused by: {link}");
                cause = link.source();
            }
            ExitCode::FAILURE
        }
    }
}
