//! Whether the consistent tier answers. Its calls go out in any case: there is nothing to do without it. But whoever asks
//! how the tiers are must not hear that it is there from a process that has had nothing to ask it lately.

use std::sync::Weak;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hallway_core::KvStore;

use super::Engine;
use crate::breaker::is_outage;

/// Between two questions while it answers.
const PAUSE: Duration = Duration::from_secs(1);

/// Between two questions while it does not.
const PROBE: Duration = Duration::from_millis(300);

/// How long an answer may take: one that takes longer is of no use to a caller either.
const WITHIN: Duration = Duration::from_secs(2);

/// What its answers have said.
#[derive(Debug, Default)]
pub(super) struct Presence {
    away: AtomicBool,
    /// Something else has been answered since the last question.
    heard: AtomicBool,
}

impl Presence {
    pub(super) fn is_away(&self) -> bool {
        self.away.load(Ordering::Acquire)
    }

    /// It has just answered: there is no need to ask.
    pub(super) fn hear(&self) {
        self.heard.store(true, Ordering::Release);
        self.change(false);
    }

    fn change(&self, away: bool) {
        match (self.away.swap(away, Ordering::AcqRel), away) {
            (false, true) => tracing::warn!("the consistent tier gives no answers"),
            (true, false) => tracing::info!("the consistent tier answers again"),
            _ => {}
        }
    }
}

/// Asks in the background, while the engine lives.
pub(super) async fn watch(engine: Weak<Engine>) {
    loop {
        let (store, heard) = {
            let Some(engine) = engine.upgrade() else { return };
            let Some(store) = engine.consistent.clone() else { return };
            (store, engine.presence.heard.swap(false, Ordering::AcqRel))
        };
        // The engine is not held while waiting, or it would never end.
        let away = !heard && !answers(&*store).await;
        match engine.upgrade() {
            Some(engine) if !engine.is_closing() => engine.presence.change(away),
            _ => return,
        }
        tokio::time::sleep(if away { PROBE } else { PAUSE }).await;
    }
}

async fn answers(store: &dyn KvStore) -> bool {
    let answer = tokio::time::timeout(WITHIN, store.ping()).await;
    // An error that is no outage is an answer.
    answer.is_ok_and(|answer| answer.map_or_else(|error| !is_outage(error.kind()), |()| true))
}
