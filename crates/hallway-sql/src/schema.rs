//! The table: who makes it, who only checks it.

use std::str::FromStr;
use std::time::Duration;

use hallway_core::{Error, ErrorKind, Result};

use crate::dialect::{Dialect, NOTE_VERSION, READ_VERSION, SCHEMA_VERSION};
use crate::failure::{Effect, Failure};
use crate::link::Link;
use crate::table::Table;

/// How long looking up the table's version may take. It waits for no lock but that of a migration's last moment.
const LOOK_LIMIT: Duration = Duration::from_secs(5);

/// What opening a store does about its table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Migrate {
    /// Nothing: the table is somebody else's business.
    Off,
    /// Makes or upgrades it. Safe when many instances open at once.
    #[default]
    Run,
    /// Checks that it is there in the right version.
    Verify,
}

impl FromStr for Migrate {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "off" => Ok(Self::Off),
            "run" => Ok(Self::Run),
            "verify" => Ok(Self::Verify),
            _ => Err(Error::invalid_config("option `migrate` needs run, verify or off")),
        }
    }
}

/// The statements that make the table `table` in `dialect` (`sqlite` or `postgres`), for people who run them by hand.
///
/// # Errors
/// `InvalidConfig` for a table name or dialect that does not exist; `MissingFeature` for a dialect that is not
/// compiled in.
pub fn schema_sql(dialect: &str, table: &str) -> Result<String> {
    let table = Table::new(table)?;
    match dialect {
        #[cfg(feature = "sqlite")]
        "sqlite" => Ok(crate::dialect::sqlite::SQLITE.schema_sql(&table)),
        #[cfg(feature = "postgres")]
        "postgres" | "postgresql" => Ok(crate::dialect::postgres::POSTGRES.schema_sql(&table)),
        #[cfg(not(feature = "sqlite"))]
        "sqlite" => Err(crate::config::missing("sqlite")),
        #[cfg(not(feature = "postgres"))]
        "postgres" | "postgresql" => Err(crate::config::missing("postgres")),
        _ => Err(Error::invalid_config("there is no such SQL dialect; use sqlite or postgres")),
    }
}

/// Brings the table to the newest version, or checks that it has it.
pub(crate) async fn migrate(
    link: &mut dyn Link,
    dialect: &Dialect,
    table: &Table,
    mode: Migrate,
) -> Result<(), Failure> {
    let found = tokio::time::timeout(LOOK_LIMIT, version(link, dialect, table)).await.unwrap_or_else(|_| {
        Err(Failure::new(
            ErrorKind::Unavailable,
            Effect::Drop,
            format!("the database did not tell the table's version within {LOOK_LIMIT:?}"),
        ))
    })?;
    if found > SCHEMA_VERSION {
        return Err(Failure::new(
            ErrorKind::InvalidConfig,
            Effect::Drop,
            "the table was made by a newer hallway; upgrade this one, or name another `table`",
        ));
    }
    if found == SCHEMA_VERSION {
        return Ok(());
    }
    if mode == Migrate::Verify {
        return Err(Failure::new(
            ErrorKind::InvalidConfig,
            Effect::Drop,
            format!(
                "the table is missing or old (schema version {found} of {SCHEMA_VERSION}); \
                 apply `hallway schema --print`, or open once with migrate=run"
            ),
        ));
    }
    // A failure in here drops the connection, and with it the transaction.
    link.script(dialect.render(dialect.begin, table)).await?;
    link.script(dialect.render(dialect.versions, table)).await?;
    // Somebody else may have done it while we waited for our turn.
    let found = version(link, dialect, table).await?;
    for migration in dialect.migrations.iter().skip(usize::try_from(found).unwrap_or(0)) {
        link.script(dialect.render(migration, table)).await?;
    }
    link.script(dialect.render(NOTE_VERSION, table)).await?;
    link.script(dialect.render("COMMIT", table)).await?;
    Ok(())
}

/// The table's version, 0 if it has none.
async fn version(link: &mut dyn Link, dialect: &Dialect, table: &Table) -> Result<i64, Failure> {
    let known = number(link.script(dialect.render(dialect.has_versions, table)).await?);
    if known == Some(0) {
        return Ok(0);
    }
    Ok(number(link.script(dialect.render(READ_VERSION, table)).await?).unwrap_or(0))
}

fn number(answer: crate::link::Answer) -> Option<i64> {
    answer.rows.first().and_then(|row| row.first)
}
