//! A store whose clock only the test moves, and sessions in it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use hallway_core::{Bytes, Key, KvStore, Prefix, SetOptions};
use hallway_session::tower::{TowerStore, TowerStoreBuilder};
use hallway_testkit::{FaultStore, Faults, ManualClock, PlainStore};
use tower_sessions_core::SessionStore;
use tower_sessions_core::session::{Id, Record};

pub(crate) struct Scene {
    pub(crate) clock: ManualClock,
    pub(crate) store: PlainStore,
    pub(crate) faults: Faults,
}

impl Scene {
    pub(crate) fn new() -> Self {
        let clock = ManualClock::new();
        let store = PlainStore::new().with_clock(Arc::new(clock.clone()));
        Self { clock, store, faults: Faults::new() }
    }

    pub(crate) fn builder(&self) -> TowerStoreBuilder {
        let store = FaultStore::new(self.store.clone(), self.faults.clone());
        TowerStore::builder(store, "session").clock(Arc::new(self.clock.clone()))
    }

    pub(crate) fn sessions(&self) -> TowerStore {
        self.builder().build().unwrap()
    }

    /// The keys that are there.
    pub(crate) async fn keys(&self) -> Vec<Key> {
        self.store.scan(&Prefix::new("session").unwrap(), None, 1_000).await.unwrap().keys
    }

    pub(crate) async fn value(&self, key: &Key) -> Bytes {
        self.store.get(key).await.unwrap().unwrap()
    }

    /// How long the only record will live.
    pub(crate) async fn life(&self) -> Duration {
        let keys = self.keys().await;
        assert_eq!(keys.len(), 1);
        self.store.get_entry(&keys[0]).await.unwrap().unwrap().remaining.duration().unwrap()
    }

    /// As somebody does who can write to the store.
    pub(crate) async fn plant(&self, key: &Key, value: Bytes) {
        self.store.set(key, value, SetOptions::new(Duration::from_secs(3600))).await.unwrap();
    }
}

/// A record that is to live this long from now.
pub(crate) fn record(life: Duration) -> Record {
    let data = HashMap::from([("cart".to_owned(), 3.into())]);
    Record { id: Id::default(), data, expiry_date: (SystemTime::now() + life).into() }
}

pub(crate) async fn made(store: &TowerStore, life: Duration) -> Record {
    let mut record = record(life);
    store.create(&mut record).await.unwrap();
    record
}
