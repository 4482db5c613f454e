//! What a Redis tells about itself, asked over a connection of its own.

use std::collections::BTreeMap;

use hallway::StoreUrl;
use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, RedisResult};

use super::{LONG_PATIENCE, slow};
use crate::Result;

/// What a Redis tells about itself, as far as it does.
#[derive(Debug, Default)]
pub(in crate::lab) struct Told {
    pub(in crate::lab) version: Option<String>,
    pub(super) run_id: Option<String>,
    /// By the names of `CONFIG GET`.
    pub(in crate::lab) settings: BTreeMap<&'static str, String>,
}

impl Told {
    /// Settings that decide what an operation costs.
    const SETTINGS: [&str; 6] = ["appendonly", "appendfsync", "save", "maxmemory", "maxmemory-policy", "io-threads"];

    /// Asks. That it tells nothing is an answer too: a hosted one may refuse `INFO` as well as `CONFIG`.
    ///
    /// # Errors
    /// If it does not answer.
    pub(in crate::lab) async fn ask(url: &str) -> Result<Self> {
        let mut connection = connect(url).await?;
        let mut told = Self::default();
        let info: RedisResult<String> = redis::cmd("INFO").query_async(&mut connection).await;
        let info = refused(info)?.unwrap_or_default();
        let line = |name: &str| {
            let found = info.lines().find_map(|line| line.trim().strip_prefix(name)?.strip_prefix(':'));
            found.map(str::to_owned)
        };
        (told.version, told.run_id) = (line("redis_version"), line("run_id"));
        for name in Self::SETTINGS {
            let answer: RedisResult<Vec<String>> =
                redis::cmd("CONFIG").arg("GET").arg(name).query_async(&mut connection).await;
            let answer = refused(answer)?.and_then(|pair| pair.into_iter().nth(1));
            if let Some(value) = answer.or_else(|| line(&name.replace('-', "_"))) {
                told.settings.insert(name, value);
            }
        }
        Ok(told)
    }

    /// The bytes at which its memory ends, 0 for never, and what it does then.
    pub(super) fn bounds(&self) -> Option<(u64, &str)> {
        let bytes = self.settings.get("maxmemory")?.parse().ok()?;
        Some((bytes, self.settings.get("maxmemory-policy")?))
    }

    pub(in crate::lab) fn setting(&self, name: &str) -> String {
        self.settings.get(name).cloned().unwrap_or_else(|| "not told".to_owned())
    }

    pub(in crate::lab) fn all(&self) -> BTreeMap<String, String> {
        Self::SETTINGS.iter().map(|name| ((*name).to_owned(), self.setting(name))).collect()
    }
}

/// `None` where the server answered that it will not; a connection that broke is a failure.
fn refused<T>(answer: RedisResult<T>) -> Result<Option<T>> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(error) if error.is_connection_dropped() || error.is_timeout() || error.is_io_error() => Err(error.into()),
        Err(_) => Ok(None),
    }
}

pub(super) async fn connect(url: &str) -> Result<MultiplexedConnection> {
    if url.starts_with("rediss:") {
        return Err("settings are not read over TLS".into());
    }
    // Options of ours are not for it, but for the login behind a socket.
    let mut options = StoreUrl::parse(url)?;
    let mut plain = options.as_url().clone();
    plain.set_query(None);
    if plain.scheme() == "redis+unix" {
        for (name, theirs) in [("user", "user"), ("password", "pass"), ("db", "db")] {
            if let Some(value) = options.take(name) {
                plain.query_pairs_mut().append_pair(theirs, &value);
            }
        }
    }
    // Its errors may quote the URL.
    let client =
        Client::open(plain.as_str()).map_err(|_| "this URL of Redis is not one that settings can be read from")?;
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(LONG_PATIENCE))
        .set_response_timeout(Some(LONG_PATIENCE));
    let connecting = client.get_multiplexed_async_connection_with_config(&config);
    tokio::time::timeout(LONG_PATIENCE, connecting).await.map_err(|_| slow("connecting to Redis"))?.map_err(Into::into)
}
