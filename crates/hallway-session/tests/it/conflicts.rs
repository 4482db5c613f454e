//! Two requests change one session.

use hallway_core::ErrorKind;
use hallway_session::Saved;

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

#[tokio::test]
async fn a_hundred_updates_at_once_all_count() {
    let sessions = Stage::new().sessions();
    let id = sessions.create(ada()).await.unwrap();
    let updates = (0..100).map(|_| {
        let (sessions, id) = (sessions.clone(), id.clone());
        tokio::spawn(async move { sessions.update(&id, |user| user.visits += 1).await.unwrap() })
    });
    for update in updates.collect::<Vec<_>>() {
        assert!(update.await.unwrap().is_some());
    }
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
    assert_eq!((error.kind(), rounds), (ErrorKind::Conflict, 16));
}
