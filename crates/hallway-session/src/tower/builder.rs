//! How a [`TowerStore`] is set up.

use std::sync::Arc;
use std::time::Duration;

use hallway_core::{KvStore, MAX_TTL, Result};

use crate::builder::SessionsBuilder;
use crate::tower::TowerStore;

/// Puts a [`TowerStore`] together.
#[derive(Debug)]
#[must_use = "call `build`"]
pub struct TowerStoreBuilder {
    sessions: SessionsBuilder,
    slide: Option<Duration>,
}

impl TowerStoreBuilder {
    pub(super) fn new(store: Arc<dyn KvStore>, namespace: &str) -> Self {
        // Without `slide` the expiry that the application sets is the only end of a session.
        Self { sessions: SessionsBuilder::new(store, namespace).idle(MAX_TTL).absolute(MAX_TTL), slide: None }
    }

    /// Ends a session that no request has loaded for this long. Default: off; a session then ends at the expiry it was last
    /// saved with, as in other stores.
    ///
    /// Every load begins it anew, those that only read too. The value is not written again, and the store is told only
    /// when the session would gain more than 60 seconds, or 5 % of this if that is less.
    ///
    /// | saved with | ends when idle, and at the latest |
    /// |---|---|
    /// | `Expiry::OnInactivity` of this very duration | never: each load prolongs it |
    /// | `Expiry::OnSessionEnd`, or none | two weeks after the last save |
    /// | `Expiry::AtDateTime` | at that date |
    /// | `Expiry::OnInactivity` of another duration | that long after the last save |
    ///
    /// The first row is recognised by the date: it lies this far ahead when the session is saved, give or take a second
    /// (5 % if that is less). A date of `AtDateTime` that happens to do so slides as well until the next save.
    ///
    /// # Cookies
    /// tower-sessions sends the cookie only when a session is saved. With `OnInactivity` the browser therefore drops it that
    /// long after the last **save**, although the session lives on. Where requests mostly read, use `OnSessionEnd` with
    /// `slide`: the cookie lives as long as the browser, and the store decides. Or `AtDateTime`, for an absolute timeout.
    pub fn slide(mut self, idle: Duration) -> Self {
        self.slide = Some(idle);
        self.sessions = self.sessions.idle(idle);
        self
    }

    /// Keeps the sessions in the tier that survives a restart of the servers: SQL. Default: the shared tier.
    pub fn durable(mut self) -> Self {
        self.sessions = self.sessions.durable();
        self
    }

    /// How long the store may take for each step of a call. Default: 1 second.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.sessions = self.sessions.deadline(deadline);
        self
    }

    /// Seals the records, so that nobody reads or makes them up who can read or write the store. Default: records are
    /// readable, and protected against accidents only.
    #[cfg(feature = "aead")]
    pub fn sealed_by(mut self, keys: crate::SealingKeys) -> Self {
        self.sessions = self.sessions.sealed_by(keys);
        self
    }

    /// Takes random bytes from elsewhere when an id is taken. For tests.
    #[doc(hidden)]
    pub fn random(mut self, fill: impl Fn(&mut [u8]) -> Result<()> + Send + Sync + 'static) -> Self {
        self.sessions = self.sessions.random(fill);
        self
    }

    /// Measures with another clock what passes between two looks at the store's. For tests.
    #[doc(hidden)]
    pub fn clock(mut self, clock: Arc<dyn hallway_core::Clock>) -> Self {
        self.sessions = self.sessions.clock(clock);
        self
    }

    /// Makes the store.
    ///
    /// # Errors
    /// `InvalidConfig` for `slide` below 20 ms or over ten years, for a deadline of zero, and for a store that cannot do
    /// what sessions need; `InvalidInput` for the namespace.
    pub fn build(self) -> Result<TowerStore> {
        Ok(TowerStore::from_inner(self.sessions.inner()?, self.slide))
    }
}
