//! An idle timeout that reading alone prolongs.

use std::time::Duration;

use hallway_core::{ErrorKind, KvStore};
use hallway_testkit::Fault;
use tower_sessions_core::SessionStore;
use tower_sessions_core::session::Record;

use crate::scene::{Scene, made};

const MINUTE: Duration = Duration::from_secs(60);
const IDLE: Duration = Duration::from_secs(30 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// What the scheduler may add between two looks at this process's clock.
const MOMENT: Duration = Duration::from_secs(30);

/// As `Expiry::OnInactivity(IDLE)` has it.
#[tokio::test]
async fn a_reader_keeps_his_session_for_days_and_loses_it_when_idle() {
    let scene = Scene::new();
    let sessions = scene.builder().slide(IDLE).build().unwrap();
    let made = made(&sessions, IDLE).await;
    let key = scene.keys().await.remove(0);
    let before = scene.value(&key).await;
    for _ in 0..3 * 24 * 60 / 29 {
        scene.clock.advance(MINUTE * 29);
        assert!(sessions.load(&made.id).await.unwrap().is_some());
    }
    assert_eq!(scene.value(&key).await, before, "the record was written again");
    scene.clock.advance(IDLE);
    assert_eq!(sessions.load(&made.id).await.unwrap(), None);
}

#[tokio::test]
async fn without_slide_reading_prolongs_nothing() {
    let scene = Scene::new();
    let sessions = scene.sessions();
    let made = made(&sessions, IDLE).await;
    scene.clock.advance(MINUTE * 29);
    assert!(sessions.load(&made.id).await.unwrap().is_some());
    scene.clock.advance(MINUTE);
    assert_eq!(sessions.load(&made.id).await.unwrap(), None);
    assert_eq!(sessions.stats().touched, 0);
}

/// Three days of a request every second: one write a minute.
#[tokio::test]
async fn the_store_is_told_once_a_minute_at_most() {
    let scene = Scene::new();
    let sessions = scene.builder().slide(IDLE).build().unwrap();
    let made = made(&sessions, IDLE).await;
    let before = scene.faults.calls();
    const LOADS: u64 = 6_000;
    for _ in 0..LOADS {
        scene.clock.advance(Duration::from_secs(1));
        sessions.load(&made.id).await.unwrap().unwrap();
    }
    let after = scene.faults.calls();
    let touched = sessions.stats().touched;
    assert!((90..=100).contains(&touched), "{touched} writes in 100 minutes");
    assert_eq!(after.writes - before.writes, touched);
    // One read for each load, and the time once a minute.
    assert!(after.reads - before.reads <= LOADS + 101, "{} reads", after.reads - before.reads);
}

/// With `Expiry::OnSessionEnd`, and `Expiry::AtDateTime`, the date is the last moment.
#[tokio::test]
async fn other_sessions_end_when_idle_and_at_their_date() {
    let scene = Scene::new();
    let sessions = scene.builder().slide(IDLE).build().unwrap();
    let idle = made(&sessions, DAY).await;
    assert_eq!(scene.life().await, IDLE);
    scene.clock.advance(IDLE);
    assert_eq!(sessions.load(&idle.id).await.unwrap(), None);

    let busy = made(&sessions, DAY).await;
    let mut passed = Duration::ZERO;
    while passed + MINUTE * 29 < DAY {
        scene.clock.advance(MINUTE * 29);
        passed += MINUTE * 29;
        // The date is what the application said.
        assert_eq!(sessions.load(&busy.id).await.unwrap().as_ref(), Some(&busy));
    }
    let left = DAY - passed;
    assert!(scene.life().await <= left);
    scene.clock.advance(left);
    assert_eq!(sessions.load(&busy.id).await.unwrap(), None);

    // A short one is not prolonged to the idle timeout.
    let short = made(&sessions, MINUTE).await;
    scene.clock.advance(MINUTE - Duration::from_secs(2));
    assert!(sessions.load(&short.id).await.unwrap().is_some());
    scene.clock.advance(Duration::from_secs(2));
    assert_eq!(sessions.load(&short.id).await.unwrap(), None);
}

/// So that whoever saves what he has loaded saves the same sort of session.
#[tokio::test]
async fn the_date_of_a_session_that_slides_moves_with_it() {
    let scene = Scene::new();
    let sessions = scene.builder().slide(IDLE).build().unwrap();
    let made = made(&sessions, IDLE).await;
    for _ in 0..3 {
        scene.clock.advance(MINUTE * 20);
        let loaded = sessions.load(&made.id).await.unwrap().unwrap();
        // This process's clock stands still, compared with the store's.
        assert!(loaded.expiry_date >= made.expiry_date && loaded.expiry_date < made.expiry_date + MOMENT);
        sessions.save(&loaded).await.unwrap();
        assert_eq!(scene.life().await, IDLE);
    }
    // A reader without `slide` is told what is left.
    scene.clock.advance(MINUTE * 20);
    let told = scene.sessions().load(&made.id).await.unwrap().unwrap();
    let expected = made.expiry_date - MINUTE * 20;
    assert!(told.expiry_date >= expected && told.expiry_date < expected + MOMENT);
}

#[tokio::test]
async fn a_store_that_cannot_be_told_costs_nobody_his_session() {
    let scene = Scene::new();
    let sessions = scene.builder().slide(IDLE).build().unwrap();
    let made = made(&sessions, IDLE).await;
    scene.clock.advance(MINUTE * 10);
    scene.faults.inject(Fault::error(ErrorKind::Unavailable).on_writes().times(1));
    assert!(sessions.load(&made.id).await.unwrap().is_some());
    assert_eq!(scene.life().await, MINUTE * 20);
    assert!(sessions.load(&made.id).await.unwrap().is_some());
    assert_eq!((scene.life().await, sessions.stats().untouched, sessions.stats().touched), (IDLE, 1, 1));
}

/// Between the read and the touch of a load there may be a logout.
#[tokio::test]
async fn a_load_never_brings_back_what_ends_under_it() {
    let scene = Scene::new();
    let sessions = scene.builder().slide(IDLE).build().unwrap();
    let made: Record = made(&sessions, IDLE).await;
    scene.clock.advance(MINUTE * 10);
    scene.faults.inject(Fault::latency(Duration::from_millis(20)).on_writes());
    let key = scene.keys().await.remove(0);
    let (found, _) = tokio::join!(sessions.load(&made.id), async {
        // The load has read, and its touch is on its way.
        while scene.faults.calls().writes < 2 {
            tokio::task::yield_now().await;
        }
        scene.store.delete(&key).await.unwrap()
    });
    assert_eq!(found.unwrap(), None);
    assert!(scene.keys().await.is_empty());
}
