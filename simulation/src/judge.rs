//! What must hold of what was seen.

use std::fmt;
use std::time::Duration;

use hallway_testkit::history::{self, Checker, History, Verdict, Violation};
use hallway_tiered::TieredStats;

use crate::scenario::{COPY_TTL, Fault, Scenario, Tiers};

/// Timers have steps of a millisecond.
const SLACK: Duration = Duration::from_millis(10);

/// What a run left behind.
#[derive(Debug)]
pub(crate) struct Seen {
    pub(crate) history: History,
    pub(crate) stats: Vec<TieredStats>,
}

/// A run in which everything held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// How many operations were judged.
    pub operations: usize,
    /// What all processes together counted.
    pub local_hits: u64,
    /// Copies read from Redis.
    pub shared_hits: u64,
    /// Reads of the authority.
    pub loads: u64,
    /// Writes that could not be announced.
    pub unannounced: u64,
    /// A fingerprint of the history: the same seed gives the same.
    pub fingerprint: u64,
}

/// A promise that was not kept.
#[derive(Debug)]
pub struct Failure {
    /// The run.
    pub scenario: Scenario,
    /// The promise.
    pub violation: Violation,
    /// What happened around it.
    pub timeline: String,
    /// The whole history, as JSON for other checkers.
    pub json: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}: {:?} of key {}: {}\n{}",
            self.scenario, self.violation.rule, self.violation.key, self.violation.message, self.timeline
        )
    }
}

/// Whether a writer was cut off, or Redis lost its markers and the connection together: then copies are bounded by their
/// hard TTL, and a process that has read past one may come back to it.
fn is_void(scenario: &Scenario, seen: &Seen) -> bool {
    let unannounced: u64 = seen.stats.iter().map(|stats| stats.unannounced_writes).sum();
    let copies = scenario.tiers != Tiers::LocalShared;
    copies && (unannounced > 0 || matches!(scenario.fault, Fault::Restart))
}

/// How old a shared read may be in this run.
fn promised(scenario: &Scenario, seen: &Seen) -> Duration {
    let bound = match scenario.tiers {
        Tiers::SharedConsistent => Duration::ZERO,
        _ => scenario.bound.max(scenario.degraded_ttl),
    };
    (if is_void(scenario, seen) { bound + COPY_TTL } else { bound }) + SLACK
}

pub(crate) fn judge(scenario: &Scenario, seen: &Seen) -> Result<Report, Box<Failure>> {
    let history = &seen.history;
    let delta = promised(scenario, seen);
    let fail = |violation: Violation| {
        Box::new(Failure {
            scenario: *scenario,
            timeline: history::timeline(history, &violation),
            json: history.to_json(),
            violation,
        })
    };
    let checker = Checker::new().with_delta(delta).with_expiry_slack(SLACK);
    match checker.check(history) {
        Verdict::Holds => {}
        Verdict::Violated(violation) => return Err(fail(violation)),
        Verdict::Inconclusive(limit) => {
            panic!("{scenario}: the checker gave up on key {} after {} steps", limit.key, limit.steps)
        }
    }
    let mut found = history::only_written_values(history);
    found.extend(history::expiry(history, SLACK));
    found.extend(history::no_resurrection(history, delta));
    found.extend(history::read_your_writes(history));
    // While local copies answer for a Redis that is down, only their age is promised; and going back within a process is
    // excluded by invalidations that come before later replies, as Redis sends them but for long turns.
    if scenario.degraded_ttl.is_zero() && !scenario.long_turns && !is_void(scenario, seen) {
        found.extend(history::monotonic_reads(history));
    }
    if let Some(violation) = found.into_iter().next() {
        return Err(fail(violation));
    }
    let sum = |of: fn(&TieredStats) -> u64| seen.stats.iter().map(of).sum();
    Ok(Report {
        operations: history.operations.len(),
        local_hits: sum(|stats| stats.local_hits),
        shared_hits: sum(|stats| stats.shared_hits),
        loads: sum(|stats| stats.loads + stats.bypassed),
        unannounced: sum(|stats| stats.unannounced_writes),
        fingerprint: fingerprint(history),
    })
}

/// FNV-1a of the history's text.
fn fingerprint(history: &History) -> u64 {
    history
        .to_json()
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3))
}
