//! The backends that are compared, by name.

use std::fmt;
use std::str::FromStr;

/// A store, and the way it is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Backend {
    /// In this process, as bytes.
    MokaBytes,
    /// In this process, as shared values: a `Cache`.
    MokaTyped,
    /// PostgreSQL with its own settings.
    Postgres,
    /// PostgreSQL with `synchronous_commit = off`.
    PostgresAsync,
    /// PostgreSQL with a table that no log is written of.
    PostgresUnlogged,
    /// Redis over TCP.
    RedisTcp,
    /// Redis over a Unix socket.
    RedisUnix,
    /// A file of this machine, `synchronous = FULL`.
    Sqlite,
}

impl Backend {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::MokaBytes,
        Self::MokaTyped,
        Self::Postgres,
        Self::PostgresAsync,
        Self::PostgresUnlogged,
        Self::RedisTcp,
        Self::RedisUnix,
        Self::Sqlite,
    ];

    /// As it stands in reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::MokaBytes => "moka-bytes",
            Self::MokaTyped => "moka-typed",
            Self::Postgres => "postgres",
            Self::PostgresAsync => "postgres-async",
            Self::PostgresUnlogged => "postgres-unlogged",
            Self::RedisTcp => "redis-tcp",
            Self::RedisUnix => "redis-unix",
            Self::Sqlite => "sqlite",
        }
    }
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Backend {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = || Self::ALL.map(Self::name).join(", ");
        Self::ALL
            .into_iter()
            .find(|backend| backend.name() == text)
            .ok_or_else(|| format!("a backend is one of {}", known()))
    }
}
