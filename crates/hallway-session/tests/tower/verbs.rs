//! What each verb does, and what it leaves alone.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use hallway_core::{Counted, ErrorKind};
use hallway_session::tower::TowerStore;
use hallway_testkit::{Fault, PlainStore};
use tower_sessions_core::session::{Id, Record};
use tower_sessions_core::session_store::Error;
use tower_sessions_core::{ExpiredDeletion, SessionStore};

use crate::scene::{Scene, made, record};

const HOUR: Duration = Duration::from_secs(3600);

fn past() -> Record {
    let mut record = record(Duration::ZERO);
    record.expiry_date -= HOUR;
    record
}

#[tokio::test]
async fn what_is_made_is_found_as_it_was_until_its_date() {
    let scene = Scene::new();
    let sessions = scene.sessions();
    let mut made = made(&sessions, HOUR).await;
    assert_eq!(sessions.load(&made.id).await.unwrap().as_ref(), Some(&made));
    made.data.insert("name".into(), "Ada".into());
    made.expiry_date += HOUR;
    sessions.save(&made).await.unwrap();
    scene.clock.advance(HOUR * 2 - Duration::from_secs(30));
    assert_eq!(sessions.load(&made.id).await.unwrap().as_ref(), Some(&made));
    scene.clock.advance(Duration::from_secs(30));
    assert_eq!(sessions.load(&made.id).await.unwrap(), None);
    let stats = sessions.stats();
    assert_eq!((stats.created, stats.saved, stats.loaded, stats.gone), (1, 1, 2, 1));
}

/// A write that was held up on its way lives too long in the store, but no longer than its date.
#[tokio::test]
async fn a_date_that_has_passed_is_an_end_whatever_the_store_says() {
    let scene = Scene::new();
    let sessions = scene.sessions();
    let made = made(&sessions, HOUR).await;
    let key = scene.keys().await.remove(0);
    scene.plant(&key, scene.value(&key).await).await;
    scene.clock.advance(HOUR / 2);
    scene.plant(&key, scene.value(&key).await).await;
    assert!(sessions.load(&made.id).await.unwrap().is_some());
    scene.clock.advance(HOUR / 2);
    assert_eq!(scene.keys().await.len(), 1);
    assert_eq!(sessions.load(&made.id).await.unwrap(), None);
}

#[tokio::test]
async fn a_date_in_the_past_ends_a_session_and_begins_none() {
    let scene = Scene::new();
    let sessions = scene.sessions();
    sessions.create(&mut past()).await.unwrap();
    assert!(scene.keys().await.is_empty());
    let made = made(&sessions, HOUR).await;
    // Somebody else's session is not ended by one that is over before it begins.
    sessions.create(&mut Record { id: made.id, ..past() }).await.unwrap();
    assert!(sessions.load(&made.id).await.unwrap().is_some());
    sessions.save(&Record { id: made.id, ..past() }).await.unwrap();
    assert!(scene.keys().await.is_empty());
    sessions.save(&Record { id: made.id, ..past() }).await.unwrap();
    assert_eq!(sessions.stats().deleted, 1);
}

#[tokio::test]
async fn a_taken_id_is_not_overwritten_and_another_one_is_given() {
    let scene = Scene::new();
    let sessions = scene.sessions();
    let first = made(&sessions, HOUR).await;
    let mut second = Record { id: first.id, ..record(HOUR) };
    second.data.insert("cart".into(), 99.into());
    sessions.create(&mut second).await.unwrap();
    assert_ne!(second.id, first.id);
    assert_eq!(sessions.load(&first.id).await.unwrap(), Some(first));
    assert_eq!(sessions.load(&second.id).await.unwrap(), Some(second));
}

#[tokio::test]
async fn a_random_source_that_repeats_itself_is_an_error_soon() {
    let scene = Scene::new();
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&asked);
    let stuck = move |bytes: &mut [u8]| {
        counted.fetch_add(1, Ordering::SeqCst);
        bytes.fill(7);
        Ok(())
    };
    let sessions = scene.builder().random(stuck).build().unwrap();
    let taken = Id(i128::from_le_bytes([7; 16]));
    let mut first = Record { id: taken, ..record(HOUR) };
    sessions.create(&mut first).await.unwrap();
    let error = sessions.create(&mut Record { id: taken, ..record(HOUR) }).await.unwrap_err();
    assert!(matches!(&error, Error::Backend(text) if text.contains("random source")), "{error}");
    assert!((1..=100).contains(&asked.load(Ordering::SeqCst)));
    assert_eq!(sessions.load(&taken).await.unwrap(), Some(first));
    assert_eq!(scene.keys().await.len(), 1);
}

#[tokio::test]
async fn a_failed_store_is_an_error_of_every_verb_and_shows_no_id() {
    let scene = Scene::new();
    let sessions = scene.sessions();
    let made = made(&sessions, HOUR).await;
    let key = scene.keys().await.remove(0);
    let before = scene.value(&key).await;
    scene.faults.inject(Fault::error(ErrorKind::Unavailable));
    for failed in [
        sessions.load(&made.id).await.map(|_| ()),
        sessions.save(&made).await,
        sessions.create(&mut record(HOUR)).await,
        sessions.delete(&made.id).await,
    ] {
        let Err(Error::Backend(text)) = failed else { panic!("{failed:?}") };
        assert!(!text.contains(&made.id.to_string()) && !text.contains(key.physical_id()), "{text}");
    }
    assert_eq!(sessions.stats().unavailable, 4);
    scene.faults.heal();
    assert_eq!((scene.keys().await.len(), scene.value(&key).await), (1, before));
}

#[tokio::test]
async fn data_that_cannot_be_kept_are_an_error_and_change_nothing() {
    let scene = Scene::new();
    let sessions = scene.sessions();
    let made = made(&sessions, HOUR).await;
    let mut deep = serde_json::Value::Null;
    for _ in 0..200 {
        deep = vec![deep].into();
    }
    for value in [deep, "x".repeat(2 << 20).into()] {
        let mut record = made.clone();
        record.data.insert("cart".into(), value);
        assert!(matches!(sessions.save(&record).await, Err(Error::Encode(_))));
        assert!(matches!(sessions.create(&mut Record { id: Id::default(), ..record }).await, Err(Error::Encode(_))));
    }
    assert_eq!(sessions.load(&made.id).await.unwrap(), Some(made));
    assert_eq!(scene.keys().await.len(), 1);
}

#[tokio::test]
async fn a_far_date_is_ten_years_and_comes_back_as_it_was() {
    let scene = Scene::new();
    let sessions = scene.sessions();
    let made = made(&sessions, HOUR * 24 * 365 * 5_000).await;
    assert_eq!(scene.life().await, hallway_core::MAX_TTL);
    assert_eq!(sessions.load(&made.id).await.unwrap(), Some(made));
}

#[tokio::test]
async fn expired_ones_are_swept_by_the_store_and_live_ones_by_nobody() {
    let scene = Scene::new();
    let sessions = scene.sessions();
    let made = made(&sessions, HOUR).await;
    sessions.delete_expired().await.unwrap();
    assert!(sessions.load(&made.id).await.unwrap().is_some());
}

#[tokio::test]
async fn what_is_counted_is_told_as_for_sessions_of_our_own() {
    let sessions = Scene::new().sessions();
    made(&sessions, HOUR).await;
    let mut told = Vec::new();
    sessions.tell(&mut |count| {
        assert_eq!(count.namespace, Some("session"));
        told.push((count.name.to_owned(), count.value));
    });
    let counted = sessions.stats();
    let expected: Vec<_> =
        counted.iter().map(|(name, count)| (format!("hallway_session_{name}_total"), count)).collect();
    assert_eq!((told, counted.created), (expected, 1));
}

/// The same id is another session in another namespace, and in sessions of our own.
#[tokio::test]
async fn namespaces_share_no_session() {
    let store = PlainStore::new();
    let one = TowerStore::new(store.clone(), "session").unwrap();
    let two = TowerStore::new(store, "admin").unwrap();
    let made = made(&one, HOUR).await;
    assert_eq!(two.load(&made.id).await.unwrap(), None);
    two.delete(&made.id).await.unwrap();
    assert!(one.load(&made.id).await.unwrap().is_some());
}

#[test]
fn what_cannot_work_is_refused_at_once() {
    let built = |build: fn(hallway_session::tower::TowerStoreBuilder) -> hallway_session::tower::TowerStoreBuilder| {
        build(TowerStore::builder(PlainStore::new(), "session")).build().map(|_| ()).map_err(|error| error.kind())
    };
    assert_eq!(built(|builder| builder), Ok(()));
    assert_eq!(built(|builder| builder.slide(Duration::ZERO)), Err(ErrorKind::InvalidConfig));
    assert_eq!(built(|builder| builder.slide(Duration::MAX)), Err(ErrorKind::InvalidConfig));
    assert_eq!(built(|builder| builder.deadline(Duration::ZERO)), Err(ErrorKind::InvalidConfig));
    assert_eq!(built(|builder| builder.durable()), Err(ErrorKind::InvalidConfig));
    assert_eq!(TowerStore::new(PlainStore::new(), "").unwrap_err().kind(), ErrorKind::InvalidInput);
}
