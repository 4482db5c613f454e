//! What onlookers are told, and what they are not.

use hallway_core::ErrorKind;
use hallway_session::NewSession;
use hallway_testkit::{Fault, Watching};
use tracing::Level;

use crate::support::{Stage, User};

const CANARY: &str = "kanarienvogel";

#[tokio::test]
async fn each_call_has_a_span_that_says_how_it_failed_and_never_whose_it_is() {
    let watching = Watching::from(Level::TRACE);
    let _guard = tracing::subscriber::set_default(watching.clone());
    let stage = Stage::new();
    let sessions = stage.sessions();
    let user = User { name: CANARY.into(), visits: 0 };
    let id = sessions.create(NewSession::new(user).subject(CANARY).label(CANARY)).await.unwrap();
    sessions.load(&id).await.unwrap().live().unwrap();
    let id = sessions.rotate(&id).await.unwrap().unwrap();
    sessions.update(&id, |user| user.visits += 1).await.unwrap();
    sessions.list(CANARY).await.unwrap();
    stage.faults.inject(Fault::error(ErrorKind::Unavailable));
    let error = sessions.load(&id).await.unwrap_err();
    stage.faults.heal();
    sessions.delete_all(CANARY).await.unwrap();
    // And one that is damaged, which is an event.
    let damaged = sessions.create(User { name: CANARY.into(), visits: 0 }).await.unwrap();
    let key = sessions.namespace().key(&sessions.handle(&damaged).text()).unwrap();
    let hour = hallway_core::SetOptions::new(crate::support::HOUR);
    hallway_core::KvStore::set(&stage.plain, &key, CANARY.into(), hour).await.unwrap();
    assert!(sessions.load(&damaged).await.unwrap().live().is_none());
    assert_eq!(watching.events().len(), 1);

    let said: Vec<_> = watching
        .take()
        .iter()
        .map(|span| {
            assert_eq!((span.name, span.field("db.system.name")), ("hallway.session", "hallway"));
            assert_eq!(span.field("db.namespace"), "session");
            (span.field("db.operation.name").to_owned(), span.field("error.type").to_owned())
        })
        .collect();
    let expected =
        ["create ", "load ", "rotate ", "update ", "list ", "load unavailable", "delete_all ", "create ", "load "];
    assert_eq!(said.iter().map(|(name, error)| format!("{name} {error}")).collect::<Vec<_>>(), expected);
    for secret in [CANARY, &id.reveal(), &sessions.handle(&id).text(), &damaged.reveal()] {
        assert!(!watching.text().contains(secret), "{secret}");
        assert!(!format!("{error} {error:?}").contains(secret));
    }
}
