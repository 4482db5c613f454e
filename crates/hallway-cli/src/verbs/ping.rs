//! `hallway ping`.

use std::process::ExitCode;
use std::time::{Duration, Instant, UNIX_EPOCH};

use clap::Args;
use hallway::{Capability, Timestamp};
use serde::Serialize;

use crate::failure::Failure;
use crate::output::Output;
use crate::store_args::StoreArgs;

/// Round trips of which the quickest counts.
const ROUNDS: u32 = 5;

#[derive(Args)]
pub(crate) struct Ping {
    #[command(flatten)]
    store: StoreArgs,
}

#[derive(Serialize)]
struct Answer {
    store: String,
    /// The first round trip, connecting and migrating included.
    connect_us: f64,
    /// The quickest of the next five.
    latency_us: f64,
    /// The clock that decides expiry in the store.
    clock: String,
    /// How far it is ahead of this machine's.
    clock_ahead_ms: f64,
    capabilities: Vec<String>,
}

impl Ping {
    pub(crate) async fn run(self, output: Output) -> Result<ExitCode, Failure> {
        let target = self.store.target()?;
        let store = target.open().await?;
        let start = Instant::now();
        store.ping().await?;
        let connect = start.elapsed();

        let mut quickest = Duration::MAX;
        let mut ahead = 0;
        let mut clock = Timestamp::now();
        for _ in 0..ROUNDS {
            let sent = Timestamp::now();
            let start = Instant::now();
            let there = store.time().await?;
            let took = start.elapsed();
            if took < quickest {
                quickest = took;
                clock = there;
                // The store looked at its clock about half-way.
                ahead = there.unix_micros() - sent.unix_micros() - (took / 2).as_micros() as i64;
            }
        }
        let answer = Answer {
            store: target.label(),
            connect_us: micros(connect),
            latency_us: micros(quickest),
            clock: rfc3339(clock),
            clock_ahead_ms: ahead as f64 / 1e3,
            capabilities: store.capabilities().iter().map(name).collect(),
        };
        output.answer(&answer, || {
            format!(
                "{}\n  first answer  {:.0} us\n  latency       {:.0} us, best of {ROUNDS}\n  clock         {}, {:+.1} ms from here\n  capabilities  {}",
                answer.store,
                answer.connect_us,
                answer.latency_us,
                answer.clock,
                answer.clock_ahead_ms,
                answer.capabilities.join(", ")
            )
        })?;
        Ok(ExitCode::SUCCESS)
    }
}

fn micros(duration: Duration) -> f64 {
    (duration.as_nanos() / 100) as f64 / 10.0
}

fn rfc3339(at: Timestamp) -> String {
    let since = Duration::from_micros(u64::try_from(at.unix_micros()).unwrap_or(0));
    humantime::format_rfc3339_millis(UNIX_EPOCH + since).to_string()
}

/// `OrderedScan` as `ordered_scan`.
fn name(capability: Capability) -> String {
    let mut name = String::new();
    for c in format!("{capability:?}").chars() {
        if c.is_ascii_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.push(c.to_ascii_lowercase());
    }
    name
}
