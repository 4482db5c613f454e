//! What the tests set up.

use std::sync::Arc;
use std::time::Duration;

use hallway_session::{SessionId, Sessions, SessionsBuilder, SessionsExt};
use hallway_testkit::{FaultStore, Faults, ManualClock, PlainStore};
use serde::{Deserialize, Serialize};

pub(crate) const MINUTE: Duration = Duration::from_secs(60);
pub(crate) const HOUR: Duration = Duration::from_secs(3_600);

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct User {
    pub(crate) name: String,
    pub(crate) visits: u64,
}

pub(crate) fn ada() -> User {
    User { name: "Ada".into(), visits: 0 }
}

/// A store whose clock and faults are in the test's hand.
pub(crate) struct Stage {
    pub(crate) clock: ManualClock,
    pub(crate) faults: Faults,
    pub(crate) plain: PlainStore,
    pub(crate) store: FaultStore<PlainStore>,
}

impl Stage {
    pub(crate) fn new() -> Self {
        let clock = ManualClock::new();
        let faults = Faults::new();
        let plain = PlainStore::new().with_clock(Arc::new(clock.clone()));
        let store = FaultStore::new(plain.clone(), faults.clone());
        Self { clock, faults, plain, store }
    }

    pub(crate) fn builder(&self) -> SessionsBuilder {
        self.store.sessions("session").clock(Arc::new(self.clock.clone()))
    }

    pub(crate) fn sessions(&self) -> Sessions<User> {
        self.builder().build().unwrap()
    }
}

pub(crate) async fn is_alive(sessions: &Sessions<User>, id: &SessionId) -> bool {
    sessions.peek(id).await.unwrap().live().is_some()
}
