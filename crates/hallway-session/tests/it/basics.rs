//! A session begins, is found, changes and ends.

use hallway_core::{ErrorKind, KvStore, Namespace};
use hallway_session::{Loaded, NewSession, Saved, SessionId, Sessions, SessionsExt};
use hallway_testkit::PlainStore;

use crate::support::{Stage, User, ada, is_alive};

#[tokio::test]
async fn what_was_put_in_is_found_until_logout() {
    let sessions = Stage::new().sessions();
    let id = sessions.create(NewSession::new(ada()).subject("42").label("Firefox")).await.unwrap();
    let session = sessions.load(&id).await.unwrap().live().unwrap();
    assert_eq!((session.data(), session.subject(), session.label()), (&ada(), Some("42"), Some("Firefox")));
    assert_eq!(session.handle(), &sessions.handle(&id));
    assert!(sessions.delete(&id).await.unwrap());
    assert!(!sessions.delete(&id).await.unwrap());
    assert!(!is_alive(&sessions, &id).await);
}

#[tokio::test]
async fn an_id_that_a_visitor_made_up_is_never_adopted() {
    let stage = Stage::new();
    let sessions = stage.sessions();
    let planted = SessionId::generate().unwrap();
    assert!(matches!(sessions.load(&planted).await.unwrap(), Loaded::Gone));
    assert!(!sessions.touch(&planted).await.unwrap());
    assert!(sessions.rotate(&planted).await.unwrap().is_none());
    assert!(sessions.update(&planted, |_| {}).await.unwrap().is_none());
    let given = sessions.login(Some(&planted), ada()).await.unwrap();
    assert_ne!(given, planted);
    assert!(!is_alive(&sessions, &planted).await);
    assert_eq!(stage.plain.scan(&Namespace::new("session").unwrap().prefix(), None, 10).await.unwrap().keys.len(), 1);
}

#[tokio::test]
async fn a_save_writes_and_a_save_after_logout_does_not() {
    let sessions = Stage::new().sessions();
    let id = sessions.create(ada()).await.unwrap();
    let mut session = sessions.load(&id).await.unwrap().live().unwrap();
    session.data_mut().visits = 1;
    assert_eq!(sessions.save(&mut session).await.unwrap(), Saved::Written);
    session.data_mut().visits = 2;
    assert_eq!(sessions.save(&mut session).await.unwrap(), Saved::Written);
    assert_eq!(sessions.peek(&id).await.unwrap().live().unwrap().data().visits, 2);

    sessions.delete(&id).await.unwrap();
    assert_eq!(sessions.save(&mut session).await.unwrap(), Saved::Gone);
    assert!(!is_alive(&sessions, &id).await);
}

#[tokio::test]
async fn sessions_of_two_kinds_do_not_know_each_other() {
    let store = PlainStore::new();
    let users: Sessions<User> = store.sessions("session").build().unwrap();
    let admins: Sessions<User> = store.sessions("admin").build().unwrap();
    let id = users.create(ada()).await.unwrap();
    assert!(!is_alive(&admins, &id).await);
    assert!(is_alive(&users, &id).await);
}

#[tokio::test]
async fn the_record_is_readable_and_has_no_id() {
    let stage = Stage::new();
    let id = stage.sessions().create(NewSession::new(ada()).subject("42")).await.unwrap();
    let page = stage.plain.scan(&Namespace::new("session").unwrap().prefix(), None, 10).await.unwrap();
    assert_eq!(page.keys.len(), 2);
    let mut all = String::new();
    for key in &page.keys {
        all.push_str(key.as_str());
        all.push_str(std::str::from_utf8(&stage.plain.get(key).await.unwrap().unwrap()).unwrap());
    }
    assert!(all.contains("\nsubject=42 label=\n{\"name\":\"Ada\",\"visits\":0}"), "{all}");
    assert!(!all.contains(&id.reveal()));
}

#[tokio::test]
async fn nothing_shown_has_id_subject_or_data() {
    let stage = Stage::new();
    let sessions = stage.sessions();
    let new = NewSession::new(ada()).subject("subject-canary").label("label-canary");
    let id = sessions.create(new.clone()).await.unwrap();
    let session = sessions.load(&id).await.unwrap().live().unwrap();
    let listed = sessions.list("subject-canary").await.unwrap();
    let shown = format!("{sessions:?} {id:?} {session:?} {listed:?} {new:?} {:?}", sessions.stats());
    for secret in ["canary", "Ada", &id.reveal(), &sessions.handle(&id).text()] {
        assert!(!shown.contains(secret), "{secret} in {shown}");
    }
}

#[tokio::test]
async fn what_cannot_be_kept_is_refused_before_anything_is_written() {
    let stage = Stage::new();
    let sessions = stage.sessions();
    for subject in [String::new(), "x".repeat(1_025)] {
        let error = sessions.create(NewSession::new(ada()).subject(subject)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
    }
    let huge = User { name: "x".repeat(2 << 20), visits: 0 };
    assert_eq!(sessions.create(huge).await.unwrap_err().kind(), ErrorKind::TooLarge);
    assert_eq!(stage.plain.scan(&Namespace::new("session").unwrap().prefix(), None, 10).await.unwrap().keys, []);
    // Any text is fine as a subject, and a long label is cut off between characters.
    let odd = "a:b {c} %00\n\u{1f600}";
    let id = sessions.create(NewSession::new(ada()).subject(odd).label("\u{e9}".repeat(200))).await.unwrap();
    let session = sessions.load(&id).await.unwrap().live().unwrap();
    assert_eq!(session.subject(), Some(odd));
    assert_eq!(session.label().unwrap().len(), 256);
    assert_eq!(sessions.delete_all(odd).await.unwrap(), 1);
}

#[test]
fn settings_that_cannot_work_are_refused() {
    use std::time::Duration;
    let build = |builder: hallway_session::SessionsBuilder| {
        let built: hallway_core::Result<Sessions<User>> = builder.build();
        built.map(|_| ()).map_err(|error| error.kind())
    };
    let builder = || PlainStore::new().sessions("session");
    assert_eq!(build(builder()), Ok(()));
    let invalid = Err(ErrorKind::InvalidConfig);
    assert_eq!(build(builder().idle(Duration::ZERO)), invalid);
    assert_eq!(build(builder().idle(Duration::from_secs(60)).absolute(Duration::from_secs(59))), invalid);
    assert_eq!(build(builder().absolute(Duration::MAX)), invalid);
    assert_eq!(build(builder().per_subject(0)), invalid);
    assert_eq!(build(builder().per_subject(1_001)), invalid);
    assert_eq!(build(builder().deadline(Duration::ZERO)), invalid);
    // A map in the process survives nothing.
    assert_eq!(build(builder().durable()), invalid);
    assert_eq!(build(PlainStore::new().sessions("")), Err(ErrorKind::InvalidInput));
}
