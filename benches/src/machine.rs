//! Where numbers were measured; without this line they mean nothing.

use std::fs;

use hallway_study::lab::processor;

use crate::{Result, Stage};

/// Processor, cores, kernel, load, and the servers with the settings that decide what a write costs.
///
/// # Errors
/// If the embedded SQLite does not answer.
pub async fn describe(stage: &Stage) -> Result<String> {
    let mut parts = vec![
        processor(),
        format!("{} cores", std::thread::available_parallelism().map_or(1, usize::from)),
        format!("Linux {}", read("/proc/sys/kernel/osrelease")),
        format!("load {}", read("/proc/loadavg").split(' ').next().unwrap_or_default()),
        format!("SQLite {} (WAL, synchronous FULL)", sqlite_version().await?),
    ];
    if let Some(redis) = stage.redis() {
        let info = redis.cli(&["INFO", "server"]);
        let version = info.lines().find_map(|line| line.trim().strip_prefix("redis_version:"));
        let appendonly = redis.cli(&["CONFIG", "GET", "appendonly"]);
        let appendonly = appendonly.lines().last().unwrap_or_default().trim().to_owned();
        parts.push(format!("Redis {} (appendonly {appendonly})", version.unwrap_or("of unknown version")));
    }
    if let Some(postgres) = stage.postgres_if_started() {
        let show = |setting: &str| postgres.psql(&format!("SHOW {setting}")).trim().to_owned();
        let version = show("server_version");
        let version = version.split(' ').next().unwrap_or_default();
        let (fsync, commit) = (show("fsync"), show("synchronous_commit"));
        parts.push(format!("PostgreSQL {version} (fsync {fsync}, synchronous_commit {commit})"));
    }
    Ok(parts.join(", "))
}

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_default().trim().to_owned()
}

async fn sqlite_version() -> Result<String> {
    let pool = sqlx::SqlitePool::connect("sqlite::memory:").await?;
    Ok(sqlx::query_scalar("SELECT sqlite_version()").fetch_one(&pool).await?)
}
