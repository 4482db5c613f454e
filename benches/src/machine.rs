//! Where numbers were measured; without this line they mean nothing.

use std::fs;
use std::time::SystemTime;

use hallway_study::lab::processor;
use serde::{Deserialize, Serialize};

use crate::{Result, Stage};

/// Where, when and how numbers were measured: what every file of raw results says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// The line of [`describe`].
    pub machine: String,
    /// When the last number was there, RFC 3339.
    pub date: String,
    /// What to type to measure it again.
    pub command: String,
}

impl Origin {
    /// The origin of what this process measured. `command` is what people type to start it, without arguments.
    ///
    /// # Errors
    /// If the embedded SQLite does not answer.
    pub async fn here(stage: &Stage, command: &str) -> Result<Self> {
        Ok(Self {
            machine: describe(stage).await?,
            date: humantime::format_rfc3339_seconds(SystemTime::now()).to_string(),
            command: typed(command, std::env::args().skip(1)),
        })
    }
}

/// The command with the arguments that somebody typed; others were added by whatever started this program.
fn typed(command: &str, args: impl Iterator<Item = String>) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_=./:,@".contains(c);
    let quoted = |arg: String| if arg.chars().all(is_plain) { arg } else { format!("'{arg}'") };
    let args = args.filter(|arg| arg != "--may-be-none" && arg != "--bench").map(quoted);
    std::iter::once(command.to_owned()).chain(args).collect::<Vec<_>>().join(" ")
}

/// Processor, cores, kernel, load, whether cores stay awake, and the servers with the settings that decide what a write costs.
///
/// # Errors
/// If the embedded SQLite does not answer.
pub async fn describe(stage: &Stage) -> Result<String> {
    let mut parts = vec![
        processor(),
        format!("{} cores", std::thread::available_parallelism().map_or(1, usize::from)),
        format!("Linux {}", read("/proc/sys/kernel/osrelease")),
        format!("load {}", read("/proc/loadavg").split(' ').next().unwrap_or_default()),
        stage.asleep().map_or("cores kept awake".into(), |why| format!("cores not kept awake ({why})")),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_can_be_typed_again() {
        let args = ["--json", "--may-be-none", "--only", "^redis/get/"].map(str::to_owned);
        assert_eq!(typed("cargo xtask ratios", args.into_iter()), "cargo xtask ratios --json --only '^redis/get/'");
        assert_eq!(
            typed("cargo bench --", ["--json", "--bench"].map(str::to_owned).into_iter()),
            "cargo bench -- --json"
        );
    }
}
