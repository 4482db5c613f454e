//! `hallway demo`: the whiteboard's account area, over the tiers of the environment.

use std::process::ExitCode;

use clap::Args;
use hallway::Config;
use hallway_whiteboard::Options;

use crate::failure::Failure;
use crate::output::Output;

#[derive(Args)]
#[command(after_help = hallway_whiteboard::TIERS)]
pub(crate) struct Demo {
    #[command(flatten)]
    options: Options,
}

impl Demo {
    pub(crate) async fn run(self, output: Output) -> Result<ExitCode, Failure> {
        if output.json {
            return Err(Failure::usage("`demo` serves pages and has no answer in JSON; leave out --json"));
        }
        hallway_whiteboard::run(self.options, Config::from_env()?).await?;
        Ok(ExitCode::SUCCESS)
    }
}
