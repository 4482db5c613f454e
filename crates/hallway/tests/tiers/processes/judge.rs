//! The verdict over a run, and what is left of one that failed.

use std::path::Path;
use std::time::Duration;

use hallway_testkit::history::{self, Checker, History, Lag, Verdict, Violation};

/// What the measured staleness may exceed the bound by.
///
/// A busy machine needs none of it. A local copy answers if its proof, the sending of a heartbeat, is at most the bound
/// older than a moment *after* the read was called, and a write is acknowledged *after* its marker stands: whoever is
/// held up before or behind the comparison is held up inside his own call, which makes him look less stale. What is
/// left is the step of the coarse clock of a hit, at most 10 ms.
const SLACK: Duration = Duration::from_millis(50);

#[derive(Debug)]
pub(super) struct Judged {
    pub(super) staleness: Duration,
    pub(super) operations: usize,
}

/// Measures how far behind the cached reads were, and checks everything else that is promised.
///
/// # Errors
/// What was not kept, with its timeline; the history is written down.
pub(super) fn judge(name: &str, history: &History, bound: Duration) -> Result<Judged, String> {
    let fail = |violation: &Violation| {
        let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}.json"));
        let kept = match std::fs::write(&file, history.to_json()) {
            Ok(()) => format!("the history is in {}", file.display()),
            Err(error) => format!("the history could not be kept: {error}"),
        };
        format!("{name}: {}\n{kept}", history::timeline(history, violation))
    };
    let delta = bound + SLACK;
    let staleness = match history::measured_staleness(history).worst().clone() {
        Lag::Wrong(violation) => return Err(fail(&violation)),
        lag => lag.bounded().ok_or_else(|| format!("{name}: nothing was concluded: {lag:?}"))?,
    };
    if staleness > delta {
        let shown = match Checker::new().with_delta(delta).check(history) {
            Verdict::Violated(violation) => fail(&violation),
            other => format!("{other:?}"),
        };
        return Err(format!("{name}: {staleness:?} behind, {bound:?} is promised\n{shown}"));
    }
    let mut found = history::only_written_values(history);
    found.extend(history::no_resurrection(history, delta));
    found.extend(history::read_your_writes(history));
    found.extend(history::monotonic_reads(history));
    match found.first() {
        Some(violation) => Err(fail(violation)),
        None => Ok(Judged { staleness, operations: history.operations.len() }),
    }
}
