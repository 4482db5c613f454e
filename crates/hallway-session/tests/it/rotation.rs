//! New ids, at login above all.

use std::time::Duration;

use hallway_session::{NewSession, Sessions};
use hallway_testkit::Fault;

use crate::support::{Stage, User, ada, is_alive};

#[tokio::test]
async fn the_new_id_has_everything_and_the_old_one_nothing() {
    let sessions = Stage::new().sessions();
    let old = sessions.create(NewSession::new(ada()).subject("42").label("Firefox")).await.unwrap();
    let new = sessions.rotate(&old).await.unwrap().unwrap();
    assert_ne!(old, new);
    assert!(!is_alive(&sessions, &old).await);
    let session = sessions.load(&new).await.unwrap().live().unwrap();
    assert_eq!((session.data(), session.subject(), session.label()), (&ada(), Some("42"), Some("Firefox")));
    assert!(sessions.rotate(&old).await.unwrap().is_none());
    let listed = sessions.list("42").await.unwrap();
    assert_eq!(listed.iter().map(|listed| listed.handle.clone()).collect::<Vec<_>>(), [sessions.handle(&new)]);
}

#[tokio::test]
async fn a_visitor_becomes_somebody_by_a_rotation() {
    let sessions = Stage::new().sessions();
    let visitor = sessions.create(ada()).await.unwrap();
    let user = sessions
        .rotate_with(&visitor, |draft| {
            draft.data.visits = 7;
            draft.subject = Some("42".into());
        })
        .await
        .unwrap()
        .unwrap();
    assert_eq!(sessions.load(&user).await.unwrap().live().unwrap().data().visits, 7);
    assert_eq!(sessions.delete_all("42").await.unwrap(), 1);
    assert!(!is_alive(&sessions, &user).await);
}

#[tokio::test]
async fn who_logs_in_as_another_leaves_the_list_of_the_first() {
    let sessions = Stage::new().sessions();
    let first = sessions.create(NewSession::new(ada()).subject("1")).await.unwrap();
    let second = sessions.login(Some(&first), NewSession::new(ada()).subject("2")).await.unwrap();
    assert!(sessions.list("1").await.unwrap().is_empty());
    assert_eq!(sessions.list("2").await.unwrap().len(), 1);
    assert_eq!(sessions.delete_all("1").await.unwrap(), 0);
    assert!(is_alive(&sessions, &second).await && !is_alive(&sessions, &first).await);
}

#[tokio::test(start_paused = true)]
async fn of_many_rotations_at_once_one_wins() {
    // Also where the user may have no other session.
    for per_subject in [1, 3, 32] {
        let stage = Stage::new();
        let sessions: Sessions<User> = stage.builder().per_subject(per_subject).build().unwrap();
        let id = sessions.create(NewSession::new(ada()).subject("42")).await.unwrap();
        let mut others = Vec::new();
        for _ in 1..per_subject.min(3) {
            others.push(sessions.create(NewSession::new(ada()).subject("42")).await.unwrap());
        }
        stage.faults.inject(Fault::latency(Duration::from_millis(3)));
        let rotations = (0..16).map(|_| {
            let (sessions, id) = (sessions.clone(), id.clone());
            tokio::spawn(async move { sessions.rotate(&id).await.unwrap() })
        });
        let mut won = Vec::new();
        for rotation in rotations.collect::<Vec<_>>() {
            won.extend(rotation.await.unwrap());
        }
        assert_eq!(won.len(), 1);
        assert!(is_alive(&sessions, &won[0]).await);
        for other in &others {
            assert!(is_alive(&sessions, other).await, "a rotation ended another session of the user");
        }
        assert_eq!((sessions.list("42").await.unwrap().len(), sessions.stats().evicted), (1 + others.len(), 0));
    }
}

/// Thirty devices log in at the same moment.
#[tokio::test(start_paused = true)]
async fn many_logins_at_once_all_succeed() {
    let stage = Stage::new();
    let processes = [stage.sessions(), stage.sessions(), stage.sessions()];
    stage.faults.inject(Fault::latency(Duration::from_millis(3)));
    let logins = (0..30).map(|number| {
        let sessions = processes[number % 3].clone();
        tokio::spawn(async move { sessions.create(NewSession::new(ada()).subject("42")).await.unwrap() })
    });
    for login in logins.collect::<Vec<_>>() {
        login.await.unwrap();
    }
    assert_eq!(processes[0].list("42").await.unwrap().len(), 30);
}
