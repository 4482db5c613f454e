//! The contenders, each with sessions that are there.

use std::collections::HashMap;
use std::future::Future;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;

use hallway::session::{SessionId, Sessions, SessionsExt};
use hallway_bench::{Failure, Result, Stage};
use serde::{Deserialize, Serialize};
use tower_sessions_core::SessionStore;
use tower_sessions_core::session::{Id, Record};
use tower_sessions_redis_store::RedisStore;
use tower_sessions_redis_store::fred::prelude::{ClientLike, Config, Pool};
use tower_sessions_sqlx_store::{PostgresStore, SqliteStore};

/// Sessions of each contender.
pub(crate) const SESSIONS: usize = 1_000;

/// Connections of tower-sessions' Redis store, as its documentation has them.
const CONNECTIONS: usize = 6;

/// What an application keeps.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct User {
    id: u64,
    name: String,
    roles: Vec<String>,
    theme: String,
}

fn user(number: u64) -> User {
    User {
        id: number,
        name: format!("user number {number}"),
        roles: vec!["reader".into(), "writer".into()],
        theme: "dark".into(),
    }
}

/// Where the sessions live.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Backend {
    Postgres,
    Redis,
    Sqlite,
}

impl Backend {
    pub(crate) const ALL: [Self; 3] = [Self::Redis, Self::Sqlite, Self::Postgres];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Postgres => "postgres",
            Self::Redis => "redis",
            Self::Sqlite => "sqlite",
        }
    }
}

type Answer = Pin<Box<dyn Future<Output = Result<()>> + Send>>;

/// One way to answer a request: finds a session by its number, checks it, keeps it alive.
pub(crate) struct Visitor {
    pub(crate) name: &'static str,
    pub(crate) request: Arc<dyn Fn(u32) -> Answer + Send + Sync>,
}

/// hallway first, then tower-sessions without and with keeping the session alive.
pub(crate) async fn open(stage: &mut Stage, folder: &Path, backend: Backend) -> Result<Vec<Visitor>> {
    let path = |name: &str| folder.join(name).display().to_string();
    let store = match backend {
        Backend::Redis => hallway::open(&stage.start_redis()?.url()).await?,
        Backend::Postgres => hallway::open(&stage.start_postgres()?.url()).await?,
        Backend::Sqlite => hallway::open(&format!("sqlite:{}", path("hallway.db"))).await?,
    };
    let mut visitors = vec![ours(store.sessions("session").build()?).await?];
    match backend {
        Backend::Redis => {
            let pool = Pool::new(Config::from_url(&stage.start_redis()?.url())?, None, None, None, CONNECTIONS)?;
            pool.connect();
            pool.wait_for_connect().await?;
            visitors.extend(theirs(RedisStore::new(pool)).await?);
        }
        Backend::Postgres => {
            let pool = sqlx::PgPool::connect(&stage.start_postgres()?.url()).await?;
            let store = PostgresStore::new(pool);
            store.migrate().await?;
            visitors.extend(theirs(store).await?);
        }
        Backend::Sqlite => {
            // Not its default, which is slower: the journal that hallway uses.
            let options = sqlx::sqlite::SqliteConnectOptions::new()
                .filename(path("tower.db"))
                .create_if_missing(true)
                .journal_mode(sqlx::sqlite::SqliteJournalMode::Wal)
                .synchronous(sqlx::sqlite::SqliteSynchronous::Normal);
            let store = SqliteStore::new(sqlx::SqlitePool::connect_with(options).await?);
            store.migrate().await?;
            visitors.extend(theirs(store).await?);
        }
    }
    Ok(visitors)
}

async fn ours(sessions: Sessions<User>) -> Result<Visitor> {
    let mut ids: Vec<SessionId> = Vec::with_capacity(SESSIONS);
    for number in 0..SESSIONS as u64 {
        ids.push(sessions.create(user(number)).await?);
    }
    let ids = Arc::new(ids);
    let request = move |number: u32| -> Answer {
        let (sessions, ids) = (sessions.clone(), Arc::clone(&ids));
        Box::pin(async move {
            match sessions.load(&ids[number as usize]).await?.live() {
                Some(session) if session.data().id == u64::from(number) => Ok(()),
                _ => Err(wrong()),
            }
        })
    };
    Ok(Visitor { name: "hallway: load", request: Arc::new(request) })
}

async fn theirs<S: SessionStore + Clone>(store: S) -> Result<[Visitor; 2]> {
    let mut ids: Vec<Id> = Vec::with_capacity(SESSIONS);
    for number in 0..SESSIONS as u64 {
        let data = HashMap::from([("user".to_owned(), serde_json::to_value(user(number))?)]);
        let mut record = Record { id: Id::default(), data, expiry_date: in_half_an_hour() };
        store.create(&mut record).await?;
        ids.push(record.id);
    }
    let ids = Arc::new(ids);
    let visitor = |name, saves: bool| {
        let (store, ids) = (store.clone(), Arc::clone(&ids));
        let request = move |number: u32| -> Answer {
            let (store, ids) = (store.clone(), Arc::clone(&ids));
            Box::pin(async move {
                let mut record = store.load(&ids[number as usize]).await?.ok_or_else(wrong)?;
                let user = record.data.get("user").ok_or_else(wrong)?;
                let user: User = serde_json::from_value(user.clone())?;
                if user.id != u64::from(number) {
                    return Err(wrong());
                }
                if saves {
                    record.expiry_date = in_half_an_hour();
                    store.save(&record).await?;
                }
                Ok(())
            })
        };
        Visitor { name, request: Arc::new(request) }
    };
    Ok([visitor("tower-sessions: load, may time out", false), visitor("tower-sessions: load and save", true)])
}

fn in_half_an_hour() -> time::OffsetDateTime {
    time::OffsetDateTime::now_utc() + time::Duration::minutes(30)
}

fn wrong() -> Failure {
    "a session was not found, or was another's".into()
}
