//! Idle and absolute timeouts, at their edges.

use std::time::Duration;

use hallway_core::{Clock, KvStore, Ttl};
use hallway_session::NewSession;

use crate::support::{HOUR, MINUTE, Stage, ada, is_alive};

const SECOND: Duration = Duration::from_secs(1);

#[tokio::test]
async fn a_session_nobody_loads_ends_at_the_idle_timeout() {
    let stage = Stage::new();
    let sessions = stage.sessions();
    let id = sessions.create(ada()).await.unwrap();
    stage.clock.advance(30 * MINUTE - SECOND);
    assert!(is_alive(&sessions, &id).await);
    stage.clock.advance(SECOND);
    assert!(!is_alive(&sessions, &id).await);
}

#[tokio::test]
async fn a_load_begins_the_idle_timeout_anew() {
    let stage = Stage::new();
    let sessions = stage.sessions();
    let id = sessions.create(ada()).await.unwrap();
    for _ in 0..10 {
        stage.clock.advance(29 * MINUTE);
        assert!(sessions.load(&id).await.unwrap().live().is_some());
    }
    stage.clock.advance(30 * MINUTE - SECOND);
    assert!(is_alive(&sessions, &id).await);
    stage.clock.advance(SECOND);
    assert!(!is_alive(&sessions, &id).await);
}

#[tokio::test]
async fn however_often_it_is_loaded_it_ends_at_the_absolute_timeout() {
    let stage = Stage::new();
    let sessions = stage.sessions();
    let id = sessions.create(ada()).await.unwrap();
    for _ in 0..12 * 4 - 1 {
        stage.clock.advance(15 * MINUTE);
        let session = sessions.load(&id).await.unwrap().live().unwrap();
        assert_eq!(session.ends().saturating_since(session.made()), 12 * HOUR);
    }
    stage.clock.advance(15 * MINUTE - SECOND);
    assert!(sessions.load(&id).await.unwrap().live().is_some());
    stage.clock.advance(SECOND);
    assert!(sessions.load(&id).await.unwrap().live().is_none());
}

/// A process that stood still between looking at the clock and telling the store gives the record too long a life.
#[tokio::test]
async fn a_touch_that_came_late_does_not_prolong_a_session_past_the_absolute_timeout() {
    let stage = Stage::new();
    let sessions = stage.builder().idle(HOUR).absolute(HOUR).build().unwrap();
    let id = sessions.create(ada()).await.unwrap();
    stage.clock.advance(HOUR - SECOND);
    let key = stage.plain.scan(&sessions.namespace().prefix(), None, 1).await.unwrap().keys.remove(0);
    assert!(stage.plain.touch(&key, Ttl::After(HOUR)).await.unwrap());
    assert!(is_alive(&sessions, &id).await);
    stage.clock.advance(SECOND);
    assert!(stage.plain.get(&key).await.unwrap().is_some(), "the store alone would still have it");
    assert!(!is_alive(&sessions, &id).await);
    assert!(!sessions.touch(&id).await.unwrap());
    assert!(sessions.rotate(&id).await.unwrap().is_none());
}

#[tokio::test]
async fn a_reader_costs_one_write_in_a_minute_at_most() {
    let stage = Stage::new();
    let sessions = stage.sessions();
    let id = sessions.create(ada()).await.unwrap();
    let before = stage.faults.calls();
    // Ten hours of a load each second.
    for _ in 0..10 * 3_600 {
        stage.clock.advance(SECOND);
        assert!(sessions.load(&id).await.unwrap().live().is_some());
    }
    let after = stage.faults.calls();
    let (reads, writes) = (after.reads - before.reads, after.writes - before.writes);
    assert!((590..=600).contains(&writes), "{writes} writes in 600 minutes");
    let operations = (reads + writes) as f64 / 36_000.0;
    // Also the question for the store's time, once a minute.
    assert!(operations <= 1.05, "{operations} operations for a load");
    assert_eq!(sessions.stats().touched, writes);
}

#[tokio::test]
async fn a_short_timeout_is_kept_to_the_twentieth_part() {
    let stage = Stage::new();
    let sessions = stage.builder().idle(10 * SECOND).build().unwrap();
    let id = sessions.create(ada()).await.unwrap();
    // Half a second is no gain worth a write; a little more is.
    stage.clock.advance(SECOND / 2);
    sessions.load(&id).await.unwrap().live().unwrap();
    assert_eq!(sessions.stats().touched, 0);
    stage.clock.advance(Duration::from_millis(1));
    sessions.load(&id).await.unwrap().live().unwrap();
    assert_eq!(sessions.stats().touched, 1);
    stage.clock.advance(10 * SECOND - Duration::from_millis(1));
    assert!(is_alive(&sessions, &id).await);
}

#[tokio::test]
async fn a_save_begins_the_idle_timeout_anew_and_leaves_the_absolute_one() {
    let stage = Stage::new();
    let sessions = stage.builder().absolute(HOUR).build().unwrap();
    let id = sessions.create(ada()).await.unwrap();
    stage.clock.advance(20 * MINUTE);
    sessions.update(&id, |user| user.visits += 1).await.unwrap().unwrap();
    stage.clock.advance(29 * MINUTE);
    sessions.update(&id, |user| user.visits += 1).await.unwrap().unwrap();
    stage.clock.advance(11 * MINUTE - SECOND);
    assert!(is_alive(&sessions, &id).await);
    stage.clock.advance(SECOND);
    assert!(!is_alive(&sessions, &id).await);
}

#[tokio::test]
async fn a_rotation_keeps_the_absolute_timeout_and_a_login_begins_it_anew() {
    let stage = Stage::new();
    let sessions = stage.sessions();
    let id = sessions.create(NewSession::new(ada()).subject("42")).await.unwrap();
    let ends = sessions.peek(&id).await.unwrap().live().unwrap().ends();
    stage.clock.advance(20 * MINUTE);
    let id = sessions.rotate(&id).await.unwrap().unwrap();
    let session = sessions.peek(&id).await.unwrap().live().unwrap();
    assert_eq!((session.ends(), session.remaining()), (ends, 30 * MINUTE));
    stage.clock.advance(20 * MINUTE);
    let id = sessions.rotate_with(&id, |draft| draft.subject = Some("43".into())).await.unwrap().unwrap();
    let session = sessions.peek(&id).await.unwrap().live().unwrap();
    assert_eq!(session.ends().saturating_since(ends), 40 * MINUTE);
}

/// Deadlines are durations: what a person or a time server does to a date moves none of them.
#[tokio::test]
async fn a_date_that_jumps_here_ends_no_session() {
    let stage = Stage::new();
    // The clock of the instance, not the one of the store.
    let own = hallway_testkit::ManualClock::new();
    let sessions = stage.builder().clock(std::sync::Arc::new(own.clone())).build().unwrap();
    let id = sessions.create(ada()).await.unwrap();
    for seconds in [3_600, -7_200] {
        own.step_date(seconds);
        assert!(own.timestamp() != stage.clock.timestamp());
        let session: hallway_session::Session<crate::support::User> = sessions.load(&id).await.unwrap().live().unwrap();
        assert_eq!(session.remaining(), 30 * MINUTE);
    }
}

/// The absolute timeout is an instant of the store's clock: when somebody sets that, it moves by as much. Nothing worse.
#[tokio::test]
async fn a_store_whose_date_is_set_moves_the_absolute_timeout_and_not_the_idle_one() {
    for (hours, lives) in [(2_i64, 1_u32), (-2, 5)] {
        let stage = Stage::new();
        let sessions = stage.builder().absolute(3 * HOUR).build().unwrap();
        let id = sessions.create(ada()).await.unwrap();
        stage.clock.step_date(hours * 3_600);
        // Seen within a minute.
        for _ in 0..lives * 4 - 1 {
            stage.clock.advance(15 * MINUTE);
            assert!(sessions.load(&id).await.unwrap().live().is_some());
        }
        stage.clock.advance(15 * MINUTE + SECOND);
        assert!(sessions.load(&id).await.unwrap().live().is_none());

        let idle = sessions.create(ada()).await.unwrap();
        stage.clock.step_date(-hours * 3_600);
        stage.clock.advance(30 * MINUTE - SECOND);
        assert!(is_alive(&sessions, &idle).await || hours < 0);
        stage.clock.advance(SECOND);
        assert!(!is_alive(&sessions, &idle).await);
    }
}

/// At the very end of a session a rotation has nothing to give a new id to.
#[tokio::test(start_paused = true)]
async fn a_rotation_at_the_absolute_timeout_is_an_answer() {
    let stage = Stage::new();
    // The store answers late, so that its time is known to half a second only.
    stage.faults.inject(hallway_testkit::Fault::latency(Duration::from_millis(500)).on_reads());
    let slow = hallway_testkit::FaultStore::new(stage.store.clone(), hallway_testkit::Faults::new());
    let sessions = hallway_session::SessionsExt::sessions(&slow, "session")
        .clock(std::sync::Arc::new(stage.clock.clone()))
        .idle(HOUR)
        .absolute(HOUR)
        .build::<crate::support::User>()
        .unwrap();
    let id = sessions.create(ada()).await.unwrap();
    stage.clock.advance(HOUR);
    assert!(sessions.rotate(&id).await.unwrap().is_none());
}

#[tokio::test]
async fn now_is_what_the_store_says_and_is_asked_for_once_a_minute() {
    let stage = Stage::new();
    let own = hallway_testkit::ManualClock::new();
    let sessions = stage.builder().clock(std::sync::Arc::new(own.clone())).build().unwrap();
    let sessions: hallway_session::Sessions<crate::support::User> = sessions;
    let began = stage.clock.timestamp();
    assert_eq!(sessions.now().await.unwrap(), began);
    let asked = stage.faults.calls().reads;
    // A date that jumps here is none of its business.
    own.step_date(3_600);
    own.advance(MINUTE - SECOND);
    assert_eq!(sessions.now().await.unwrap().saturating_since(began), MINUTE - SECOND);
    assert_eq!(stage.faults.calls().reads, asked);
    // Then the store is asked, whose clock may have gone otherwise.
    own.advance(SECOND);
    stage.clock.advance(MINUTE + SECOND);
    assert_eq!(sessions.now().await.unwrap(), stage.clock.timestamp());
    own.advance(MINUTE);
    stage.faults.inject(hallway_testkit::Fault::error(hallway_core::ErrorKind::Unavailable));
    assert_eq!(sessions.now().await.unwrap_err().kind(), hallway_core::ErrorKind::Unavailable);
    assert_eq!(sessions.stats().unavailable, 1);
}
