//! Leases of loads that go on: prolonged while their holder lives, so that they can be short.
//!
//! A lease that outlasted every load would keep the others from a key for as long after its holder has died.

use std::sync::{Arc, Weak};
use std::time::Duration;

use hallway_core::{Key, Token};
use tokio::task::AbortHandle;

use super::Engine;

/// Leases are prolonged until this is dropped.
#[derive(Debug)]
#[must_use]
pub(crate) struct Hold(Option<AbortHandle>);

impl Drop for Hold {
    fn drop(&mut self) {
        if let Some(task) = &self.0 {
            task.abort();
        }
    }
}

impl Engine {
    /// Prolongs leases of this life. In a task of its own: a loader that does not yield is alive all the same.
    pub(crate) fn hold(self: &Arc<Self>, leases: Vec<(Key, Token)>, life: Duration) -> Hold {
        if leases.is_empty() {
            return Hold(None);
        }
        Hold(Some(tokio::spawn(prolong(Arc::downgrade(self), leases, life)).abort_handle()))
    }
}

async fn prolong(engine: Weak<Engine>, mut leases: Vec<(Key, Token)>, life: Duration) {
    // Two may be lost before others take over.
    let pause = life / 3;
    while !leases.is_empty() {
        tokio::time::sleep(pause).await;
        let Some(engine) = engine.upgrade() else { return };
        let Some(link) = engine.link() else { return };
        match engine.ask(link.renew(&leases, life, engine.settings.shared_deadline)).await {
            Ok(stand) => {
                let mut stand = stand.into_iter();
                // One that has gone was ended by a write, or is another's by now.
                leases.retain(|_| stand.next() == Some(true));
            }
            Err(error) => tracing::debug!(%error, "leases could not be prolonged; it is tried again"),
        }
    }
}
