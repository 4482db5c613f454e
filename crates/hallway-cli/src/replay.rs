//! `hallway replay`: a stream of requests through one or more stores, one after the other, or through tiers.
//!
//! Each request is a get and, on a miss, a set: cache-aside with a loader that costs nothing. Nothing here grows with
//! the length of the stream; through tiers, what has been written when is remembered of each different key.

mod contender;
mod report;
mod run;
mod source;
mod tiers;
mod versions;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use self::contender::Contender;
use self::source::{Origin, Source};
use crate::failure::Failure;
use crate::output::Output;
use crate::preset_arg::PresetArg;
use crate::progress::Progress;
use crate::store_args::Target;
use crate::tier_args::TierArgs;

/// How long a preset goes on if nobody says: not long enough to be tired of, where a disk makes SQLite wait for every
/// new key.
const PRESET_REQUESTS: u64 = 100_000;

#[derive(Args)]
pub(crate) struct Replay {
    /// Trace to replay: text with a key on each line, big-endian 32-bit keys, or oracleGeneral; each may be xz
    #[arg(long, value_name = "FILE", conflicts_with_all = ["preset", "seed"])]
    trace: Option<PathBuf>,
    /// Built-in stream to replay instead of a trace; orm-busy if neither is given
    #[arg(long, value_enum)]
    preset: Option<PresetArg>,
    /// Which of the streams of a preset
    #[arg(long, default_value_t = 42)]
    seed: u64,
    /// Requests to replay; the whole trace, or 100,000 of a preset, if not given
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    requests: Option<u64>,
    /// Entries that a `moka:` store or tier without a bound of its own holds; 1,024 if not given
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    capacity: Option<u64>,
    /// Store to replay through; may be given several times. moka and SQLite in a temporary file if not given
    #[arg(long = "store", value_name = "URL")]
    stores: Vec<String>,
    /// File that holds a store URL; may be given several times
    #[arg(long = "store-file", value_name = "FILE")]
    store_files: Vec<PathBuf>,
    /// Share of requests that write, through tiers: 0 to 1
    #[arg(long, value_name = "SHARE", value_parser = share)]
    write_share: Option<f64>,
    /// Instances over the same shared and consistent tier, each with a local tier of its own
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=64))]
    instances: Option<u16>,
    /// Requests on the way at once
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=1_024))]
    concurrency: u16,
    /// No progress on standard error
    #[arg(long, short)]
    quiet: bool,
    #[command(flatten)]
    tiers: TierArgs,
}

fn share(text: &str) -> Result<f64, String> {
    let share = text.parse().ok().filter(|share| (0.0..=1.0).contains(share));
    share.ok_or_else(|| "a share is 0 to 1, such as 0.05".to_owned())
}

impl Replay {
    pub(crate) async fn run(self, output: Output) -> Result<ExitCode, Failure> {
        let origin = match &self.trace {
            Some(path) => Origin::Trace(path.clone()),
            None => Origin::Preset(self.preset.unwrap_or_default().into(), self.seed),
        };
        let requests = match origin {
            Origin::Preset(..) => self.requests.or(Some(PRESET_REQUESTS)),
            Origin::Trace(_) => self.requests,
        };
        if self.tiers.are_named() {
            return self.run_tiers(&origin, requests, output).await;
        }
        if self.write_share.is_some() || self.instances.is_some() {
            return Err(Failure::usage(
                "--write-share and --instances are for tiers: name some by --local, --shared, --consistent or --config",
            ));
        }
        let targets = self.targets()?;
        if origin.is_pipe() && contender::count(&targets) > 1 {
            return Err(Failure::usage(
                "this trace is a pipe and can be read only once; name one --store, or save it to a file first",
            ));
        }
        // A file that cannot be read should be known before any store is opened. The first store reads on from here:
        // what was read of a pipe to tell its format would be lost with it.
        let mut opened = Some(Source::open(&origin)?);
        let total = origin.length().map(|length| requests.map_or(length, |asked| asked.min(length))).or(requests);

        let mut contenders = contender::open_all(&targets, self.capacity).await?;
        let mut results = Vec::new();
        while !contenders.is_empty() {
            // Dropped after its turn, so that the memory of one is not held during the next.
            let contender: Contender = contenders.remove(0);
            let plan = run::Plan {
                source: opened.take().map_or_else(|| Source::open(&origin), Ok)?,
                requests,
                concurrency: self.concurrency,
                progress: Progress::new(contender.label(), total, self.quiet),
            };
            results.push(run::run(contender, plan).await?);
        }
        report::print(&results, self.concurrency, output)?;
        Ok(ExitCode::SUCCESS)
    }

    /// Through tiers in the place of stores.
    async fn run_tiers(&self, origin: &Origin, requests: Option<u64>, output: Output) -> Result<ExitCode, Failure> {
        if !self.stores.is_empty() || !self.store_files.is_empty() {
            return Err(Failure::usage(
                "a replay goes through stores or through tiers; leave out --store and --store-file, or the flags of tiers",
            ));
        }
        let deployment = self.tiers.deployment()?;
        // A file that cannot be read should be known before any store is opened.
        let source = Source::open(origin)?;
        let total = origin.length().map(|length| requests.map_or(length, |asked| asked.min(length))).or(requests);
        let plan = tiers::Plan {
            source,
            requests,
            concurrency: self.concurrency,
            instances: self.instances.unwrap_or(1),
            write_share: self.write_share.unwrap_or(0.0),
            seed: self.seed,
            progress: Progress::new("tiers", total, self.quiet),
        };
        let outcome = tiers::run(deployment, self.capacity, plan).await?;
        tiers::print(&outcome, output)?;
        Ok(ExitCode::SUCCESS)
    }

    fn targets(&self) -> Result<Vec<Target>, Failure> {
        let urls = self.stores.iter().map(|url| Target::parse(url));
        let files = self.store_files.iter().map(|path| Target::from_file(path));
        let targets: Vec<Target> = urls.chain(files).collect::<Result<_, _>>()?;
        // What opens one store is nothing that another should be shown.
        if targets.iter().filter(|target| target.takes_password()).count() > 1 {
            return Err(Failure::usage(
                "HALLWAY_PASSWORD would go to several of these stores; give each its URL with its own password by --store-file FILE",
            ));
        }
        Ok(targets)
    }
}
