//! What went wrong in other session stores, and does not in ours. The numbers are those of `docs/peers.md`.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::http::StatusCode;
use hallway::session::tower::TowerStore;
use hallway::{Bytes, ErrorKind, Key, KvStore, Prefix, SetOptions, TieredStore};
use hallway_testkit::servers::{RedisOptions, RedisServer};
use hallway_testkit::{Fault, FaultStore, Faults, ManualClock, PlainStore};
use tower_sessions::cookie::time::{Duration as Span, OffsetDateTime};
use tower_sessions::session::{Id, Record};
use tower_sessions::session_store::Error;
use tower_sessions::{ExpiredDeletion, Session, SessionStore};

use crate::apps::{Setup, app_0_14, app_0_15};
use crate::stage::{Backend, Stage};
use crate::visitor::Visitor;

const ALL: [Backend; 4] = [Backend::Moka, Backend::Redis, Backend::Sqlite, Backend::Postgres];

fn record(life: Span) -> Record {
    let data = HashMap::from([("cart".to_owned(), 3.into())]);
    Record { id: Id::default(), data, expiry_date: OffsetDateTime::now_utc() + life }
}

async fn made(store: &TowerStore) -> Record {
    let mut record = record(Span::hours(1));
    SessionStore::create(store, &mut record).await.unwrap();
    record
}

async fn find(store: &TowerStore, id: &Id) -> Option<Record> {
    SessionStore::load(store, id).await.unwrap()
}

fn check_gone(saved: Result<(), Error>) {
    match saved {
        Err(Error::Backend(text)) => assert!(text.contains("session is over"), "{text}"),
        other => panic!("a session that is gone was saved: {other:?}"),
    }
}

/// Only reads fail: what was written in their wake would be there.
#[tokio::test]
async fn peers_26_a_failed_load_is_an_error_and_no_write_follows_it() {
    let stage = Stage::new(Backend::Moka).await;
    let faults = Faults::new();
    let store = FaultStore::new(stage.store.clone(), faults.clone());
    let sessions = TowerStore::new(store, &stage.namespace).unwrap();
    let app = app_0_15(sessions.clone(), Setup::default());
    let mut visitor = Visitor::default();
    visitor.get(&app, "/put").await;
    let (id, before) = (visitor.id.clone(), stage.entries().await);

    faults.inject(Fault::error(ErrorKind::Unavailable).on_reads());
    for (path, status) in [
        ("/look", StatusCode::INTERNAL_SERVER_ERROR),
        ("/add", StatusCode::INTERNAL_SERVER_ERROR),
        ("/cycle", StatusCode::INTERNAL_SERVER_ERROR),
        ("/shrug", StatusCode::OK),
    ] {
        let reply = visitor.get(&app, path).await;
        assert_eq!((reply.status, reply.cookie), (status, None), "{path}");
    }
    let failed = SessionStore::load(&sessions, &id.as_ref().unwrap().parse().unwrap()).await;
    assert!(matches!(failed, Err(Error::Backend(_))), "{failed:?}");
    assert_eq!(stage.entries().await, before);

    faults.heal();
    assert_eq!(visitor.get(&app, "/look").await.body, "Some(3)");
    assert_eq!(visitor.id, id);
}

#[tokio::test]
async fn peers_27_an_id_that_a_visitor_made_up_is_never_adopted() {
    for backend in ALL {
        let stage = Stage::new(backend).await;
        let sessions = stage.sessions();
        let chosen: Id = "AAAAAAAAAAAAAAAAAAAAAA".parse().unwrap();
        assert!(find(&sessions, &chosen).await.is_none());
        check_gone(SessionStore::save(&sessions, &Record { id: chosen, ..record(Span::hours(1)) }).await);
        // `clear` makes a record under the visitor's id without looking whether there is one.
        let session = Session::new(Some(chosen), Arc::new(sessions.clone()), None);
        session.clear().await;
        session.insert("admin", true).await.unwrap();
        session.save().await.unwrap_err();
        assert_eq!(stage.entries().await, [], "{backend:?}");
        // Whoever only asks and then stores gets another id.
        let session = Session::new(Some(chosen), Arc::new(sessions.clone()), None);
        session.insert("cart", 3).await.unwrap();
        session.save().await.unwrap();
        assert_ne!(session.id(), Some(chosen));
        assert!(find(&sessions, &chosen).await.is_none());
    }
}

#[tokio::test]
async fn peers_28_a_missing_session_and_a_foreign_value_are_none_and_no_error() {
    for backend in ALL {
        let stage = Stage::new(backend).await;
        let sessions = stage.sessions();
        let record = made(&sessions).await;
        let (name, value) = stage.entries().await.remove(0);
        let key = Key::from_physical(&name).unwrap();
        assert!(find(&sessions, &Id::default()).await.is_none());
        let hour = Duration::from_secs(3600);
        for foreign in [Bytes::new(), "OK".into(), vec![0xff; 300].into(), value.slice(..value.len() - 1)] {
            stage.store.set(&key, foreign, SetOptions::new(hour)).await.unwrap();
            assert!(find(&sessions, &record.id).await.is_none(), "{backend:?}");
        }
        assert_eq!(sessions.stats().damaged, 4);
        if matches!(backend, Backend::Redis) {
            RedisServer::shared().cli(&["DEL", &name]);
            RedisServer::shared().cli(&["LPUSH", &name, "a list"]);
            assert!(find(&sessions, &record.id).await.is_none());
            RedisServer::shared().cli(&["DEL", &name]);
        }
        SessionStore::delete(&sessions, &record.id).await.unwrap();
        SessionStore::delete(&sessions, &record.id).await.unwrap();
        stage.store.set(&key, value, SetOptions::new(hour)).await.unwrap();
        assert!(find(&sessions, &record.id).await.is_some(), "it was the foreign values that were refused");
    }
}

/// `cargo xtask features` builds each feature alone as well.
#[tokio::test]
async fn peers_29_one_build_serves_both_versions_and_they_see_the_same_sessions() {
    fn both<S>(_: &S)
    where
        S: SessionStore + ExpiredDeletion,
        S: axum_login::tower_sessions::SessionStore + axum_login::tower_sessions::ExpiredDeletion,
    {
    }
    let stage = Stage::new(Backend::Moka).await;
    let sessions = stage.sessions();
    both(&sessions);
    let (new, old) = (app_0_15(sessions.clone(), Setup::default()), app_0_14(sessions, Setup::default()));
    let mut visitor = Visitor::default();
    visitor.get(&old, "/put").await;
    let id = visitor.id.clone();
    visitor.get(&new, "/add").await;
    visitor.get(&old, "/add").await;
    assert_eq!(visitor.get(&new, "/look").await.body, "Some(5)");
    assert_eq!((visitor.id, stage.entries().await.len()), (id, 1));
}

#[tokio::test]
async fn peers_30_no_call_takes_away_more_than_one_session() {
    for backend in ALL {
        let stage = Stage::new(backend).await;
        let sessions = stage.sessions();
        // Another application, another namespace that begins alike, and other sessions.
        let neighbours = ["other:a".to_owned(), format!("{}x:a", stage.namespace), format!("{}:b:c", stage.namespace)];
        let neighbours = neighbours.map(|name| Key::from_physical(&name).unwrap());
        for key in &neighbours {
            stage.store.set(key, "theirs".into(), SetOptions::new(Duration::from_secs(60))).await.unwrap();
        }
        let (ada, bob) = (made(&sessions).await, made(&sessions).await);
        SessionStore::delete(&sessions, &ada.id).await.unwrap();
        SessionStore::save(&sessions, &Record { expiry_date: OffsetDateTime::UNIX_EPOCH, ..made(&sessions).await })
            .await
            .unwrap();
        ExpiredDeletion::delete_expired(&sessions).await.unwrap();
        assert!(find(&sessions, &ada.id).await.is_none());
        assert_eq!(find(&sessions, &bob.id).await, Some(bob), "{backend:?}");
        for key in &neighbours {
            assert!(stage.store.get(key).await.unwrap().is_some(), "{key:?} on {backend:?}");
        }
    }
}

/// Two processes, each with a map of its own before one Redis and one database.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn peers_31_no_copy_answers_and_nothing_brings_back_what_was_logged_out() {
    let shared = Stage::new(Backend::Redis).await;
    let consistent = Stage::new(Backend::Sqlite).await;
    let mut processes = Vec::new();
    for _ in 0..2 {
        let local = hallway::moka::MokaStore::builder().build().unwrap();
        let tiers = TieredStore::builder()
            .local(local.clone())
            .shared(shared.store.clone())
            .consistent(consistent.store.clone())
            .build()
            .unwrap();
        let sessions = TowerStore::builder(tiers, &shared.namespace).deadline(Duration::from_secs(30)).build().unwrap();
        processes.push((local, app_0_15(sessions, Setup::default())));
    }
    let (one, two) = (&processes[0].1, &processes[1].1);
    let mut visitor = Visitor::default();
    visitor.get(one, "/put").await;
    for app in [one, two, one, two] {
        assert_eq!(visitor.get(app, "/look").await.body, "Some(3)");
    }
    let mut stolen = visitor.clone();
    let slow = tokio::spawn({
        let (app, mut visitor) = (two.clone(), visitor.clone());
        async move {
            for _ in 0..100 {
                visitor.clone().get(&app, "/look").await;
            }
            visitor.get(&app, "/look").await
        }
    });
    visitor.get(one, "/flush").await;
    // At once, everywhere, whatever else is being read.
    assert_eq!(stolen.clone().get(two, "/look").await.body, "None");
    slow.await.unwrap();
    assert_eq!(stolen.get(two, "/look").await.body, "None");
    // One tier has the sessions.
    visitor.get(one, "/put").await;
    visitor.get(two, "/look").await;
    assert_eq!(shared.entries().await.len(), 1);
    let prefix = Prefix::new(&shared.namespace).unwrap();
    let others = processes.iter().map(|(local, _)| local as &dyn KvStore).chain([&*consistent.store]);
    for other in others {
        assert_eq!(other.scan(&prefix, None, 10).await.unwrap().keys, [], "{other:?} has a session");
    }
}

#[tokio::test]
async fn peers_32_a_save_that_comes_too_late_says_so() {
    for backend in ALL {
        let stage = Stage::new(backend).await;
        let sessions = stage.sessions();
        let session = Session::new(Some(made(&sessions).await.id), Arc::new(sessions.clone()), None);
        assert_eq!(session.get("cart").await.unwrap(), Some(3));
        // It expires meanwhile.
        let key = Key::from_physical(&stage.entries().await[0].0).unwrap();
        stage.store.touch(&key, Duration::from_millis(1).into()).await.unwrap();
        let began = Instant::now();
        while stage.store.get(&key).await.unwrap().is_some() {
            assert!(began.elapsed() < Duration::from_secs(10));
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        session.insert("cart", 4).await.unwrap();
        match session.save().await {
            Err(tower_sessions::session::Error::Store(error)) => check_gone(Err(error)),
            other => panic!("a session that is gone was saved on {backend:?}: {other:?}"),
        }
        assert_eq!((sessions.stats().gone, sessions.stats().saved), (1, 0));
        assert_eq!(stage.entries().await, []);
    }
}

#[tokio::test]
async fn peers_33_a_slow_request_never_brings_back_what_a_logout_ended() {
    for backend in ALL {
        let stage = Stage::new(backend).await;
        let sessions = stage.sessions();
        let slow = made(&sessions).await;
        let loaded = find(&sessions, &slow.id).await.unwrap();
        SessionStore::delete(&sessions, &slow.id).await.unwrap();
        check_gone(SessionStore::save(&sessions, &loaded).await);
        assert!(find(&sessions, &slow.id).await.is_none(), "{backend:?}");
        // Whichever comes first.
        for _ in 0..50 {
            let record = made(&sessions).await;
            let (first, second, ended) = tokio::join!(
                SessionStore::save(&sessions, &record),
                SessionStore::save(&sessions, &record),
                SessionStore::delete(&sessions, &record.id),
            );
            ended.unwrap();
            for saved in [first, second] {
                if saved.is_err() {
                    check_gone(saved);
                }
            }
            assert!(find(&sessions, &record.id).await.is_none(), "{backend:?}");
        }
        assert_eq!(stage.entries().await, []);
    }
}

#[tokio::test]
async fn peers_34_keys_have_a_prefix_and_a_hash_and_lives_are_relative() {
    let server = RedisServer::start(RedisOptions::default().with_config("slowlog-log-slower-than", "0")).unwrap();
    let stage = Stage::at(&format!("{}?deadline=30s", server.url())).await;
    let sessions = stage.builder().slide(Duration::from_secs(1800)).build().unwrap();
    let mut record = record(Span::hours(1));
    SessionStore::create(&sessions, &mut record).await.unwrap();
    SessionStore::save(&sessions, &record).await.unwrap();
    let (name, _) = stage.entries().await.remove(0);
    let hash = name.strip_prefix("session:").unwrap();
    assert_eq!(hash.len(), 43);
    assert!(!name.contains(&record.id.to_string()) && !hash.contains(&record.id.0.to_string()));
    // A load that prolongs its life.
    let key = Key::from_physical(&name).unwrap();
    stage.store.touch(&key, Duration::from_secs(60).into()).await.unwrap();
    find(&sessions, &record.id).await.unwrap();
    assert_eq!(sessions.stats().touched, 1);
    let sent = server.cli(&["SLOWLOG", "GET", "1000"]).to_uppercase();
    let words: Vec<&str> = sent.split_whitespace().collect();
    assert!(words.contains(&"PX"), "{sent}");
    for absolute in ["EXAT", "PXAT", "EXPIREAT", "PEXPIREAT"] {
        assert!(!words.iter().any(|word| word.contains(absolute)), "{absolute} was sent");
    }
}

/// The date is this process's, the expiry the store's: years between the two clocks change nothing.
#[tokio::test]
async fn peers_34_the_clocks_of_process_and_store_need_not_agree() {
    const YEARS: i64 = 20 * 365 * 86_400;
    for skew in [-YEARS, 0, YEARS] {
        let clock = ManualClock::new();
        clock.step_date(skew);
        let store = PlainStore::new().with_clock(Arc::new(clock.clone()));
        let sessions = TowerStore::builder(store, "session").clock(Arc::new(clock.clone())).build().unwrap();
        let record = made(&sessions).await;
        let minute = Duration::from_secs(60);
        clock.advance(minute * 59);
        assert_eq!(find(&sessions, &record.id).await.as_ref(), Some(&record), "skew {skew}");
        clock.advance(minute);
        assert!(find(&sessions, &record.id).await.is_none(), "skew {skew}");
    }
}
