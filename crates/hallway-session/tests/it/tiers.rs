//! Which tier has the sessions.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use hallway_core::{
    Bytes, Capabilities, Capability, Clock, Cursor, DeleteIf, Entry, ErrorKind, Key, KvStore, Page, Prefix, Result,
    SetOptions, SetOutcome, TierName, Timestamp, Ttl,
};
use hallway_session::{Sessions, SessionsExt};
use hallway_testkit::{ManualClock, PlainStore};

use crate::support::{User, ada};

/// A store made of tiers that nobody may use but through [`KvStore::tier`].
#[derive(Debug, Clone, Default)]
struct Tiers {
    local: Option<PlainStore>,
    shared: Option<PlainStore>,
    consistent: Option<Durable>,
}

/// A map that says it survives.
#[derive(Debug, Clone)]
struct Durable(PlainStore);

macro_rules! store {
    ($name:ident, |$self:ident| $inner:expr, $capabilities:expr, $tier:expr) => {
        #[async_trait]
        impl KvStore for $name {
            fn capabilities(&self) -> Capabilities {
                $capabilities
            }
            async fn get_entry(&self, key: &Key) -> Result<Option<Entry>> {
                let $self = self;
                $inner.get_entry(key).await
            }
            async fn set(&self, key: &Key, value: Bytes, opts: SetOptions) -> Result<SetOutcome> {
                let $self = self;
                $inner.set(key, value, opts).await
            }
            async fn delete_if(&self, key: &Key, when: DeleteIf) -> Result<bool> {
                let $self = self;
                $inner.delete_if(key, when).await
            }
            async fn touch(&self, key: &Key, ttl: Ttl) -> Result<bool> {
                let $self = self;
                $inner.touch(key, ttl).await
            }
            async fn scan(&self, prefix: &Prefix, after: Option<Cursor>, limit: usize) -> Result<Page> {
                let $self = self;
                $inner.scan(prefix, after, limit).await
            }
            async fn time(&self) -> Result<Timestamp> {
                let $self = self;
                $inner.time().await
            }
            fn with_deadline(&self, _: Duration) -> Arc<dyn KvStore> {
                Arc::new(self.clone())
            }
            fn tier(&self, name: TierName) -> Option<Arc<dyn KvStore>> {
                let tier: fn(&Self, TierName) -> Option<Arc<dyn KvStore>> = $tier;
                tier(self, name)
            }
        }
    };
}

fn untouched() -> &'static PlainStore {
    panic!("sessions live in one tier, without the promises of all")
}

store!(Durable, |me| me.0, Capabilities::all(), |_, _| None);
store!(Tiers, |_me| untouched(), Capabilities::all(), |tiers, name| match name {
    TierName::Consistent => tiers.consistent.clone().map(|tier| Arc::new(tier) as Arc<dyn KvStore>),
    TierName::Local => tiers.local.clone().map(|tier| Arc::new(tier) as Arc<dyn KvStore>),
    TierName::Shared => tiers.shared.clone().map(|tier| Arc::new(tier) as Arc<dyn KvStore>),
});

async fn has_sessions(store: &PlainStore) -> bool {
    let prefix = hallway_core::Namespace::new("session").unwrap().prefix();
    !store.scan(&prefix, None, 1).await.unwrap().keys.is_empty()
}

#[tokio::test]
async fn the_shared_tier_has_them_else_the_consistent_else_the_local_one() {
    for (local, shared, consistent) in
        [(true, true, true), (true, false, true), (true, false, false), (false, true, false)]
    {
        let [one, two, three] = [PlainStore::new(), PlainStore::new(), PlainStore::new()];
        let tiers = Tiers {
            local: local.then(|| one.clone()),
            shared: shared.then(|| two.clone()),
            consistent: consistent.then(|| Durable(three.clone())),
        };
        let sessions: Sessions<User> = tiers.sessions("session").build().unwrap();
        sessions.create(ada()).await.unwrap();
        let found = [has_sessions(&one).await, has_sessions(&two).await, has_sessions(&three).await];
        assert_eq!(found, [!shared && !consistent, shared, !shared && consistent]);
    }
}

/// Each tier has another time, and only that of the sessions' home counts.
#[tokio::test]
async fn now_is_the_time_of_the_tier_that_has_them() {
    let clocks = [1, 2, 3].map(|hours| {
        let clock = ManualClock::new();
        clock.step_date(hours * 3_600);
        clock
    });
    let [local, shared, consistent] =
        clocks.each_ref().map(|clock| PlainStore::new().with_clock(Arc::new(clock.clone())));
    let tiers = Tiers { local: Some(local), shared: Some(shared), consistent: Some(Durable(consistent)) };
    let without_shared = Tiers { shared: None, ..tiers.clone() };
    let local_alone = Tiers { consistent: None, ..without_shared.clone() };
    let in_shared: Sessions<User> = tiers.sessions("session").build().unwrap();
    let durable: Sessions<User> = tiers.sessions("session").durable().build().unwrap();
    let in_consistent: Sessions<User> = without_shared.sessions("session").build().unwrap();
    let in_local: Sessions<User> = local_alone.sessions("session").build().unwrap();
    for (sessions, clock) in [(in_shared, 1), (durable, 2), (in_consistent, 2), (in_local, 0)] {
        // The sessions' own clock is that of the machine, and runs on while the store's stands still.
        let ahead = sessions.now().await.unwrap().saturating_since(clocks[clock].timestamp());
        assert!(ahead < Duration::from_secs(600), "{ahead:?} after the clock of tier {clock}");
        assert!(sessions.now().await.unwrap() >= clocks[clock].timestamp());
    }
}

#[tokio::test]
async fn durable_selects_the_consistent_tier_or_says_that_there_is_none() {
    let (shared, consistent) = (PlainStore::new(), PlainStore::new());
    let tiers = Tiers { local: None, shared: Some(shared.clone()), consistent: Some(Durable(consistent.clone())) };
    let sessions: Sessions<User> = tiers.sessions("session").durable().build().unwrap();
    sessions.create(ada()).await.unwrap();
    assert!(has_sessions(&consistent).await && !has_sessions(&shared).await);
    let without = Tiers { consistent: None, local: Some(shared), ..tiers };
    assert!(without.capabilities().has(Capability::Durable));
    let built: Result<Sessions<User>> = without.sessions("session").durable().build();
    assert_eq!(built.unwrap_err().kind(), ErrorKind::InvalidConfig);
}
