//! Answers against what the model allows.

use std::collections::HashSet;
use std::time::Duration;

use hallway_core::Bytes;

use super::super::describe::{bytes, maybe, name};
use super::super::state::{Presence, Span};
use super::{Checked, Runner};

impl Runner {
    pub(super) fn listed(&mut self, prefix: usize, seen: &HashSet<usize>, span: Span) -> Checked {
        for key in self.below(prefix) {
            match (self.met(key, span), seen.contains(&key)) {
                (Presence::Alive, false) => return Err(format!("expected that {} is listed", name(key))),
                (Presence::Absent, true) => {
                    return Err(format!("{} is listed, but {}", name(key), self.why(key, span)));
                }
                (Presence::Either, true) => self.state.found(key, span),
                // Not listed, so it ended before the scan did.
                (Presence::Either, false) => self.state.forget(key),
                _ => {}
            }
        }
        Ok(format!("{} keys", seen.len()))
    }

    /// A call removed these keys and said how many of them were alive.
    pub(super) fn removed(&mut self, keys: impl IntoIterator<Item = usize>, said: u64, span: Span) -> Checked {
        let (mut least, mut most) = (0, 0);
        for key in keys {
            match self.met(key, span) {
                Presence::Absent => {}
                Presence::Alive => (least, most) = (least + 1, most + 1),
                Presence::Either => most += 1,
            }
            self.state.forget(key);
        }
        if (least..=most).contains(&said) {
            Ok(said.to_string())
        } else {
            Err(format!("expected {least} to {most}, got {said}"))
        }
    }

    /// A call that read one key at one moment.
    pub(super) fn saw(&mut self, key: usize, seen: Option<&[u8]>, span: Span) -> Checked {
        let presence = self.met(key, span);
        let held = self.state.held(key).map(|held| held.value.clone());
        match (presence, seen, held) {
            (Presence::Absent, None, _) => {}
            (Presence::Either, None, _) => self.state.forget(key),
            (Presence::Alive | Presence::Either, Some(seen), Some(held)) if held == seen => self.state.found(key, span),
            (Presence::Absent, Some(seen), _) => {
                return Err(format!(
                    "expected None, because {} {}; got {}",
                    name(key),
                    self.why(key, span),
                    bytes(seen)
                ));
            }
            (_, seen, held) => {
                return Err(format!("expected {} of {}, got {}", maybe(held.as_deref()), name(key), maybe(seen)));
            }
        }
        Ok(maybe(seen))
    }

    /// Concurrent or repeated reads in one span: near a deadline a key may be there for one and gone for another.
    pub(super) fn saw_all(&mut self, seen: impl Iterator<Item = (usize, Option<Bytes>)>, span: Span) -> Checked {
        let mut gone = Vec::new();
        let mut count = 0;
        for (key, seen) in seen {
            count += usize::from(seen.is_some());
            if seen.is_none() && self.state.presence(key, span) == Presence::Either {
                gone.push(key);
            } else {
                self.saw(key, seen.as_deref(), span)?;
            }
        }
        gone.into_iter().for_each(|key| self.state.forget(key));
        Ok(format!("{count} values"))
    }

    /// A verb that says whether it did something: it does over a live entry if `over_live`, over none if
    /// `over_nothing`. Near a deadline the answer may tell which it was.
    pub(super) fn decide(
        &mut self,
        key: usize,
        did: bool,
        over_live: bool,
        over_nothing: bool,
        span: Span,
    ) -> Result<(), String> {
        let presence = self.met(key, span);
        let right = match presence {
            Presence::Absent => did == over_nothing,
            Presence::Alive => did == over_live,
            Presence::Either => did == over_live || did == over_nothing,
        };
        if !right {
            return Err(format!("expected {}, because {} {}; got {did}", !did, name(key), self.why(key, span)));
        }
        if presence == Presence::Either && over_live != over_nothing {
            if did == over_live { self.state.found(key, span) } else { self.state.forget(key) }
        }
        Ok(())
    }

    pub(super) fn met(&mut self, key: usize, span: Span) -> Presence {
        let presence = self.state.presence(key, span);
        match presence {
            Presence::Alive => self.counts.alive += 1,
            Presence::Either => self.counts.undecided += 1,
            Presence::Absent if self.state.held(key).is_some() => self.counts.expired += 1,
            Presence::Absent => {}
        }
        presence
    }

    pub(super) fn why(&self, key: usize, span: Span) -> String {
        match (self.state.held(key), self.state.presence(key, span)) {
            (None, _) => "is not there".to_owned(),
            (Some(held), Presence::Absent) => {
                format!(
                    "expired at least {:?} before",
                    Duration::from_micros(span.from.saturating_sub(held.life.latest))
                )
            }
            (Some(held), _) if held.life.earliest == u64::MAX => format!("holds {} for ever", bytes(&held.value)),
            (Some(held), _) => format!(
                "holds {} for at least {:?} more",
                bytes(&held.value),
                Duration::from_micros(held.life.earliest.saturating_sub(span.to))
            ),
        }
    }
}
