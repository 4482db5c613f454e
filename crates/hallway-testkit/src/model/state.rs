//! What the model knows: values, and between which moments each entry ends.

use std::collections::HashMap;

use hallway_core::Bytes;

/// When a call began and ended, in microseconds of the model's time. The store acted somewhere between.
#[derive(Debug, Clone, Copy)]
pub(super) struct Span {
    pub(super) from: u64,
    pub(super) to: u64,
}

/// The end of an entry lies in `earliest..=latest`; both are `u64::MAX` for an entry without one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Life {
    pub(super) earliest: u64,
    pub(super) latest: u64,
}

impl Life {
    pub(super) const FOREVER: Self = Self { earliest: u64::MAX, latest: u64::MAX };

    /// Of an entry written in `span` to live so long.
    pub(super) fn from(span: Span, micros: u64) -> Self {
        Self { earliest: span.from + micros, latest: span.to + micros }
    }

    /// When nobody can tell which of two it is.
    pub(super) fn or(self, other: Self) -> Self {
        Self { earliest: self.earliest.min(other.earliest), latest: self.latest.max(other.latest) }
    }
}

#[derive(Debug, Clone)]
pub(super) struct Held {
    pub(super) value: Bytes,
    pub(super) life: Life,
}

/// Whether a call must find an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Presence {
    Absent,
    Alive,
    /// The deadline fell into the call, or so close that the clocks may disagree.
    Either,
}

#[derive(Debug)]
pub(super) struct State {
    held: HashMap<usize, Held>,
    slack: u64,
}

impl State {
    pub(super) fn new(slack: u64) -> Self {
        Self { held: HashMap::new(), slack }
    }

    pub(super) fn presence(&self, key: usize, span: Span) -> Presence {
        match self.held.get(&key) {
            None => Presence::Absent,
            Some(held) if span.to.saturating_add(self.slack) < held.life.earliest => Presence::Alive,
            Some(held) if span.from >= held.life.latest.saturating_add(self.slack) && held.life.latest < u64::MAX => {
                Presence::Absent
            }
            Some(_) => Presence::Either,
        }
    }

    /// Dead entries included, until they are forgotten.
    pub(super) fn held(&self, key: usize) -> Option<&Held> {
        self.held.get(&key)
    }

    pub(super) fn put(&mut self, key: usize, value: Bytes, life: Life) {
        self.held.insert(key, Held { value, life });
    }

    pub(super) fn forget(&mut self, key: usize) {
        self.held.remove(&key);
    }

    /// A call found the entry: it did not end before the call began.
    pub(super) fn found(&mut self, key: usize, span: Span) {
        let slack = self.slack;
        if let Some(Held { life, .. }) = self.held.get_mut(&key) {
            life.earliest = life.earliest.max(span.from.saturating_sub(slack)).min(life.latest);
        }
    }

    pub(super) fn set_life(&mut self, key: usize, life: Life) {
        if let Some(held) = self.held.get_mut(&key) {
            held.life = life;
        }
    }

    pub(super) fn slack(&self) -> u64 {
        self.slack
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exact_clock_leaves_no_doubt() {
        let mut state = State::new(0);
        let at = |now| Span { from: now, to: now };
        state.put(0, Bytes::new(), Life::from(at(1_000), 500));
        assert_eq!(state.presence(0, at(1_499)), Presence::Alive);
        assert_eq!(state.presence(0, at(1_500)), Presence::Absent);
        state.put(0, Bytes::new(), Life::FOREVER);
        assert_eq!(state.presence(0, at(u64::MAX - 1)), Presence::Alive);
    }

    #[test]
    fn around_a_deadline_both_answers_are_right_until_one_is_seen() {
        let mut state = State::new(10);
        state.put(0, Bytes::new(), Life::from(Span { from: 1_000, to: 1_100 }, 500));
        assert_eq!(state.presence(0, Span { from: 1_400, to: 1_480 }), Presence::Alive);
        assert_eq!(state.presence(0, Span { from: 1_400, to: 1_490 }), Presence::Either);
        assert_eq!(state.presence(0, Span { from: 1_609, to: 1_700 }), Presence::Either);
        assert_eq!(state.presence(0, Span { from: 1_610, to: 1_700 }), Presence::Absent);
        state.found(0, Span { from: 1_560, to: 1_570 });
        assert_eq!(state.presence(0, Span { from: 1_500, to: 1_530 }), Presence::Alive);
    }
}
