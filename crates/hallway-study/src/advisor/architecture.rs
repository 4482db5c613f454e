//! Where state can live: the choices there are.

use serde::{Deserialize, Serialize};

use super::workload::{Database, Purpose, Service, Workload};

/// A way to place state in tiers. L1 is in the process, L2 is Redis, the database is the truth.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Architecture {
    /// A map in the process and nothing else.
    Local,
    /// A file of SQLite beside the process.
    Sqlite,
    /// The database in every call.
    Database,
    /// Local copies of the database: ended by a TTL, or by the process's own writes where there is one instance.
    LocalDatabase,
    /// Local copies of the database, ended by a bus alone.
    LocalBusDatabase,
    /// Copies of the database in Redis.
    SharedDatabase,
    /// Local copies that end by a TTL, before copies in Redis.
    LocalTtlSharedDatabase,
    /// Local copies that end by invalidations, before copies in Redis.
    LocalBusSharedDatabase,
    /// Redis in every call, and nothing behind it.
    Redis,
    /// Local copies of Redis that end by invalidations.
    LocalRedis,
    /// Copies in a table of PostgreSQL that it does not log.
    UnloggedDatabase,
}

impl Architecture {
    /// All of them, the simplest first.
    pub const ALL: [Self; 11] = [
        Self::Local,
        Self::Sqlite,
        Self::Database,
        Self::LocalDatabase,
        Self::Redis,
        Self::UnloggedDatabase,
        Self::SharedDatabase,
        Self::LocalRedis,
        Self::LocalBusDatabase,
        Self::LocalTtlSharedDatabase,
        Self::LocalBusSharedDatabase,
    ];

    /// Whether a copy in the process may answer.
    pub fn has_local_copies(self) -> bool {
        matches!(
            self,
            Self::LocalDatabase
                | Self::LocalBusDatabase
                | Self::LocalTtlSharedDatabase
                | Self::LocalBusSharedDatabase
                | Self::LocalRedis
        )
    }

    /// Whether Redis tells processes of writes.
    pub fn has_bus(self) -> bool {
        matches!(self, Self::LocalBusDatabase | Self::LocalBusSharedDatabase | Self::LocalRedis)
    }

    /// Whether each process takes in the writes of all: hallway's link to Redis tells of them wherever there are local
    /// copies, also where a TTL ends these sooner.
    pub(super) fn hears_of_writes(self) -> bool {
        self.has_bus() || self == Self::LocalTtlSharedDatabase
    }

    /// Whether it needs Redis.
    pub fn has_redis(self) -> bool {
        matches!(self, Self::SharedDatabase | Self::LocalTtlSharedDatabase | Self::Redis) || self.has_bus()
    }

    /// Whether the truth is in the database.
    pub fn has_database(self) -> bool {
        !matches!(self, Self::Local | Self::Sqlite | Self::Redis | Self::LocalRedis)
    }

    /// Whether anything but the truth may answer.
    pub fn has_copies(self) -> bool {
        self.has_local_copies() || matches!(self, Self::SharedDatabase | Self::UnloggedDatabase)
    }

    /// What has to be run and looked after: services that do not run yet first, then tiers and the bus between them.
    pub(super) fn moving_parts(self, workload: &Workload) -> (u32, u32) {
        let new = |needed: bool, service| u32::from(needed && !workload.running.contains(&service));
        // A cache has its database by definition; which one that is, only who asks can say.
        let needs_database = match workload.purpose {
            Purpose::Cache => self == Self::UnloggedDatabase,
            Purpose::Session | Purpose::State => self.has_database(),
        };
        let services = new(self.has_redis(), Service::Redis) + new(needs_database, Service::Postgres);
        let tiers = u32::from(self.has_local_copies() || self == Self::Local)
            + u32::from(self.has_redis())
            + u32::from(self.has_database() || self == Self::Sqlite)
            + u32::from(self == Self::UnloggedDatabase);
        (services, tiers + u32::from(self.hears_of_writes()))
    }

    /// Its name with the stores that it stands for here.
    pub fn name(self, workload: &Workload) -> String {
        let database = workload.database();
        let sql = database.name();
        let bare = match self {
            Self::Local => "moka".to_owned(),
            Self::Sqlite => "SQLite".to_owned(),
            Self::Database => match (workload.purpose, database) {
                (Purpose::Cache, _) => format!("{sql} directly"),
                _ => sql.to_owned(),
            },
            Self::LocalDatabase => format!("L1 moka + {sql}"),
            Self::LocalBusDatabase => format!("L1 moka + bus + {sql}"),
            Self::SharedDatabase => format!("L2 Redis + {sql}"),
            Self::LocalTtlSharedDatabase => format!("L1 moka (TTL) + L2 Redis + {sql}"),
            Self::LocalBusSharedDatabase => format!("L1 moka (invalidated) + L2 Redis + {sql}"),
            Self::Redis => "Redis".to_owned(),
            Self::LocalRedis => "L1 moka (invalidated) + Redis".to_owned(),
            Self::UnloggedDatabase => match database {
                Database::Unnamed => "UNLOGGED table of PostgreSQL + SQL".to_owned(),
                _ => format!("UNLOGGED table + {sql}"),
            },
        };
        if workload.purpose == Purpose::Session { format!("{bare} sessions") } else { bare }
    }
}
