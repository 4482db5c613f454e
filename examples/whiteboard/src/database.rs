//! The application's own database: SQLite, with a query that takes its time on purpose.

use std::path::Path;
use std::time::Duration;

use hallway::{Error, ErrorKind};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePool, SqlitePoolOptions, SqliteRow};
use sqlx::{Row as _, query};
use tempfile::TempDir;

use crate::profile::{Pen, Profile};

const TABLE: &str = "CREATE TABLE IF NOT EXISTS profile (
    id TEXT PRIMARY KEY, name TEXT NOT NULL, role TEXT NOT NULL, pen TEXT NOT NULL, note TEXT NOT NULL,
    revision INTEGER NOT NULL
) STRICT";

/// Who is there at first. Nobody is asked again who is there already.
const FIRST: [(&str, &str, &str, &str, &str); 3] = [
    ("ada", "Ada", "Engine notes", "blue", "Check the loop on card 25 before the demo."),
    ("grace", "Grace", "Compilers and moths", "coral", "Nanoseconds are in the top drawer.\nTake one."),
    ("katherine", "Katherine", "Trajectories", "green", "Numbers checked by hand. Go."),
];

/// The profiles.
#[derive(Debug, Clone)]
pub(crate) struct Database {
    pool: SqlitePool,
    delay: Duration,
    /// Removed with the last handle, where the file was nobody's choice.
    _folder: Option<std::sync::Arc<TempDir>>,
}

/// How a change has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Saved {
    /// Somebody else was faster, or there is no such profile.
    Outdated,
    Written,
}

impl Database {
    /// Opens the file, or one of its own in a temporary folder, and makes the table and its first rows.
    ///
    /// # Errors
    /// `InvalidConfig` if the file cannot be opened.
    pub(crate) async fn open(file: Option<&Path>, delay: Duration) -> Result<Self, Error> {
        let cannot = |error: Box<dyn std::error::Error + Send + Sync>| {
            Error::invalid_config(
                "cannot open the database of the profiles; name a file that can be written with --database",
            )
            .with_shared_source(error.into())
        };
        let folder = match file {
            Some(_) => None,
            None => Some(TempDir::with_prefix("whiteboard-").map_err(|error| cannot(error.into()))?),
        };
        let file = match (&folder, file) {
            (Some(folder), _) => folder.path().join("whiteboard.db"),
            (None, file) => file.unwrap_or(Path::new("whiteboard.db")).to_owned(),
        };
        let options = SqliteConnectOptions::new()
            .filename(file)
            .create_if_missing(true)
            .journal_mode(SqliteJournalMode::Wal)
            .busy_timeout(Duration::from_secs(5));
        let pool = SqlitePoolOptions::new()
            .max_connections(4)
            .acquire_timeout(Duration::from_secs(5))
            .connect_with(options)
            .await
            .map_err(|error| cannot(error.into()))?;
        let database = Self { pool, delay, _folder: folder.map(Into::into) };
        database.fill().await.map_err(|error| cannot(error.into()))?;
        Ok(database)
    }

    async fn fill(&self) -> Result<(), sqlx::Error> {
        query(TABLE).execute(&self.pool).await?;
        for (id, name, role, pen, note) in FIRST {
            query("INSERT INTO profile VALUES (?, ?, ?, ?, ?, 1) ON CONFLICT (id) DO NOTHING")
                .bind(id)
                .bind(name)
                .bind(role)
                .bind(pen)
                .bind(note)
                .execute(&self.pool)
                .await?;
        }
        Ok(())
    }

    /// How long a query is made to take.
    pub(crate) fn delay(&self) -> Duration {
        self.delay
    }

    /// The slow query.
    ///
    /// # Errors
    /// `Unavailable` if the database gives no answer, `Corrupt` if it holds what no profile can be.
    pub(crate) async fn profile(&self, id: &str) -> Result<Option<Profile>, Error> {
        // Stands for the joins and the distance of a real one.
        tokio::time::sleep(self.delay).await;
        let row = query("SELECT name, role, pen, note, revision FROM profile WHERE id = ?")
            .bind(id)
            .fetch_optional(&self.pool)
            .await
            .map_err(unavailable)?;
        row.map(|row| read(&row)).transpose()
    }

    /// Replaces the profile that has the revision which the writer has seen.
    ///
    /// # Errors
    /// `Indeterminate` if the database gives no answer: it may have been written. `Unavailable` if it could not be asked.
    pub(crate) async fn save(&self, id: &str, profile: &Profile) -> Result<Saved, Error> {
        let done = query(
            "UPDATE profile SET name = ?, role = ?, pen = ?, note = ?, revision = revision + 1 WHERE id = ? AND revision = ?",
        )
        .bind(&profile.name)
        .bind(&profile.role)
        .bind(profile.pen.word())
        .bind(&profile.note)
        .bind(id)
        .bind(profile.revision)
        .execute(&self.pool)
        .await
        .map_err(|error| match error {
            // No connection was had, so nothing was sent.
            sqlx::Error::PoolTimedOut | sqlx::Error::PoolClosed => unavailable(error),
            error => Error::new(ErrorKind::Indeterminate, "the database gave no answer").with_source(error),
        })?;
        Ok(if done.rows_affected() == 1 { Saved::Written } else { Saved::Outdated })
    }

    /// Waits for running queries and closes the file.
    pub(crate) async fn close(&self) {
        self.pool.close().await;
    }
}

fn read(row: &SqliteRow) -> Result<Profile, Error> {
    let pen: String = row.try_get("pen").map_err(unavailable)?;
    Ok(Profile {
        name: row.try_get("name").map_err(unavailable)?,
        role: row.try_get("role").map_err(unavailable)?,
        pen: Pen::parse(&pen).ok_or_else(|| Error::new(ErrorKind::Corrupt, "a profile has a pen that is none"))?,
        note: row.try_get("note").map_err(unavailable)?,
        revision: row.try_get("revision").map_err(unavailable)?,
    })
}

fn unavailable(error: sqlx::Error) -> Error {
    Error::new(ErrorKind::Unavailable, "the database gave no answer").with_source(error)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_who_has_seen_the_last_revision_replaces_it() {
        let database = Database::open(None, Duration::ZERO).await.unwrap();
        let seen = database.profile("ada").await.unwrap().unwrap();
        let new = Profile { name: "Countess".into(), ..seen.clone() };
        assert_eq!(database.save("ada", &new).await.unwrap(), Saved::Written);
        assert_eq!(database.save("ada", &seen).await.unwrap(), Saved::Outdated);
        let found = database.profile("ada").await.unwrap().unwrap();
        assert_eq!((found.name.as_str(), found.revision), ("Countess", seen.revision + 1));
        assert_eq!(database.save("nobody", &seen).await.unwrap(), Saved::Outdated);
        assert!(database.profile("nobody").await.unwrap().is_none());
    }

    #[tokio::test]
    async fn what_was_never_sent_was_not_written() {
        let database = Database::open(None, Duration::ZERO).await.unwrap();
        let seen = database.profile("ada").await.unwrap().unwrap();
        query("DROP TABLE profile").execute(&database.pool).await.unwrap();
        assert_eq!(database.save("ada", &seen).await.unwrap_err().kind(), ErrorKind::Indeterminate);
        database.close().await;
        assert_eq!(database.save("ada", &seen).await.unwrap_err().kind(), ErrorKind::Unavailable);
    }

    #[tokio::test]
    async fn what_is_there_stays_when_it_is_opened_again() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("profiles.db");
        let first = Database::open(Some(&file), Duration::ZERO).await.unwrap();
        let seen = first.profile("grace").await.unwrap().unwrap();
        first.save("grace", &Profile { note: "moved".into(), ..seen }).await.unwrap();
        let second = Database::open(Some(&file), Duration::ZERO).await.unwrap();
        assert_eq!(second.profile("grace").await.unwrap().unwrap().note, "moved");
    }

    #[tokio::test]
    async fn a_file_that_cannot_be_opened_is_bad_configuration() {
        let folder = tempfile::tempdir().unwrap();
        let error = Database::open(Some(folder.path()), Duration::ZERO).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidConfig);
        assert!(error.to_string().contains("--database"), "{error}");
    }
}
