//! Markers of writes that are over, and that may stand in the shared tier all the same, or come there late.
//!
//! A request that got no answer may be run at any time: a stopped server runs what it was sent when it goes on, and what a
//! connection carried that was given up meanwhile in no order with what the next one carries. So an end that was sent
//! after a marker may be run before it, and the marker would keep everybody from making copies until it ends by itself.
//! It harms nobody but in speed: it is looked for when the shared tier answers again, and then at growing distances, so
//! that it stands at most as long again as it was late.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hallway_core::{Key, Token};
use tokio::time::Instant;

use super::{Engine, LinkHealth};

/// More are not looked for: they end by themselves.
const MOST: usize = 10_000;

/// How many are looked for in one round trip.
const BATCH: usize = 256;

/// Between the first two looks; each next pause is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(100);

/// Until the next look at a tier that gave no answer.
const RETRY: Duration = Duration::from_millis(500);

#[derive(Debug, Default)]
pub(crate) struct Strays {
    // A blocking mutex: nothing waits while holding it.
    known: Mutex<BTreeMap<(Key, Token), Stray>>,
}

#[derive(Debug, Clone, Copy)]
struct Stray {
    /// When the shared tier first answered without a fault since.
    answered: Option<Instant>,
    next: Instant,
    pause: Duration,
}

impl Stray {
    fn new(next: Instant) -> Self {
        Self { answered: None, next, pause: FIRST_PAUSE }
    }
}

impl Strays {
    /// These may stand or come under this token, and nobody needs them any more.
    pub(super) fn add(&self, copies: &[Key], token: Token) {
        let (mut known, now) = (self.lock(), Instant::now());
        for copy in copies.iter().take(MOST.saturating_sub(known.len())) {
            known.insert((copy.clone(), token), Stray::new(now));
        }
    }

    /// When one is to be looked for again.
    fn next(&self) -> Option<Instant> {
        self.lock().values().map(|stray| stray.next).min()
    }

    fn due(&self, now: Instant) -> Vec<(Key, Token)> {
        let known = self.lock();
        known.iter().filter(|(_, stray)| stray.next <= now).map(|(name, _)| name.clone()).take(BATCH).collect()
    }

    /// They were looked for, and taken away if they stood there. One that has not come within `longest` since the shared
    /// tier answers never does, or ends by itself.
    fn looked(&self, due: &[(Key, Token)], asked: Instant, longest: Duration) {
        let (mut known, now) = (self.lock(), Instant::now());
        for name in due {
            let Some(stray) = known.get_mut(name) else { continue };
            if asked.duration_since(*stray.answered.get_or_insert(asked)) >= longest {
                known.remove(name);
            } else {
                stray.next = now + stray.pause;
                stray.pause *= 2;
            }
        }
    }

    /// Nothing was heard: what was sent is as late as ever.
    fn missed(&self, due: &[(Key, Token)]) {
        let (mut known, next) = (self.lock(), Instant::now() + RETRY);
        for name in due {
            if let Some(stray) = known.get_mut(name) {
                *stray = Stray::new(next);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<(Key, Token), Stray>> {
        // Entries are inserted and removed whole.
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Engine {
    /// Takes away the markers that nobody needs any more, as far as it is time to look for them. Says when it is next.
    pub(super) async fn clear_strays(&self) -> Option<Instant> {
        let link = self.link()?;
        while self.health() != LinkHealth::Down {
            let asked = Instant::now();
            let due = self.strays.due(asked);
            if due.is_empty() {
                break;
            }
            match self.ask(link.release(&due, self.settings.shared_deadline)).await {
                Ok(()) => self.strays.looked(&due, asked, self.settings.marker),
                Err(error) => {
                    tracing::debug!(%error, "markers of writes that are over could not be looked for; it is tried again");
                    self.strays.missed(&due);
                }
            }
        }
        self.strays.next()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONGEST: Duration = Duration::from_secs(10);

    fn keys(count: usize) -> Vec<Key> {
        (0..count).map(|at| Key::from_physical(&format!("copy:a:{at}")).unwrap()).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn each_is_looked_for_at_growing_distances_and_then_forgotten() {
        let (strays, began) = (Strays::default(), Instant::now());
        strays.add(&keys(1), Token(1));
        let mut looks = Vec::new();
        while let Some(next) = strays.next() {
            tokio::time::sleep_until(next).await;
            let due = strays.due(next);
            assert_eq!(due, [(keys(1).remove(0), Token(1))]);
            looks.push(began.elapsed().as_millis());
            strays.looked(&due, Instant::now(), LONGEST);
        }
        assert_eq!(looks, [0, 100, 300, 700, 1_500, 3_100, 6_300, 12_700]);
    }

    #[tokio::test(start_paused = true)]
    async fn without_an_answer_it_all_begins_again() {
        let strays = Strays::default();
        strays.add(&keys(1), Token(1));
        for _ in 0..5 {
            let due = strays.due(strays.next().unwrap());
            strays.looked(&due, Instant::now(), LONGEST);
            tokio::time::sleep_until(strays.next().unwrap()).await;
        }
        tokio::time::sleep(Duration::from_secs(60)).await;
        strays.missed(&strays.due(Instant::now()));
        let asked = strays.next().unwrap();
        tokio::time::sleep_until(asked).await;
        strays.looked(&strays.due(asked), asked, LONGEST);
        assert_eq!(strays.next(), Some(asked + FIRST_PAUSE));
    }

    #[tokio::test]
    async fn no_more_are_remembered_than_there_is_room_for() {
        let strays = Strays::default();
        strays.add(&keys(MOST + 5), Token(1));
        strays.add(&keys(1), Token(2));
        assert_eq!(strays.lock().len(), MOST);
        assert_eq!(strays.due(Instant::now()).len(), BATCH);
    }
}
