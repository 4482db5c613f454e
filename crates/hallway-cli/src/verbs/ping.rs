//! `hallway ping`: one store, or the tiers of a deployment.

mod measure;
mod tiers;

use std::process::ExitCode;

use clap::Args;
use serde::Serialize;

use self::measure::{Measured, ROUNDS, measure};
use crate::failure::Failure;
use crate::output::Output;
use crate::store_args::StoreArgs;
use crate::tier_args::TierArgs;

pub(super) use self::tiers::health_name;

#[derive(Args)]
pub(crate) struct Ping {
    #[command(flatten)]
    store: StoreArgs,
    #[command(flatten)]
    tiers: TierArgs,
}

#[derive(Serialize)]
struct Answer {
    store: String,
    #[serde(flatten)]
    measured: Measured,
}

impl Ping {
    /// A flag decides; without any, `HALLWAY_STORE` comes before the tiers of the environment and of `hallway.toml`.
    pub(crate) async fn run(self, output: Output) -> Result<ExitCode, Failure> {
        if self.tiers.are_named() {
            if self.store.is_given() {
                return Err(Failure::usage(
                    "--store is one store, and the other flags name tiers; leave one of them out",
                ));
            }
            return tiers::run(&self.tiers.deployment()?, output).await;
        }
        if !self.store.is_named()
            && let Some(deployment) = self.tiers.find()?
        {
            return tiers::run(&deployment, output).await;
        }
        let target = self.store.target()?;
        let store = target.open().await?;
        let answer = Answer { store: target.label(), measured: measure(&*store).await? };
        output.answer(&answer, || {
            let Measured { connect_us, latency_us, clock, clock_ahead_ms, capabilities } = &answer.measured;
            format!(
                "{}\n  first answer  {connect_us:.0} us\n  latency       {latency_us:.0} us, best of {ROUNDS}\n  clock         {clock}, {clock_ahead_ms:+.1} ms from here\n  capabilities  {}",
                answer.store,
                capabilities.join(", ")
            )
        })?;
        Ok(ExitCode::SUCCESS)
    }
}
