//! The verdict over a whole history.

use std::collections::BTreeMap;
use std::fmt;
use std::time::{Duration, Instant};

use super::plan::Plan;
use super::search::{Found, Limits, search};
use super::{History, Operation};

/// Whether one order of operations explains the history, with cached reads at most `delta` behind.
///
/// [`Checker`] with its defaults.
#[must_use]
pub fn check(history: &History, delta: Duration) -> Verdict {
    Checker::new().with_delta(delta).check(history)
}

/// What a check found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// An order explains everything.
    Holds,
    /// No order does.
    Violated(Violation),
    /// A limit was reached on some key, and no other key is in violation.
    Inconclusive(Inconclusive),
}

/// What is promised, and was not kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Rule {
    /// Nothing is read that was never written.
    Corruption,
    /// Nothing is read after its deadline.
    Expiry,
    /// One order of the operations of a key explains all answers.
    Linearizability,
    /// The history itself makes sense.
    Malformed,
    /// A process does not go back to an older value.
    MonotonicReads,
    /// A process sees its own writes, or what came later.
    ReadYourWrites,
    /// What was deleted stays away.
    Resurrection,
}

/// A promise that was not kept, and the operations that show it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The promise.
    pub rule: Rule,
    /// The key.
    pub key: String,
    /// Which operations show it, as indices into the history; the offending one first.
    pub operations: Vec<usize>,
    /// What is wrong, in a sentence.
    pub message: String,
}

/// Where a check gave up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inconclusive {
    /// The key.
    pub key: String,
    /// How many steps were tried on it.
    pub steps: u64,
}

/// How a history is checked.
#[derive(Debug, Clone)]
#[must_use]
pub struct Checker {
    delta: Duration,
    slack: Duration,
    steps: u64,
    time: Duration,
}

impl Checker {
    /// Cached reads may not be behind at all, deadlines are exact, 2,000,000 steps per key, 30 s in all.
    pub fn new() -> Self {
        Self { delta: Duration::ZERO, slack: Duration::ZERO, steps: 2_000_000, time: Duration::from_secs(30) }
    }

    /// Cached reads may be so far behind. Default: not at all.
    pub fn with_delta(mut self, delta: Duration) -> Self {
        self.delta = delta;
        self
    }

    /// Values may end so much earlier or later than their TTL says: the step of the clock and how far the clocks of
    /// writer and store may run apart. Default: zero.
    pub fn with_expiry_slack(mut self, slack: Duration) -> Self {
        self.slack = slack;
        self
    }

    /// Most steps tried on one key. Default: 2,000,000, at about 100 bytes each.
    pub fn with_steps(mut self, steps: u64) -> Self {
        self.steps = steps;
        self
    }

    /// Most time for the whole history. Default: 30 s.
    pub fn with_time(mut self, time: Duration) -> Self {
        self.time = time;
        self
    }

    /// Checks every key. A violation of one key counts more than another key on which a limit was reached.
    #[must_use]
    pub fn check(&self, history: &History) -> Verdict {
        let limits = self.limits();
        let mut gave_up = None;
        for (key, indices) in by_key(history) {
            let plan = match Plan::new(history, key, &indices, self.slack) {
                Ok(plan) => plan,
                Err(violation) => return Verdict::Violated(violation),
            };
            match verdict(history, &plan, self.delta, limits) {
                Verdict::Holds => {}
                Verdict::Violated(violation) => return Verdict::Violated(violation),
                Verdict::Inconclusive(inconclusive) => {
                    gave_up.get_or_insert(inconclusive);
                }
            }
        }
        gave_up.map_or(Verdict::Holds, Verdict::Inconclusive)
    }

    pub(super) fn limits(&self) -> Limits {
        Limits { steps: self.steps, until: Instant::now() + self.time }
    }

    pub(super) const fn slack(&self) -> Duration {
        self.slack
    }
}

impl Default for Checker {
    fn default() -> Self {
        Self::new()
    }
}

/// One key, with all its cached reads `delta` behind.
pub(super) fn verdict(history: &History, plan: &Plan, delta: Duration, limits: Limits) -> Verdict {
    let delta = micros(delta);
    match search(plan, |_| delta, limits) {
        Found::Order => Verdict::Holds,
        Found::GaveUp { steps } => Verdict::Inconclusive(Inconclusive { key: plan.key.clone(), steps }),
        Found::None { stuck, behind, value, placed } => {
            let saw = |index: usize| {
                let Operation { process, input, output, .. } = &history.operations[index];
                format!("{input:?} of process {process} got {output:?}")
            };
            let writer = |value: u64| plan.sources().find(|&source| history.operations[source].writes() == Some(value));
            let left = match value {
                None => "no value".to_owned(),
                Some(value) if plan.counts || writer(value).is_some() => value.to_string(),
                Some(_) => "a value that nobody saw".to_owned(),
            };
            let best = format!("the best one places {placed} operations before, which leave {left}");
            let (offending, message) = match behind {
                Some(late) => {
                    (late, format!("{}, but {} before: no order explains both; {best}", saw(late), saw(stuck)))
                }
                None => (stuck, format!("{}: no order explains it; {best}", saw(stuck))),
            };
            let mut operations = vec![offending];
            operations.extend(behind.map(|_| stuck));
            let operation = &history.operations[offending];
            // Whoever wrote what stands there, and whoever wrote what was seen.
            for written in [value, operation.saw().flatten()].into_iter().flatten() {
                operations.extend(writer(written).filter(|writer| !operations.contains(writer)));
            }
            Verdict::Violated(Violation { rule: Rule::Linearizability, key: plan.key.clone(), operations, message })
        }
    }
}

/// The operations of every key, in the order of the keys.
pub(super) fn by_key(history: &History) -> BTreeMap<&str, Vec<usize>> {
    let mut keys: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for (index, operation) in history.operations.iter().enumerate() {
        keys.entry(&operation.key).or_default().push(index);
    }
    keys
}

/// Whole microseconds, as far as a signed number goes: 292,000 years.
pub(super) fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX / 4).min(i64::MAX / 4)
}

impl Rule {
    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Corruption => "corruption",
            Self::Expiry => "expiry",
            Self::Linearizability => "linearizability",
            Self::Malformed => "malformed history",
            Self::MonotonicReads => "monotonic reads",
            Self::ReadYourWrites => "read your writes",
            Self::Resurrection => "resurrection",
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: key {:?}: {} (operations {:?})", self.rule.name(), self.key, self.message, self.operations)
    }
}
