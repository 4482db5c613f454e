//! Which sessions are left after a server is killed. Only servers of its own are, never those of the study.

use std::sync::Arc;
use std::time::{Duration, Instant};

use hallway::KvStore;
use hallway::session::{NewSession, Sessions, SessionsExt as _};
use hallway_testkit::servers::{PostgresOptions, PostgresServer, RedisOptions, RedisServer};
use serde::{Deserialize, Serialize};

use super::visits::{self, Visitor};
use crate::Result;
use crate::placement::Placement;

/// Sessions that were acknowledged before the kill.
const MADE: usize = 200;
const NAMESPACE: &str = "killed";
/// How long a server may take to answer after it was started again.
const RESTART: Duration = Duration::from_secs(30);

/// What is left of the sessions of a server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Killed {
    /// The server and the setting that decides.
    pub(super) server: String,
    pub(super) made: usize,
    pub(super) left: usize,
}

/// Redis as the study has it, and with a log. A server that is started again has the cores that it had.
pub(super) async fn redis(placement: &Placement) -> Result<Vec<Killed>> {
    let kept = RedisOptions::default().with_config("appendonly", "yes").with_config("appendfsync", "everysec");
    let variants =
        [("redis, nothing kept on disk", RedisOptions::default()), ("redis, appendonly with everysec", kept)];
    let mut killed = Vec::new();
    for (name, options) in variants {
        let server = placement.serving(|| RedisServer::start(options))?;
        let url = server.url();
        killed.push(
            kill(name, &url, || {
                server.kill9();
                Ok(server.restart()?)
            })
            .await?,
        );
    }
    Ok(killed)
}

/// PostgreSQL as it is by default, and as it is when commits do not wait for the disk.
pub(super) async fn postgres(placement: &Placement, settings: &[&str]) -> Result<Vec<Killed>> {
    let mut killed = Vec::new();
    for setting in settings {
        let options = PostgresOptions::default().with_setting("synchronous_commit", *setting);
        let server = placement.serving(|| PostgresServer::start(options))?;
        let url = server.url();
        let name = format!("postgres, synchronous_commit = {setting}");
        killed.push(
            kill(&name, &url, || {
                server.kill9();
                Ok(server.restart()?)
            })
            .await?,
        );
    }
    Ok(killed)
}

async fn kill(name: &str, url: &str, end_and_restart: impl FnOnce() -> Result<()>) -> Result<Killed> {
    let sessions = sessions(hallway::open(url).await?)?;
    let mut ids = Vec::with_capacity(MADE);
    for number in 0..MADE {
        ids.push(sessions.create(NewSession::new(Visitor::new(number))).await?);
    }
    drop(sessions);
    end_and_restart()?;

    let store = hallway::open(url).await?;
    let start = Instant::now();
    while let Err(error) = store.ping().await {
        if start.elapsed() > RESTART {
            return Err(format!("{name} does not answer after it was killed: {error}").into());
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let sessions = self::sessions(store)?;
    let mut left = 0;
    for (number, id) in ids.iter().enumerate() {
        if let Some(session) = sessions.peek(id).await?.live() {
            if *session.data() != Visitor::new(number) {
                return Err(format!("{name}: session {number} came back with other data").into());
            }
            left += 1;
        }
    }
    Ok(Killed { server: name.to_owned(), made: MADE, left })
}

fn sessions(store: Arc<dyn KvStore>) -> Result<Sessions<Visitor>> {
    Ok(store.sessions(NAMESPACE).deadline(visits::PATIENCE).build()?)
}
