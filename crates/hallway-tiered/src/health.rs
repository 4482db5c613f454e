//! How the tiers are, and what is promised.

use std::fmt;
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::engine::{Engine, LinkHealth};
use crate::settings::Rules;
use crate::table::{Authority, Plan};
use crate::{BreakerState, Mode, OnSharedDown};

/// What a reader is promised about staleness: a value at least as new as every write acknowledged so long before the read
/// began.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Bound {
    /// The promise of the namespace.
    pub mode: Mode,
    /// Under no fault or any single fault of a process, a message or a link.
    pub single_fault: Option<Duration>,
    /// When a writer is cut off from the shared tier, which is a single fault too: equal to
    /// [`single_fault`](Self::single_fault) under [`OnSharedDown::Fail`], else the time until repair, at worst this hard
    /// TTL of copies.
    pub cut_off_writer: Option<Duration>,
    /// Where the bound comes from.
    pub basis: &'static str,
}

impl Bound {
    pub(crate) fn of(engine: &Engine, rules: &Rules) -> Self {
        Self::from_parts(engine.settings.bound, engine.health() == LinkHealth::Untracked, rules)
    }

    fn from_parts(h: Duration, untracked: bool, rules: &Rules) -> Self {
        let Plan { mode, authority, local_copies, shared_copies } = rules.plan;
        let local_ttl = Duration::from_micros(rules.local_ttl);
        let degraded = rules.options.degraded_ttl;
        let cut_off = |bound: Duration| match rules.options.on_shared_down {
            OnSharedDown::Fail => Some(bound),
            OnSharedDown::Proceed => Some(bound.max(rules.options.ttl)),
        };
        let (single_fault, cut_off_writer, basis) = match (authority, local_copies, shared_copies) {
            (Authority::Local, ..) => (Some(Duration::ZERO), Some(Duration::ZERO), "one process, no copies"),
            (_, false, false) => (Some(Duration::ZERO), Some(Duration::ZERO), "every read reaches the authority"),
            (Authority::Consistent, true, false) => {
                (Some(local_ttl), Some(local_ttl), "local TTL: no link tells of writes of other processes")
            }
            (_, true, _) if untracked => {
                (Some(local_ttl), cut_off(local_ttl), "local TTL: the server sends no invalidations")
            }
            (Authority::Shared, true, _) => {
                let bound = h.max(degraded);
                (Some(bound), Some(bound), "heartbeat, and the degraded TTL while the link is down")
            }
            (_, true, true) => {
                let bound = h.max(degraded);
                (Some(bound), cut_off(bound), "heartbeat, and the degraded TTL while the link is down")
            }
            (_, false, true) => (Some(Duration::ZERO), cut_off(Duration::ZERO), "leases and markers; no local copies"),
        };
        Self { mode, single_fault, cut_off_writer, basis }
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = |bound: Option<Duration>| {
            bound.map_or("none".to_owned(), |bound| humantime::format_duration(bound).to_string())
        };
        write!(f, "{}: at most {} stale under any single fault", self.mode, text(self.single_fault))?;
        if self.cut_off_writer != self.single_fault {
            write!(
                f,
                ", but for a writer cut off from the shared tier: until repaired (2 s after the link is back), at worst {}",
                text(self.cut_off_writer)
            )?;
        }
        write!(f, " ({})", self.basis)
    }
}

/// How one tier is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TierHealth {
    /// There is no such tier.
    Absent,
    /// It gives no answers, or tells of no changes; the store does without.
    Degraded,
    /// It answers.
    Ready,
}

/// How the tiers are, for `/readyz` and for people.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Health {
    /// The in-process tier.
    pub local: TierHealth,
    /// The shared tier: its link and its breaker.
    pub shared: TierHealth,
    /// The consistent tier: degraded from the first question that it leaves unanswered for 2 s, or answers by an outage,
    /// until it answers one. It is asked once a second unless it has answered anything else, from when the store was built
    /// within a runtime; outside of one nobody asks, and it counts as ready.
    pub consistent: TierHealth,
    /// The breaker before the shared tier.
    pub breaker: BreakerState,
    /// How long ago the link last proved that no invalidation is missing.
    pub proven: Option<Duration>,
    /// Invalidations that this process still owes.
    pub owed: usize,
    /// How long the oldest owed invalidation has waited, here or in the outbox.
    pub lag: Duration,
    /// What is promised now by namespaces without settings of their own.
    pub bound: Bound,
}

impl Health {
    pub(crate) fn of(engine: &Engine) -> Self {
        let there = |is: bool| if is { TierHealth::Ready } else { TierHealth::Absent };
        let linked = engine.link().is_some();
        let shared = match engine.health() {
            _ if !engine.settings.tiers.shared => TierHealth::Absent,
            LinkHealth::Up => TierHealth::Ready,
            _ if !linked => TierHealth::Ready,
            _ => TierHealth::Degraded,
        };
        let proven = engine.link().map(|link| link.freshness().proven()).filter(|proven| *proven > 0);
        let (owed, oldest) = engine.debts.owed();
        Self {
            local: there(engine.settings.tiers.local),
            shared,
            consistent: match there(engine.settings.tiers.consistent) {
                TierHealth::Ready if engine.is_truth_away() => TierHealth::Degraded,
                other => other,
            },
            breaker: engine.breaker.state(),
            proven: proven.map(|proven| Duration::from_micros(engine.clock.now().saturating_sub(proven))),
            owed,
            lag: oldest.max(Duration::from_micros(engine.outbox_lag.load(Ordering::Relaxed))),
            bound: Bound::of(engine, &engine.settings.others),
        }
    }

    /// Whether every tier that there is answers.
    #[must_use]
    pub fn is_ready(&self) -> bool {
        ![self.local, self.shared, self.consistent].contains(&TierHealth::Degraded)
    }
}
