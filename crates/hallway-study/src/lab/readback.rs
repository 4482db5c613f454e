//! Settings that decide what an operation costs, read back from the stores themselves.

use std::collections::BTreeMap;

use sqlx::Connection as _;

use super::{Backend, Lab};
use crate::Result;
use crate::report::Server;

pub(super) async fn servers(lab: &Lab) -> Result<Vec<Server>> {
    let mut servers = vec![moka(), sqlite(lab).await?];
    if let Some(redis) = lab.redis() {
        servers.push(self::redis(redis.url(), redis.origin().name()).await?);
    }
    if lab.postgres().is_some() {
        servers.push(postgres(lab).await?);
    }
    Ok(servers)
}

fn moka() -> Server {
    Server {
        name: "moka".to_owned(),
        version: "0.12".to_owned(),
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
    if !journal.eq_ignore_ascii_case("wal") {
        return Err(format!("SQLite's journal mode is {journal} instead of WAL; what was measured is void").into());
    }
    // `synchronous` is a setting of each connection, and ours is not the store's, which sets FULL unless its URL says
    // otherwise.
    let settings = BTreeMap::from([
        ("journal_mode".to_owned(), journal),
        ("synchronous".to_owned(), "full, as the store sets on its connections".to_owned()),
    ]);
    Ok(Server { name: "sqlite".to_owned(), version, origin: "in process".to_owned(), settings })
}

async fn redis(url: &str, origin: &str) -> Result<Server> {
    // A client of its own: a store has no way to ask for settings. It cannot do TLS.
    if !url.starts_with("redis://") {
        let settings = BTreeMap::from([("settings".to_owned(), "not read over TLS".to_owned())]);
        return Ok(Server {
            name: "redis".to_owned(),
            version: "unknown".to_owned(),
            origin: origin.to_owned(),
            settings,
        });
    }
    let plain = url.split('?').next().unwrap_or(url);
    let client =
        redis::Client::open(plain).map_err(|_| "this URL of Redis is not one that its settings can be read from")?;
    let mut connection = client.get_multiplexed_async_connection().await?;
    let info: String = redis::cmd("INFO").arg("server").query_async(&mut connection).await?;
    let version =
        info.lines().find_map(|line| line.trim().strip_prefix("redis_version:")).unwrap_or("unknown").to_owned();
    let mut settings = BTreeMap::new();
    for name in ["appendonly", "appendfsync", "save", "maxmemory", "maxmemory-policy", "io-threads"] {
        let answer: redis::RedisResult<Vec<String>> =
            redis::cmd("CONFIG").arg("GET").arg(name).query_async(&mut connection).await;
        // A hosted Redis may refuse CONFIG.
        let value = answer.ok().and_then(|pair| pair.into_iter().nth(1)).unwrap_or_else(|| "not told".to_owned());
        settings.insert(name.to_owned(), value);
    }
    Ok(Server { name: "redis".to_owned(), version, origin: origin.to_owned(), settings })
}

async fn postgres(lab: &Lab) -> Result<Server> {
    let server = lab.postgres().ok_or("there is no PostgreSQL")?;
    let mut connection = server.connect().await?;
    let mut settings = BTreeMap::new();
    for name in ["fsync", "synchronous_commit", "full_page_writes", "shared_buffers", "wal_level", "max_connections"] {
        let setting = sqlx::query_scalar("SELECT current_setting($1)").bind(name).fetch_one(&mut connection).await?;
        settings.insert(name.to_owned(), setting);
    }
    let version: String = sqlx::query_scalar("SHOW server_version").fetch_one(&mut connection).await?;
    connection.close().await?;
    if lab.has(Backend::PostgresAsync) {
        let mut connection = server.connect_async().await?;
        let commit: String = sqlx::query_scalar("SHOW synchronous_commit").fetch_one(&mut connection).await?;
        connection.close().await?;
        if commit != "off" {
            return Err(format!("synchronous_commit of postgres-async is {commit} instead of off; it is void").into());
        }
    }
    let version = version.split(' ').next().unwrap_or_default().to_owned();
    Ok(Server { name: "postgres".to_owned(), version, origin: server.origin().name().to_owned(), settings })
}
