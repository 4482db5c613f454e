//! A Redis that is killed or stopped: the adapter says so, and afterwards everything is as it was.

use std::time::{Duration, Instant};

use axum::Router;
use axum::http::StatusCode;
use hallway::session::tower::TowerStore;
use hallway_testkit::servers::{RedisOptions, RedisServer};
use tokio::task::block_in_place;
use tower_sessions::SessionStore;
use tower_sessions::session_store::Error;

use crate::apps::{Setup, app_0_15};
use crate::login::application;
use crate::stage::Stage;
use crate::visitor::{Reply, Visitor};

/// What each call may take by default, and what two cores under other tests may add.
const SOON: Duration = Duration::from_secs(1 + 4);

const BACK: Duration = Duration::from_secs(20);

async fn timed(reply: impl Future<Output = Reply>) -> Reply {
    let began = Instant::now();
    let reply = reply.await;
    assert!(began.elapsed() < SOON, "answered after {:?}", began.elapsed());
    reply
}

async fn until_back(visitor: &Visitor, app: &Router) -> Reply {
    let began = Instant::now();
    loop {
        let reply = visitor.clone().get(app, "/account").await;
        if reply.status != StatusCode::INTERNAL_SERVER_ERROR {
            return reply;
        }
        assert!(began.elapsed() < BACK, "still away: {reply:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn outage(begin: fn(&RedisServer), end: fn(&RedisServer)) {
    // Every write is on disk before it is answered.
    let options = RedisOptions::default().with_config("appendonly", "yes").with_config("appendfsync", "always");
    let server = block_in_place(|| RedisServer::start(options).unwrap());
    let stage = Stage::at(&server.url()).await;
    let sessions = TowerStore::new(stage.store.clone(), &stage.namespace).unwrap();
    let account = application(sessions.clone(), "lovelace");
    let shop = app_0_15(sessions.clone(), Setup::default());
    let (mut ada, mut guest) = (Visitor::default(), Visitor::default());
    assert!(ada.post(&account, "/login", "name=ada&password=lovelace").await.status.is_redirection());
    guest.get(&shop, "/put").await;
    let cookies = [ada.id.clone(), guest.id.clone()];
    let mut before = stage.entries().await;
    before.sort();
    assert_eq!(before.len(), 2);

    block_in_place(|| begin(&server));
    for _ in 0..3 {
        for (reply, status) in [
            (timed(ada.get(&account, "/account")).await, StatusCode::INTERNAL_SERVER_ERROR),
            (timed(ada.post(&account, "/logout", "")).await, StatusCode::INTERNAL_SERVER_ERROR),
            (timed(guest.get(&shop, "/look")).await, StatusCode::INTERNAL_SERVER_ERROR),
            (timed(guest.get(&shop, "/add")).await, StatusCode::INTERNAL_SERVER_ERROR),
            // One who does not look at errors does no harm.
            (timed(guest.get(&shop, "/shrug")).await, StatusCode::OK),
        ] {
            assert_eq!((reply.status, reply.cookie), (status, None));
        }
    }
    let id = guest.id.as_ref().unwrap().parse().unwrap();
    let failed = SessionStore::load(&sessions, &id).await;
    assert!(matches!(failed, Err(Error::Backend(_))), "{failed:?}");
    assert!(sessions.stats().unavailable > 0);

    block_in_place(|| end(&server));
    assert_eq!(until_back(&ada, &account).await.body, "This is ada.");
    assert_eq!(guest.get(&shop, "/look").await.body, "Some(3)");
    assert_eq!([ada.id.clone(), guest.id], cookies);
    let mut after = stage.entries().await;
    after.sort();
    assert_eq!(after, before);
    // And a logout is one again.
    let mut stolen = ada.clone();
    assert!(ada.post(&account, "/logout", "").await.status.is_redirection());
    assert!(stolen.get(&account, "/account").await.status.is_redirection());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_redis_costs_nobody_his_session() {
    outage(RedisServer::kill9, |server| server.launch().unwrap()).await;
}

/// A stopped server may still do what it was sent before it stopped answering: a logout in doubt is one that may have
/// happened. So here nobody logs out meanwhile, and nothing changes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stopped_redis_is_an_error_soon() {
    let server = block_in_place(|| RedisServer::start(RedisOptions::default()).unwrap());
    let stage = Stage::at(&server.url()).await;
    let account = application(TowerStore::new(stage.store.clone(), &stage.namespace).unwrap(), "lovelace");
    let mut ada = Visitor::default();
    ada.post(&account, "/login", "name=ada&password=lovelace").await;
    let (cookie, before) = (ada.id.clone(), stage.entries().await);
    block_in_place(|| server.pause());
    for _ in 0..3 {
        let reply = timed(ada.get(&account, "/account")).await;
        assert_eq!((reply.status, reply.cookie), (StatusCode::INTERNAL_SERVER_ERROR, None));
    }
    block_in_place(|| server.resume());
    assert_eq!(until_back(&ada, &account).await.body, "This is ada.");
    assert_eq!((ada.id, stage.entries().await), (cookie, before));
}
