//! Timeouts as the clocks of real servers count them.
//!
//! These tests wait in real time: it is the servers' clocks that are tested. Each looks well before an edge and well after
//! it, so a slow machine fails none of them.

use std::sync::Arc;
use std::time::Duration;

use hallway::session::{Sessions, SessionsExt};
use hallway::{KvStore, Result};
use hallway_testkit::servers::{PostgresServer, RedisServer};
use tokio::time::{Instant, sleep_until};

const IDLE: Duration = Duration::from_secs(4);
const ABSOLUTE: Duration = Duration::from_secs(9);

/// How far from an edge it is looked.
const MARGIN: Duration = Duration::from_secs(1);

async fn hold(store: Arc<dyn KvStore>, namespace: &str) -> Result<()> {
    let sessions: Sessions<u64> = store.sessions(namespace).idle(IDLE).absolute(ABSOLUTE).build()?;
    // What connecting takes is none of the session's time.
    store.ping().await?;
    let idle = sessions.create(1).await?;
    let busy = sessions.create(2).await?;
    let began = Instant::now();
    let until = |when: Duration| sleep_until(began + when);
    let alive = async |id| Ok::<_, hallway::Error>(sessions.peek(id).await?.live().is_some());

    until(IDLE - MARGIN).await;
    assert!(alive(&idle).await?, "{namespace}: ended before the idle timeout");
    assert!(sessions.load(&busy).await?.live().is_some());
    until(IDLE + MARGIN).await;
    assert!(!alive(&idle).await?, "{namespace}: lived after the idle timeout");
    for seconds in [6, 7] {
        until(Duration::from_secs(seconds)).await;
        assert!(sessions.load(&busy).await?.live().is_some(), "{namespace}: ended although it was loaded");
    }
    until(ABSOLUTE - MARGIN).await;
    assert!(sessions.load(&busy).await?.live().is_some(), "{namespace}: ended before the absolute timeout");
    until(ABSOLUTE + MARGIN).await;
    assert!(!alive(&busy).await?, "{namespace}: lived after the absolute timeout");
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn both_timeouts_are_kept_at_their_edges() {
    let folder = tempfile::tempdir().unwrap();
    let urls = [
        "moka:".to_owned(),
        format!("sqlite:{}", folder.path().join("sessions.db").display()),
        RedisServer::shared().url(),
        PostgresServer::shared().url(),
    ];
    let mut runs = Vec::new();
    for (number, url) in urls.into_iter().enumerate() {
        runs.push(tokio::spawn(
            async move { hold(hallway::open(&url).await?, &format!("session-edge-{number}")).await },
        ));
    }
    for run in runs {
        run.await.unwrap().unwrap();
    }
}
