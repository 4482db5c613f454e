//! How far behind the cached reads were, and what they missed.

use std::time::Duration;

use super::History;
use super::check::{Checker, Inconclusive, Verdict, Violation, by_key, micros, verdict};
use super::plan::Plan;
use super::search::{Found, Limits, search};

/// How far behind the cached reads of each key were: the least Δ with which the history holds, exact to the
/// microsecond. Found by halving, with one check of the key per step.
#[must_use]
pub fn measured_staleness(history: &History) -> Staleness {
    let checker = Checker::new();
    let keys = by_key(history).into_iter().map(|(key, indices)| {
        let lag = match Plan::new(history, key, &indices, checker.slack()) {
            Ok(plan) => measure(history, &plan, &checker),
            Err(violation) => Lag::Wrong(violation),
        };
        KeyStaleness { key: key.to_owned(), lag }
    });
    Staleness { keys: keys.collect() }
}

/// How far behind cached reads were.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Staleness {
    /// For each key, in the order of the keys.
    pub keys: Vec<KeyStaleness>,
}

/// How far behind the cached reads of a key were.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyStaleness {
    /// The key.
    pub key: String,
    /// How far.
    pub lag: Lag,
}

/// How far behind.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Lag {
    /// Never.
    None,
    /// At most so far; this read was.
    Behind {
        /// The least Δ with which the history holds.
        by: Duration,
        /// Who was so far behind, and what it missed.
        missed: Missed,
    },
    /// A limit was reached.
    Inconclusive(Inconclusive),
    /// No Δ explains what was seen.
    Wrong(Violation),
}

/// A read that was behind. Operations are indices into the history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Missed {
    /// The read.
    pub read: usize,
    /// What had returned before it was called, and shows that the value it saw was gone.
    pub shown_by: usize,
    /// The write or removal that replaced the value, as far as `shown_by` tells: itself, or where it came from.
    pub write: Option<usize>,
}

impl Staleness {
    /// The worst key: what no Δ explains before what could not be decided, and those before the largest Δ.
    #[must_use]
    pub fn worst(&self) -> &Lag {
        let rank = |lag: &Lag| match lag {
            Lag::None => (0, Duration::ZERO),
            Lag::Behind { by, .. } => (1, *by),
            Lag::Inconclusive(_) => (2, Duration::ZERO),
            Lag::Wrong(_) => (3, Duration::ZERO),
        };
        self.keys.iter().map(|key| &key.lag).max_by_key(|lag| rank(lag)).unwrap_or(&Lag::None)
    }
}

impl Lag {
    /// The bound, if there is one; zero if nothing was behind.
    #[must_use]
    pub const fn bounded(&self) -> Option<Duration> {
        match self {
            Self::None => Some(Duration::ZERO),
            Self::Behind { by, .. } => Some(*by),
            Self::Inconclusive(_) | Self::Wrong(_) => None,
        }
    }
}

fn measure(history: &History, plan: &Plan, checker: &Checker) -> Lag {
    let limits = checker.limits();
    match verdict(history, plan, Duration::ZERO, limits) {
        Verdict::Holds => return Lag::None,
        Verdict::Inconclusive(inconclusive) => return Lag::Inconclusive(inconclusive),
        Verdict::Violated(_) => {}
    }
    // With this, every cached read counts as called before everything else.
    let latest = plan.steps.iter().map(|step| step.call).max().unwrap_or(0);
    let most = Duration::from_micros(u64::try_from(latest).unwrap_or(0) + 1);
    match verdict(history, plan, most, limits) {
        Verdict::Holds => {}
        Verdict::Violated(violation) => return Lag::Wrong(violation),
        Verdict::Inconclusive(inconclusive) => return Lag::Inconclusive(inconclusive),
    }
    let (mut fails, mut holds) = (0, micros(most));
    while holds - fails > 1 {
        let middle = fails + (holds - fails) / 2;
        match search(plan, |_| middle, limits) {
            Found::Order => holds = middle,
            Found::None { .. } => fails = middle,
            Found::GaveUp { steps } => {
                return Lag::Inconclusive(Inconclusive { key: plan.key.clone(), steps });
            }
        }
    }
    let by = Duration::from_micros(u64::try_from(holds).unwrap_or(0));
    match missed(history, plan, holds, limits) {
        Some(missed) => Lag::Behind { by, missed },
        // Only where a limit was reached on the way.
        None => Lag::Inconclusive(Inconclusive { key: plan.key.clone(), steps: limits.steps }),
    }
}

/// The read without whose last microsecond the history does not hold.
///
/// At the least Δ some cached read is called at the very moment at which something else returned; a microsecond less,
/// and it comes after it.
fn missed(history: &History, plan: &Plan, delta: i64, limits: Limits) -> Option<Missed> {
    let operations = &history.operations;
    let cached = plan.steps.iter().filter(|step| step.cached);
    let candidates: Vec<(usize, usize)> = cached
        .filter_map(|read| {
            let other = plan.steps.iter().find(|other| other.ret == read.call.saturating_sub(delta))?;
            Some((read.source, other.source))
        })
        .collect();
    let needs_it = |&&(read, _): &&(usize, usize)| {
        let shift = |source| if source == read { delta - 1 } else { delta };
        matches!(search(plan, shift, limits), Found::None { .. })
    };
    // Where two reads are just as far behind, and either would do, the first stands for both.
    let &(read, shown_by) = candidates.iter().find(needs_it).or(candidates.first())?;
    let shown = &operations[shown_by];
    let changed = shown.writes().is_some() || shown.removes();
    let write = match shown.saw() {
        _ if changed => Some(shown_by),
        Some(Some(value)) => plan.sources().find(|&source| operations[source].writes() == Some(value)),
        _ => None,
    };
    Some(Missed { read, shown_by, write })
}
