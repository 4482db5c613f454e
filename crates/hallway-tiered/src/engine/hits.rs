//! Whether a local copy may answer: the check on every hit.

use hallway_core::Key;

use super::Engine;
use super::link::LinkHealth;
use crate::stamps::Stamp;

/// What was true before a fetch began. A copy that carries it is good as long as it stays true.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Noted {
    pub(crate) slot: u32,
    pub(crate) stamp: Stamp,
    /// Microseconds on the engine's clock, before anything was sent: lives count from here.
    pub(crate) at: u64,
}

/// What a copy's right to answer hangs on besides its stamp and its deadline.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Lease {
    /// Nobody else: it is of this process alone.
    Alone,
    /// A link that tells of changes: it must have proved itself lately.
    Link,
    /// Nothing: the deadline alone bounds how old it gets.
    Timed,
}

/// What a local copy carries to be judged by.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Guard {
    pub(crate) noted: Noted,
    /// Microseconds on the engine's clock.
    pub(crate) deadline: u64,
    pub(crate) lease: Lease,
}

impl Engine {
    /// Where the stamps of a key are. Keys in the shared tier, with `copy:` before them, have the same place.
    #[inline]
    pub(crate) fn slot(&self, physical: &[u8]) -> u32 {
        use std::hash::BuildHasher;
        let hash = self.hasher.hash_one(physical);
        // At most 2^20 stamps.
        (hash % self.settings.stamps as u64) as u32
    }

    /// To be taken before a fetch begins.
    #[inline]
    pub(crate) fn note(&self, key: &Key) -> Noted {
        let slot = self.slot(key.as_bytes());
        // The stamp first: what happens after this line is noticed.
        let stamp = self.stamps.note(slot);
        Noted { slot, stamp, at: self.clock.now() }
    }

    /// Whether nothing has changed the key since, as far as this process knows.
    #[inline]
    pub(crate) fn is_unchanged(&self, noted: &Noted) -> bool {
        self.stamps.is_current(noted.slot, noted.stamp)
    }

    /// Whether a copy may answer. `now` is a reading that is never behind the exact clock, so that nothing is served after
    /// its deadline; `degraded_ttl` is in microseconds.
    #[inline]
    pub(crate) fn may_answer_at(&self, guard: &Guard, degraded_ttl: u64, now: u64) -> bool {
        let Noted { slot, stamp, .. } = guard.noted;
        guard.deadline > now
            && match guard.lease {
                Lease::Alone => self.stamps.is_same(slot, stamp),
                // The proof first: what it covers has bumped the stamps before it was given. The other way round an
                // invalidation and its proof could both come between the two looks.
                Lease::Link => self.is_proven(now, degraded_ttl) && self.stamps.is_current(slot, stamp),
                Lease::Timed => self.stamps.is_current(slot, stamp),
            }
    }

    /// Outdates what was noted before, but for `noted` itself, which becomes what is returned: `None` if something else
    /// has changed the key since.
    pub(crate) fn advance(&self, noted: &Noted) -> Option<Noted> {
        let stamp = self.stamps.bump_from(noted.slot, noted.stamp)?;
        Some(Noted { stamp, ..*noted })
    }

    /// Whether no invalidation older than the bound can be missing.
    #[inline]
    pub(crate) fn is_proven(&self, now: u64, degraded_ttl: u64) -> bool {
        let Some(link) = self.link() else { return true };
        let age = now.saturating_sub(link.freshness().proven());
        age <= self.bound_micros
            || match self.health() {
                LinkHealth::Up => false,
                LinkHealth::Down => age <= degraded_ttl,
                LinkHealth::Untracked => true,
            }
    }
}
