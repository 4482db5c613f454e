//! What the shared tier says has changed, in the order it says it.

use std::sync::Weak;

use hallway_core::{InvalidationSink, LinkState};

use super::generations::GENERATION;
use super::{COPY, Engine};

/// Runs in the connection's task: it bumps stamps and wakes who waits, and nothing else.
#[derive(Debug)]
pub(super) struct Sink {
    // Weak, because the engine holds the link and the link holds the sink.
    engine: Weak<Engine>,
}

impl Sink {
    pub(super) fn new(engine: Weak<Engine>) -> Self {
        Self { engine }
    }
}

impl InvalidationSink for Sink {
    fn changed(&self, physical_key: &[u8]) {
        let Some(engine) = self.engine.upgrade() else { return };
        engine.counters.invalidations.one();
        if let Some(rest) = after(physical_key, GENERATION)
            && !rest.is_empty()
            && let Ok(text) = std::str::from_utf8(physical_key)
        {
            engine.generations.changed(text);
        }
        let logical = after(physical_key, COPY).unwrap_or(physical_key);
        let slot = engine.slot(logical);
        engine.stamps.bump(slot);
        engine.waiters.wake(slot);
    }

    fn everything_changed(&self) {
        let Some(engine) = self.engine.upgrade() else { return };
        engine.counters.flushes.one();
        engine.stamps.bump_epoch();
        engine.generations.everything_changed();
        engine.waiters.wake_all();
    }

    fn link_changed(&self, state: LinkState) {
        if let Some(engine) = self.engine.upgrade() {
            engine.link_changed(state);
        }
    }
}

/// What stands behind `word` and a colon.
fn after<'a>(physical: &'a [u8], word: &str) -> Option<&'a [u8]> {
    physical.strip_prefix(word.as_bytes())?.strip_prefix(b":")
}
