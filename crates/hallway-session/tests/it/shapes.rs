//! Records that are not what this version of the application writes.

use hallway_core::{Bytes, KvStore, SetOptions};
use hallway_session::{Loaded, NewSession, Saved, Sessions};
use serde::{Deserialize, Serialize};

use crate::support::{HOUR, Stage, User, ada};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Newer {
    full_name: String,
}

#[tokio::test]
async fn a_session_of_another_shape_can_be_replaced_or_left() {
    let stage = Stage::new();
    let older = stage.sessions();
    let id = older.create(NewSession::new(ada()).subject("42")).await.unwrap();
    let newer: Sessions<Newer> = stage.builder().build().unwrap();
    let Loaded::Incompatible(found) = newer.load(&id).await.unwrap() else { panic!("it has another shape") };
    assert_eq!(
        (found.subject(), found.codec(), found.payload()),
        (Some("42"), "json", &br#"{"name":"Ada","visits":0}"#[..])
    );
    assert!(!format!("{found:?}").contains("Ada"));
    // Left alone it is still there for the version that wrote it.
    assert!(newer.load(&id).await.unwrap().live().is_none());
    assert_eq!(older.load(&id).await.unwrap().live().unwrap().data(), &ada());
    // It can get a new id and be listed and ended all the same.
    let id = newer.rotate(&id).await.unwrap().unwrap();
    assert_eq!(newer.list("42").await.unwrap().len(), 1);
    let mut session = found.replace(Newer { full_name: "Ada Lovelace".into() });
    assert_eq!(newer.save(&mut session).await.unwrap(), Saved::Gone, "that id is dead");
    let Loaded::Incompatible(found) = newer.load(&id).await.unwrap() else { panic!("it has another shape") };
    let mut session = found.replace(Newer { full_name: "Ada Lovelace".into() });
    assert_eq!(newer.save(&mut session).await.unwrap(), Saved::Written);
    let session = newer.load(&id).await.unwrap().live().unwrap();
    assert_eq!((session.data().full_name.as_str(), session.subject()), ("Ada Lovelace", Some("42")));
    assert_eq!((newer.stats().incompatible, older.stats().incompatible), (3, 0));
}

#[tokio::test]
async fn a_record_that_was_damaged_or_moved_is_no_session() {
    let stage = Stage::new();
    let sessions = stage.sessions();
    let mine = sessions.create(ada()).await.unwrap();
    let theirs = sessions.create(User { name: "Eve".into(), visits: 0 }).await.unwrap();
    let key = |id| sessions.namespace().key(&sessions.handle(id).text()).unwrap();
    let record = stage.plain.get(&key(&theirs)).await.unwrap().unwrap();
    let mut damaged = record.to_vec();
    *damaged.last_mut().unwrap() ^= 1;
    for bytes in
        [record, Bytes::from(damaged), Bytes::new(), Bytes::from_static(b"S1 json\n{}"), Bytes::from(vec![0xff; 1_000])]
    {
        stage.plain.set(&key(&mine), bytes, SetOptions::new(HOUR)).await.unwrap();
        assert!(matches!(sessions.load(&mine).await.unwrap(), Loaded::Gone));
        assert!(sessions.rotate(&mine).await.unwrap().is_none());
        assert!(sessions.update(&mine, |_| {}).await.unwrap().is_none());
    }
    assert_eq!(sessions.stats().damaged, 15);
    // And it can be ended.
    assert!(sessions.delete(&mine).await.unwrap());
}

#[tokio::test]
async fn another_codec_is_named_in_the_record_and_not_confused_with_the_first() {
    let stage = Stage::new();
    let short: Sessions<User, hallway_core::Postcard> = stage.builder().build_as().unwrap();
    let id = short.create(ada()).await.unwrap();
    assert_eq!(short.load(&id).await.unwrap().live().unwrap().data(), &ada());
    let Loaded::Incompatible(found) = stage.sessions().load(&id).await.unwrap() else { panic!("it is not JSON") };
    assert_eq!(found.codec(), "postcard");
}
