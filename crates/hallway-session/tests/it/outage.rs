//! The store does not answer.

use std::time::Duration;

use hallway_core::{ErrorKind, KvStore};
use hallway_session::{Loaded, NewSession, Saved};
use hallway_testkit::Fault;

use crate::support::{MINUTE, Stage, ada, is_alive};

#[tokio::test(start_paused = true)]
async fn a_store_that_is_down_is_unavailable_and_never_gone() {
    let stage = Stage::new();
    let sessions = stage.sessions();
    let id = sessions.create(NewSession::new(ada()).subject("42")).await.unwrap();
    for fault in [Fault::error(ErrorKind::Unavailable), Fault::black_hole(), Fault::lost_reply()] {
        stage.faults.inject(fault);
        let writes = stage.faults.calls().writes;
        assert_eq!(sessions.load(&id).await.unwrap_err().kind(), ErrorKind::Unavailable);
        assert_eq!(sessions.touch(&id).await.unwrap_err().kind(), ErrorKind::Unavailable);
        assert_eq!(sessions.rotate(&id).await.unwrap_err().kind(), ErrorKind::Unavailable);
        assert_eq!(sessions.update(&id, |_| {}).await.unwrap_err().kind(), ErrorKind::Unavailable);
        assert_eq!(sessions.list("42").await.unwrap_err().kind(), ErrorKind::Unavailable);
        assert_eq!(sessions.delete_all("42").await.unwrap_err().kind(), ErrorKind::Unavailable);
        assert_eq!(stage.faults.calls().writes, writes, "a failed load is followed by no write");
        stage.faults.heal();
        assert!(is_alive(&sessions, &id).await);
    }
    assert_eq!(sessions.stats().unavailable, 18);
}

#[tokio::test(start_paused = true)]
async fn a_call_ends_by_its_deadline() {
    let stage = Stage::new();
    let sessions = stage.builder().deadline(Duration::from_millis(100)).build().unwrap();
    let id = sessions.create(ada()).await.unwrap();
    stage.faults.inject(Fault::black_hole());
    let began = tokio::time::Instant::now();
    assert!(sessions.load(&id).await.is_err());
    assert_eq!(began.elapsed(), Duration::from_millis(100));
}

#[tokio::test]
async fn a_session_whose_timeout_could_not_begin_anew_is_answered_all_the_same() {
    let stage = Stage::new();
    let sessions = stage.sessions();
    let id = sessions.create(ada()).await.unwrap();
    stage.clock.advance(10 * MINUTE);
    stage.faults.inject(Fault::error(ErrorKind::Unavailable).on_writes());
    assert!(sessions.load(&id).await.unwrap().live().is_some());
    assert_eq!((sessions.stats().touched, sessions.stats().untouched), (0, 1));
    stage.faults.heal();
    sessions.load(&id).await.unwrap().live().unwrap();
    assert_eq!(sessions.stats().touched, 1);
}

#[tokio::test]
async fn a_login_that_failed_leaves_nothing_behind() {
    for step in 0..4 {
        for lost in [false, true] {
            let stage = Stage::new();
            let sessions = stage.sessions();
            // The clock is known, so the steps are: the record, the list read, the list written.
            sessions.create(ada()).await.unwrap();
            let before = stage.plain.scan(&sessions.namespace().prefix(), None, 10).await.unwrap().keys;
            let fault = if lost { Fault::lost_reply() } else { Fault::error(ErrorKind::Unavailable) };
            let login = NewSession::new(ada()).subject("42");
            stage.faults.inject(fault.after(step).times(1));
            let made = sessions.create(login).await;
            stage.faults.heal();
            let Err(error) = made else {
                assert_eq!(step, 3, "a login has three steps that can fail");
                continue;
            };
            assert!(matches!(error.kind(), ErrorKind::Unavailable | ErrorKind::Indeterminate));
            let after = stage.plain.scan(&sessions.namespace().prefix(), None, 10).await.unwrap().keys;
            let left: Vec<_> = after.iter().filter(|key| !before.contains(key)).collect();
            // A list that names nobody alive may be left; a record may not.
            assert!(
                left.iter().all(|key| key.namespace_str() == "session:subject"),
                "step {step}, lost {lost}: {left:?}"
            );
            assert!(sessions.list("42").await.unwrap().is_empty());
        }
    }
}

#[tokio::test]
async fn a_save_of_unknown_outcome_is_said_to_be_one() {
    let stage = Stage::new();
    let sessions = stage.sessions();
    let id = sessions.create(ada()).await.unwrap();
    let mut session = sessions.load(&id).await.unwrap().live().unwrap();
    session.data_mut().visits = 1;
    stage.faults.inject(Fault::lost_reply().on_writes().times(1));
    assert_eq!(sessions.save(&mut session).await.unwrap_err().kind(), ErrorKind::Indeterminate);
    // It was written, so the same save again meets its own data.
    assert_eq!(sessions.save(&mut session).await.unwrap(), Saved::Conflict);
    let Loaded::Live(session) = sessions.load(&id).await.unwrap() else { panic!("it lives") };
    assert_eq!(session.data().visits, 1);
}
