//! Settings that decide what an operation costs, read back from the stores themselves.

use std::collections::BTreeMap;
use std::time::Duration;

use sqlx::Connection as _;

use super::place::{LONG_PATIENCE, Told};
use super::{Backend, Lab, Origin, Postgres, Redis};
use crate::Result;
use crate::report::Server;

/// The version of moka that is built in. A library does not tell its version, so a test holds it to the lock file.
const MOKA: &str = "0.12";

/// What the study's own servers are started with. On another server its owner has decided, and reports tell.
const PRIVATE_REDIS: [(&str, &str); 3] = [("appendonly", "no"), ("maxmemory", "0"), ("save", "")];
const PRIVATE_POSTGRES: [(&str, &str); 3] = [("fsync", "on"), ("full_page_writes", "on"), ("synchronous_commit", "on")];

pub(super) async fn servers(lab: &Lab) -> Result<Vec<Server>> {
    let mut servers = vec![moka(), bounded("SQLite", sqlite(lab)).await?];
    if let Some(redis) = lab.redis() {
        servers.push(self::redis(redis).await?);
    }
    if let Some(server) = lab.postgres() {
        servers.push(bounded("PostgreSQL", postgres(lab, server)).await?);
    }
    Ok(servers)
}

/// What is not the same any more: everything measured between the two looks is void if there is something.
#[must_use]
pub fn changes(before: &[Server], after: &[Server]) -> Vec<String> {
    let facts = |servers: &[Server]| -> BTreeMap<String, String> {
        let mut facts = BTreeMap::new();
        for server in servers {
            facts.insert(format!("version of {}", server.name), server.version.clone());
            for (name, value) in &server.settings {
                facts.insert(format!("{name} of {}", server.name), value.clone());
            }
        }
        facts
    };
    let (before, after) = (facts(before), facts(after));
    let mut changes = Vec::new();
    for fact in before.keys().chain(after.keys().filter(|fact| !before.contains_key(*fact))) {
        let told =
            |facts: &BTreeMap<String, String>| facts.get(fact).map_or("not there".to_owned(), |it| format!("{it:?}"));
        if before.get(fact) != after.get(fact) {
            changes.push(format!("{fact} was {} and is {}", told(&before), told(&after)));
        }
    }
    changes
}

async fn bounded<T>(what: &str, reading: impl Future<Output = Result<T>>) -> Result<T> {
    const LIMIT: Duration = LONG_PATIENCE;
    let read = tokio::time::timeout(LIMIT, reading).await;
    read.map_err(|_| format!("{what} did not tell its settings within {LIMIT:?}"))?
}

/// Whether settings are what the study has asked for; the error says that the measurement is void.
fn held(server: &str, settings: &BTreeMap<String, String>, plan: &[(&str, &str)]) -> Result<()> {
    for (name, asked) in plan {
        if let Some(is) = settings.get(*name).filter(|is| is != asked) {
            return Err(format!("{name} of {server} is {is:?} instead of {asked:?}; what was measured is void").into());
        }
    }
    Ok(())
}

fn moka() -> Server {
    Server {
        name: "moka".to_owned(),
        version: MOKA.to_owned(),
        origin: "in process".to_owned(),
        settings: BTreeMap::new(),
    }
}

async fn sqlite(lab: &Lab) -> Result<Server> {
    let url = lab.url(Backend::Sqlite)?;
    hallway::open(&url).await?.ping().await?;
    let file = url.split('?').next().unwrap_or(&url);
    let mut connection = sqlx::SqliteConnection::connect(file).await?;
    let version: String = sqlx::query_scalar("SELECT sqlite_version()").fetch_one(&mut connection).await?;
    let journal: String = sqlx::query_scalar("PRAGMA journal_mode").fetch_one(&mut connection).await?;
    connection.close().await?;
    // `synchronous` is a setting of each connection, and a store lends nobody its own.
    let settings = BTreeMap::from([
        ("journal_mode".to_owned(), journal),
        ("synchronous".to_owned(), "full, as the store asks for; not read back".to_owned()),
    ]);
    held("SQLite", &settings, &[("journal_mode", "wal")])?;
    Ok(Server { name: "sqlite".to_owned(), version, origin: "in process".to_owned(), settings })
}

async fn redis(redis: &Redis) -> Result<Server> {
    let origin = redis.origin().name().to_owned();
    // The client that asks cannot do TLS.
    if redis.url().starts_with("rediss:") {
        let settings = BTreeMap::from([("settings".to_owned(), "not read over TLS".to_owned())]);
        return Ok(Server { name: "redis".to_owned(), version: "not told".to_owned(), origin, settings });
    }
    let told = Told::ask(redis.url()).await?;
    let settings = told.all();
    if redis.origin() == Origin::Started {
        held("the study's Redis", &settings, &PRIVATE_REDIS)?;
    }
    let version = told.version.unwrap_or_else(|| "not told".to_owned());
    Ok(Server { name: "redis".to_owned(), version, origin, settings })
}

async fn postgres(lab: &Lab, server: &Postgres) -> Result<Server> {
    let mut connection = server.connect().await?;
    let mut settings = BTreeMap::new();
    for name in ["fsync", "synchronous_commit", "full_page_writes", "shared_buffers", "wal_level", "max_connections"] {
        let setting = sqlx::query_scalar("SELECT current_setting($1)").bind(name).fetch_one(&mut connection).await?;
        settings.insert(name.to_owned(), setting);
    }
    let version: String = sqlx::query_scalar("SHOW server_version").fetch_one(&mut connection).await?;
    let [logged, unlogged] = server.persistence(&mut connection).await?;
    connection.close().await?;
    settings.insert("relpersistence".to_owned(), logged);
    settings.insert("relpersistence of postgres-unlogged".to_owned(), unlogged);
    held("PostgreSQL", &settings, &[("relpersistence", "p"), ("relpersistence of postgres-unlogged", "u")])?;
    if server.origin() == Origin::Started {
        held("the study's PostgreSQL", &settings, &PRIVATE_POSTGRES)?;
    }
    if lab.has(Backend::PostgresAsync) {
        const NAME: &str = "synchronous_commit of postgres-async";
        let mut connection = server.connect_async().await?;
        let commit: String = sqlx::query_scalar("SHOW synchronous_commit").fetch_one(&mut connection).await?;
        connection.close().await?;
        settings.insert(NAME.to_owned(), commit);
        held("PostgreSQL", &settings, &[(NAME, "off")])?;
    }
    let version = version.split(' ').next().unwrap_or_default().to_owned();
    Ok(Server { name: "postgres".to_owned(), version, origin: server.origin().name().to_owned(), settings })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_of_moka_is_the_one_that_is_built_in() {
        let lock = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../Cargo.lock")).unwrap();
        let (_, after) = lock.split_once("name = \"moka\"\nversion = \"").unwrap();
        assert!(after.starts_with(&format!("{MOKA}.")), "{}", &after[..20]);
    }

    #[test]
    fn what_changed_between_two_looks_is_named() {
        let server = |settings: &[(&str, &str)]| Server {
            name: "redis".into(),
            version: "7.0.15".into(),
            origin: "given".into(),
            settings: settings.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        };
        let before = [server(&[("appendonly", "no"), ("save", "")])];
        assert_eq!(changes(&before, &before), Vec::<String>::new());
        let after = [server(&[("appendonly", "yes"), ("maxmemory", "0")])];
        assert_eq!(
            changes(&before, &after),
            [
                "appendonly of redis was \"no\" and is \"yes\"",
                "save of redis was \"\" and is not there",
                "maxmemory of redis was not there and is \"0\"",
            ]
        );
    }

    #[test]
    fn a_setting_that_is_not_as_planned_voids() {
        let settings = BTreeMap::from([("fsync".to_owned(), "off".to_owned())]);
        let void = held("PostgreSQL", &settings, &PRIVATE_POSTGRES).unwrap_err().to_string();
        assert_eq!(void, "fsync of PostgreSQL is \"off\" instead of \"on\"; what was measured is void");
    }
}
