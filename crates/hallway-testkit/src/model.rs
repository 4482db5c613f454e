//! Random operations against a store and against a map that knows what the contract says.
//!
//! ```
//! use std::sync::Arc;
//! use hallway_testkit::{ManualClock, PlainStore, model};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), model::Mismatch> {
//! let clock = ManualClock::new();
//! let store = PlainStore::new().with_clock(Arc::new(clock.clone()));
//! let config = model::ModelConfig::default().with_operations(1_000);
//! let summary = model::run(config, Arc::new(store), Some(clock)).await?;
//! assert_eq!(summary.operations, 1_000);
//! # Ok(())
//! # }
//! ```
//!
//! A few awkward keys are set, touched, counted, taken, listed and cleared at random, with conditions that hold or
//! nearly hold, batches with duplicates, bursts of concurrent calls, and lives from a millisecond to ten years. What
//! the store denies in its capabilities must be refused, and a refused call must change nothing.
//!
//! Time: a store that takes a [`ManualClock`] is stepped to and past its deadlines and must be exact. Other stores run
//! on real time with short lives. The model then knows of each entry the earliest and the latest moment of its end,
//! measured around the calls, and accepts both answers between; so a slow machine makes the test less sharp, never
//! flaky.
//!
//! A failure names the seed; `HALLWAY_SEED=0x…` in the environment replays it. The run is repeated with ever fewer
//! operations, and the shortest that still fails is shown.

mod describe;
mod operation;
mod runner;
mod state;

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hallway_core::{Clock, KvStore};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use self::operation::{Operation, generate};
use self::runner::{Difference, Runner};
use crate::ManualClock;

/// How long looking for a shorter run may take.
const SHRINKING: Duration = Duration::from_secs(10);

/// Most operations shown of a run that could not be made shorter.
const SHOWN: usize = 16;

/// How a model test is run.
///
/// Default: 10,000 operations, a random seed or the one in the environment variable `HALLWAY_SEED`, values up to
/// 8 KiB, a deadline of 30 s per call.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ModelConfig {
    /// The seed; `None` takes that of `HALLWAY_SEED`, else a random one.
    pub seed: Option<u64>,
    /// How many operations are run.
    pub operations: usize,
    /// The largest value in bytes.
    pub max_value: usize,
    /// How far the clock of the store may be off while it runs as fast as ours: rounding to milliseconds on both ends.
    /// Ignored with a [`ManualClock`], which leaves no excuse.
    pub tolerance: Duration,
    /// Deadline of each call, so long that a busy machine never meets it.
    pub deadline: Duration,
}

impl Default for ModelConfig {
    fn default() -> Self {
        Self {
            seed: None,
            operations: 10_000,
            max_value: 8 << 10,
            tolerance: Duration::from_millis(2),
            deadline: Duration::from_secs(30),
        }
    }
}

impl ModelConfig {
    /// Runs with this seed.
    #[must_use]
    pub fn with_seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// Runs so many operations. Default: 10,000.
    #[must_use]
    pub fn with_operations(mut self, operations: usize) -> Self {
        self.operations = operations;
        self
    }

    /// Uses values up to so many bytes. Default: 8 KiB.
    #[must_use]
    pub fn with_max_value(mut self, bytes: usize) -> Self {
        self.max_value = bytes;
        self
    }

    /// Allows another difference between the clocks. Default: 2 ms.
    #[must_use]
    pub fn with_tolerance(mut self, tolerance: Duration) -> Self {
        self.tolerance = tolerance;
        self
    }

    fn pick_seed(&self) -> Result<u64, Mismatch> {
        if let Some(seed) = self.seed {
            return Ok(seed);
        }
        match std::env::var("HALLWAY_SEED") {
            Ok(text) => parse_seed(&text)
                .ok_or_else(|| Mismatch(format!("HALLWAY_SEED is not a number: `{text}`; use 123 or 0x7b"))),
            Err(_) => Ok(rand::rng().random()),
        }
    }
}

fn parse_seed(text: &str) -> Option<u64> {
    match text.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16).ok(),
        None => text.parse().ok(),
    }
}

/// What a model test that passed has done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Summary {
    /// The seed.
    pub seed: u64,
    /// Operations run.
    pub operations: usize,
    /// How often an operation met a live entry.
    pub alive: u64,
    /// How often an operation met an entry that had expired.
    pub expired: u64,
    /// How often an operation came so close to the deadline that both answers were right.
    pub undecided: u64,
}

/// How a store differs from the model: seed, operation, expectation, answer, and the shortest run that shows it.
#[derive(Clone)]
pub struct Mismatch(String);

impl fmt::Display for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The text itself, so that an `unwrap` in a test is readable.
impl fmt::Debug for Mismatch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl std::error::Error for Mismatch {}

/// Runs random operations against `store` and the model, in a namespace of their own that is empty in the end.
///
/// Hand in the `clock` only if the store decides expiry by it.
///
/// # Errors
/// The first answer that the contract does not allow, any error of a sound call included.
pub async fn run(
    config: ModelConfig,
    store: Arc<dyn KvStore>,
    clock: Option<ManualClock>,
) -> Result<Summary, Mismatch> {
    let seed = config.pick_seed()?;
    let store = store.with_deadline(config.deadline);
    let watch = Watch { clock, began: Instant::now() };
    let mut rng = StdRng::seed_from_u64(seed);
    let capabilities = store.capabilities();
    let operations: Vec<Operation> = (0..config.operations)
        .map(|_| generate(&mut rng, capabilities, config.max_value, watch.clock.is_some()))
        .collect();
    let lab = Lab { store, watch, tolerance: config.tolerance };
    match lab.try_run(&operations).await {
        Ok(runner) => Ok(Summary {
            seed,
            operations: operations.len(),
            alive: runner.counts.alive,
            expired: runner.counts.expired,
            undecided: runner.counts.undecided,
        }),
        Err(difference) => {
            let failing = &operations[..(difference.at + 1).min(operations.len())];
            let (shortest, shown) = lab.shrink(failing, difference.clone()).await;
            Err(report(seed, &difference, failing.len(), &shortest, &shown))
        }
    }
}

/// The time that the model goes by, in microseconds.
#[derive(Debug, Clone)]
struct Watch {
    clock: Option<ManualClock>,
    began: Instant,
}

impl Watch {
    fn now(&self) -> u64 {
        match &self.clock {
            Some(clock) => clock.now(),
            None => self.began.elapsed().as_micros() as u64,
        }
    }
}

/// Where runs are made: the same store each time, a fresh namespace each time.
struct Lab {
    store: Arc<dyn KvStore>,
    watch: Watch,
    tolerance: Duration,
}

impl Lab {
    async fn try_run(&self, operations: &[Operation]) -> Result<Runner, Difference> {
        let mut runner = Runner::new(self.store.clone(), self.watch.clone(), self.tolerance)
            .map_err(|error| Difference { at: 0, text: error, history: Vec::new() })?;
        for (at, operation) in operations.iter().enumerate() {
            runner.step(at, operation).await?;
        }
        runner.finish(operations.len()).await?;
        Ok(runner)
    }

    /// The shortest run found that fails, and how it fails: suffixes of 1, 2, 4, … operations, then single operations
    /// left out of the first suffix that fails.
    async fn shrink(&self, failing: &[Operation], difference: Difference) -> (Vec<Operation>, Difference) {
        let deadline = Instant::now() + SHRINKING;
        let mut best = (failing.to_vec(), difference);
        let mut length = 1;
        while length < failing.len() && Instant::now() < deadline {
            let suffix = &failing[failing.len() - length..];
            if let Err(difference) = self.try_run(suffix).await {
                best = (suffix[..(difference.at + 1).min(length)].to_vec(), difference);
                break;
            }
            length *= 2;
        }
        let mut at = best.0.len();
        while at > 0 && Instant::now() < deadline {
            at -= 1;
            let mut shorter = best.0.clone();
            if at < shorter.len() {
                shorter.remove(at);
                if let Err(difference) = self.try_run(&shorter).await {
                    shorter.truncate(difference.at + 1);
                    best = (shorter, difference);
                }
            }
        }
        best
    }
}

fn report(seed: u64, first: &Difference, failing: usize, shortest: &[Operation], shown: &Difference) -> Mismatch {
    let mut text = format!(
        "the store differs from the model at operation {failing} (replay with HALLWAY_SEED=0x{seed:x})\n{}\n",
        first.text
    );
    if shortest.len() < failing {
        text.push_str(&format!("a run of {} operations that fails, too:\n", shortest.len()));
    } else {
        text.push_str("no shorter run failed; the last operations:\n");
    }
    for line in shown.history.iter().skip(shown.history.len().saturating_sub(SHOWN)) {
        text.push_str(&format!("  {line}\n"));
    }
    if shortest.len() < failing {
        text.push_str(&format!("{}\n", shown.text));
    }
    Mismatch(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_are_read_as_they_are_printed() {
        assert_eq!(parse_seed("0xff"), Some(255));
        assert_eq!(parse_seed("255"), Some(255));
        assert_eq!(parse_seed("x"), None);
    }
}
