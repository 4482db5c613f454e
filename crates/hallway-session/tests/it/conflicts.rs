//! Two requests change one session.

use std::time::Duration;

use hallway_core::ErrorKind;
use hallway_session::Saved;
use hallway_testkit::Fault;

use crate::support::{Stage, ada};

#[tokio::test]
async fn the_second_save_is_told_of_the_first() {
    let sessions = Stage::new().sessions();
    let id = sessions.create(ada()).await.unwrap();
    let mut one = sessions.load(&id).await.unwrap().live().unwrap();
    let mut two = sessions.load(&id).await.unwrap().live().unwrap();
    one.data_mut().visits = 1;
    two.data_mut().name = "Grace".into();
    assert_eq!(sessions.save(&mut one).await.unwrap(), Saved::Written);
    assert_eq!(sessions.save(&mut two).await.unwrap(), Saved::Conflict);
    assert_eq!(sessions.peek(&id).await.unwrap().live().unwrap().data(), one.data());
    assert_eq!(sessions.stats().conflicts, 1);
}

#[tokio::test]
async fn a_merge_keeps_both() {
    let sessions = Stage::new().sessions();
    let id = sessions.create(ada()).await.unwrap();
    let mut one = sessions.load(&id).await.unwrap().live().unwrap();
    let mut two = sessions.load(&id).await.unwrap().live().unwrap();
    one.data_mut().visits = 1;
    two.data_mut().name = "Grace".into();
    assert_eq!(sessions.save(&mut one).await.unwrap(), Saved::Written);
    let merged = sessions
        .save_or_merge(&mut two, |mine, mut theirs| {
            theirs.name.clone_from(&mine.name);
            theirs
        })
        .await
        .unwrap();
    assert_eq!(merged, Saved::Written);
    let data = sessions.peek(&id).await.unwrap().live().unwrap().into_data();
    assert_eq!((data.name.as_str(), data.visits), ("Grace", 1));
}

#[tokio::test(start_paused = true)]
async fn a_hundred_updates_at_once_all_count() {
    let stage = Stage::new();
    // Of two processes, and far enough away that they meet.
    let processes = [stage.sessions(), stage.sessions()];
    let sessions = &processes[0];
    let id = sessions.create(ada()).await.unwrap();
    for millis in [3, 4] {
        stage.faults.inject(Fault::latency(Duration::from_millis(millis)).with_probability(0.7));
    }
    let updates = (0..100).map(|number| {
        let (sessions, id) = (processes[number % 2].clone(), id.clone());
        tokio::spawn(async move { sessions.update(&id, |user| user.visits += 1).await.unwrap() })
    });
    for update in updates.collect::<Vec<_>>() {
        assert!(update.await.unwrap().is_some());
    }
    assert!(processes.iter().any(|sessions| sessions.stats().conflicts > 0), "they did not meet");
    assert_eq!(sessions.peek(&id).await.unwrap().live().unwrap().data().visits, 100);
}

#[tokio::test]
async fn who_is_always_too_late_gives_up() {
    let stage = Stage::new();
    let sessions = stage.sessions();
    let id = sessions.create(ada()).await.unwrap();
    let other = stage.sessions();
    let mut session = sessions.load(&id).await.unwrap().live().unwrap();
    let mut rounds = 0;
    // Somebody else changes it whenever it has been read.
    other.update(&id, |user| user.visits += 1).await.unwrap();
    let error = sessions
        .save_or_merge(&mut session, |_, theirs| {
            rounds += 1;
            let (other, id) = (other.clone(), id.clone());
            std::thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
                runtime.block_on(other.update(&id, |user| user.visits += 1)).unwrap();
            })
            .join()
            .unwrap();
            theirs
        })
        .await
        .unwrap_err();
    assert_eq!((error.kind(), rounds), (ErrorKind::Conflict, 20));
}
