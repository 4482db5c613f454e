//! All sessions of one user.

use std::time::Duration;

use hallway_core::{Bytes, Key, KvStore, SetOptions};
use hallway_session::{Handle, NewSession, SessionId};

use crate::support::{HOUR, MINUTE, Stage, ada, is_alive};

fn of(subject: &str) -> NewSession<crate::support::User> {
    NewSession::new(ada()).subject(subject)
}

#[tokio::test]
async fn a_list_says_which_sessions_there_are() {
    let stage = Stage::new();
    let sessions = stage.sessions();
    let phone = sessions.create(of("42").label("Phone")).await.unwrap();
    stage.clock.advance(10 * MINUTE);
    let laptop = sessions.create(of("42").label("Laptop")).await.unwrap();
    sessions.create(of("43")).await.unwrap();
    let listed = sessions.list("42").await.unwrap();
    let seen: Vec<_> = listed.iter().map(|one| (one.handle.clone(), one.label.as_deref(), one.idle_for)).collect();
    assert_eq!(
        seen,
        [
            (sessions.handle(&phone), Some("Phone"), 10 * MINUTE),
            (sessions.handle(&laptop), Some("Laptop"), Duration::ZERO)
        ]
    );
    assert_eq!(listed[1].made.saturating_since(listed[0].made), 10 * MINUTE);
    // One that has ended by itself is not in it.
    stage.clock.advance(25 * MINUTE);
    assert_eq!(sessions.list("42").await.unwrap().len(), 1);
    assert!(sessions.list("nobody").await.unwrap().is_empty());
}

#[tokio::test]
async fn all_end_at_once_or_all_but_one() {
    let sessions = Stage::new().sessions();
    let mut ids = Vec::new();
    for _ in 0..5 {
        ids.push(sessions.create(of("42")).await.unwrap());
    }
    let other = sessions.create(of("43")).await.unwrap();
    assert_eq!(sessions.delete_others("42", &ids[2]).await.unwrap(), 4);
    for (number, id) in ids.iter().enumerate() {
        assert_eq!(is_alive(&sessions, id).await, number == 2);
    }
    assert_eq!(sessions.list("42").await.unwrap().len(), 1);
    assert_eq!(sessions.delete_all("42").await.unwrap(), 1);
    assert_eq!(sessions.delete_all("42").await.unwrap(), 0);
    assert!(is_alive(&sessions, &other).await);
}

#[tokio::test]
async fn nobody_ends_what_is_not_his() {
    let sessions = Stage::new().sessions();
    let id = sessions.create(of("42")).await.unwrap();
    let handle = Handle::parse(&sessions.handle(&id).text()).unwrap();
    assert!(!sessions.delete_listed("43", &handle).await.unwrap());
    assert!(is_alive(&sessions, &id).await);
    assert!(sessions.delete_listed("42", &handle).await.unwrap());
    assert!(!is_alive(&sessions, &id).await);
    // A handle is no id.
    assert!(SessionId::parse(&handle.text()).is_ok_and(|as_id| as_id != id));
    assert!(Handle::parse("whatever").is_err());
}

#[tokio::test]
async fn one_session_too_many_ends_the_oldest() {
    let stage = Stage::new();
    let sessions = stage.builder().per_subject(3).build().unwrap();
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(sessions.create(of("42")).await.unwrap());
    }
    // One that is over makes room.
    sessions.delete(&ids[1]).await.unwrap();
    ids.push(sessions.create(of("42")).await.unwrap());
    assert!(is_alive(&sessions, &ids[0]).await);
    ids.push(sessions.create(of("42")).await.unwrap());
    assert!(!is_alive(&sessions, &ids[0]).await);
    assert_eq!((sessions.list("42").await.unwrap().len(), sessions.stats().evicted), (3, 1));
    // A rotation takes no place of its own.
    let rotated = sessions.rotate(&ids[2]).await.unwrap().unwrap();
    assert!(is_alive(&sessions, &ids[3]).await && is_alive(&sessions, &rotated).await);
    assert_eq!(sessions.list("42").await.unwrap().len(), 3);
}

#[tokio::test]
async fn sessions_that_ended_by_themselves_make_room() {
    let stage = Stage::new();
    let sessions = stage.builder().per_subject(2).build().unwrap();
    for _ in 0..2 {
        sessions.create(of("42")).await.unwrap();
    }
    stage.clock.advance(HOUR);
    let ids = [sessions.create(of("42")).await.unwrap(), sessions.create(of("42")).await.unwrap()];
    assert!(is_alive(&sessions, &ids[0]).await && is_alive(&sessions, &ids[1]).await);
    assert_eq!(sessions.stats().evicted, 0);
}

/// What was written under the key of a list by accident or malice.
#[tokio::test]
async fn in_the_place_of_a_damaged_list_the_sessions_are_looked_for() {
    let stage = Stage::new();
    let sessions = stage.sessions();
    for damage in [&b"not json"[..], br#"{"version":9,"sessions":[]}"#, br#"{"version":1,"sessions":["x"]}"#] {
        let other = sessions.create(of("43")).await.unwrap();
        let first = sessions.create(of("42")).await.unwrap();
        stage.clock.advance(MINUTE);
        let second = sessions.create(of("42")).await.unwrap();
        let list = list_of(&stage, &first, &sessions).await;
        let hurt = async || {
            stage.plain.set(&list, Bytes::copy_from_slice(damage), SetOptions::new(HOUR)).await.unwrap();
        };
        hurt().await;
        let handles: Vec<_> = sessions.list("42").await.unwrap().into_iter().map(|listed| listed.handle).collect();
        assert_eq!(handles, [sessions.handle(&first), sessions.handle(&second)]);
        // A login writes a good one.
        let third = sessions.create(of("42")).await.unwrap();
        assert_eq!(sessions.list("42").await.unwrap().len(), 3);
        hurt().await;
        assert_eq!(sessions.delete_all("42").await.unwrap(), 3);
        for id in [&first, &second, &third] {
            assert!(!is_alive(&sessions, id).await);
        }
        assert!(is_alive(&sessions, &other).await);
        assert_eq!(stage.plain.get(&list).await.unwrap(), None);
        sessions.delete(&other).await.unwrap();
    }
    assert_eq!(sessions.stats().damaged, 9);
}

/// The key of the list that names a session.
async fn list_of(stage: &Stage, id: &SessionId, sessions: &hallway_session::Sessions<crate::support::User>) -> Key {
    let handle = sessions.handle(id).text();
    for key in stage.plain.scan(&sessions.namespace().prefix(), None, 100).await.unwrap().keys {
        let value = stage.plain.get(&key).await.unwrap().unwrap_or_default();
        if key.namespace_str() == "session:subject" && String::from_utf8_lossy(&value).contains(&handle) {
            return key;
        }
    }
    panic!("no list names the session")
}

/// A new version of the application lets sessions live shorter, and those of the old one are still there.
#[tokio::test]
async fn a_list_lives_as_long_as_the_longest_session_in_it() {
    let stage = Stage::new();
    let before = stage.builder().idle(12 * HOUR).absolute(12 * HOUR).build::<crate::support::User>().unwrap();
    let after = stage.builder().absolute(HOUR).build::<crate::support::User>().unwrap();
    let old = before.create(of("42")).await.unwrap();
    after.create(of("42")).await.unwrap();
    stage.clock.advance(2 * HOUR);
    assert!(is_alive(&before, &old).await);
    assert_eq!(after.delete_all("42").await.unwrap(), 1);
    assert!(!is_alive(&before, &old).await);
}
