//! Sessions of tiers: in one tier, seen by every instance at once.

use hallway::moka::MokaStore;
use hallway::session::{NewSession, Sessions, SessionsExt};
use hallway::{Config, KvStore, Namespace, StoreUrl, TieredStore};
use hallway_testkit::servers::RedisServer;

async fn instance(database: &str) -> TieredStore {
    let config = Config::default()
        .with_local("moka:?max=16MiB")
        .with_shared(RedisServer::shared().url())
        .with_consistent(database);
    config.open().await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_logout_on_one_instance_is_seen_on_the_other_by_the_next_load() {
    let folder = tempfile::tempdir().unwrap();
    let database = format!("sqlite:{}", folder.path().join("app.db").display());
    let [one, two] = [instance(&database).await, instance(&database).await];
    let [here, there]: [Sessions<String>; 2] =
        [&one, &two].map(|tiers| tiers.sessions("session-tiers").build().unwrap());
    for round in 0..200 {
        let id = here.create(NewSession::new(format!("{round}")).subject("42")).await.unwrap();
        assert_eq!(there.load(&id).await.unwrap().live().unwrap().data(), &format!("{round}"));
        assert_eq!(here.load(&id).await.unwrap().live().unwrap().data(), &format!("{round}"));
        if round % 2 == 0 {
            assert!(there.delete(&id).await.unwrap());
        } else {
            assert_eq!(there.delete_all("42").await.unwrap(), 1);
        }
        assert!(here.load(&id).await.unwrap().live().is_none());
    }
    // Neither instance keeps copies, so there was nothing to tell it.
    assert_eq!((one.stats().local_hits, two.stats().local_hits), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn redis_has_the_sessions_or_sql_if_they_are_to_last() {
    let folder = tempfile::tempdir().unwrap();
    let database = format!("sqlite:{}", folder.path().join("app.db").display());
    let tiers = instance(&database).await;
    let redis = hallway::open(&RedisServer::shared().url()).await.unwrap();
    let sql = hallway::open(&database).await.unwrap();
    let prefix = Namespace::new("session-home").unwrap().prefix();
    let count = async |store: &dyn KvStore| store.scan(&prefix, None, 10).await.unwrap().keys.len();

    let shared: Sessions<u64> = tiers.sessions("session-home").build().unwrap();
    let id = shared.create(1).await.unwrap();
    assert_eq!((count(&redis).await, count(&sql).await), (1, 0));
    shared.delete(&id).await.unwrap();

    let durable: Sessions<u64> = tiers.sessions("session-home").durable().build().unwrap();
    durable.create(1).await.unwrap();
    assert_eq!((count(&redis).await, count(&sql).await), (0, 1));
}

#[tokio::test]
async fn a_local_tier_alone_has_them_too() {
    let local = MokaStore::open_url(StoreUrl::parse("moka:").unwrap()).unwrap();
    let tiers = TieredStore::builder().local(local).build().unwrap();
    let sessions: Sessions<u64> = tiers.sessions("session").build().unwrap();
    let id = sessions.create(1).await.unwrap();
    assert!(sessions.load(&id).await.unwrap().live().is_some());
    let durable: hallway::Result<Sessions<u64>> = tiers.sessions("session").durable().build();
    assert_eq!(durable.unwrap_err().kind(), hallway::ErrorKind::InvalidConfig);
}
