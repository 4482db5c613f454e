//! `hallway watch`: an instance of its own that looks on, and shows what it sees as it goes.

mod look;
mod screen;

use std::process::ExitCode;
use std::time::Duration;

use clap::Args;
use hallway::Prefix;

use self::look::Observer;
use self::screen::Screen;
use crate::failure::Failure;
use crate::key_args;
use crate::output::Output;
use crate::tier_args::{TierArgs, duration};

#[derive(Args)]
pub(crate) struct Watch {
    /// Pause between two looks: 50ms to 1h
    #[arg(long, value_name = "DURATION", default_value = "1s", value_parser = duration)]
    interval: Duration,
    /// Looks after which it ends; it goes on until Ctrl-C if not given
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    count: Option<u64>,
    /// Keys that it reads at each look, so that there are hits to see; 0 reads none
    #[arg(long, value_name = "N", default_value_t = 16, value_parser = clap::value_parser!(u16).range(0..=512))]
    sample: u16,
    /// Only keys below this prefix, such as user:profile
    #[arg(long)]
    prefix: Option<String>,
    #[command(flatten)]
    tiers: TierArgs,
}

impl Watch {
    pub(crate) async fn run(self, output: Output) -> Result<ExitCode, Failure> {
        if !(Duration::from_millis(50)..=Duration::from_secs(3_600)).contains(&self.interval) {
            return Err(Failure::usage("--interval is 50ms to 1h"));
        }
        let prefix = self.prefix.as_deref().map_or_else(|| Ok(Prefix::root()), key_args::prefix)?;
        let deployment = self.tiers.deployment()?;
        let mut observer = Observer::open(&deployment, prefix, usize::from(self.sample)).await?;
        let mut screen = Screen::new(output, deployment.labels());
        let mut ticks = tokio::time::interval(self.interval);
        // A look that took longer than the pause is not made up for.
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut looks = 0;
        let interrupt = tokio::signal::ctrl_c();
        tokio::pin!(interrupt);
        let ended = loop {
            let look = async {
                ticks.tick().await;
                observer.look().await
            };
            // To end it is what Ctrl-C is for here, so it is no failure.
            let shown = tokio::select! {
                seen = look => screen.show(&seen),
                _ = &mut interrupt => break Ok(()),
            };
            if let Err(failure) = shown {
                break Err(failure);
            }
            looks += 1;
            if self.count == Some(looks) {
                break Ok(());
            }
        };
        observer.close().await;
        ended.map(|()| ExitCode::SUCCESS)
    }
}
