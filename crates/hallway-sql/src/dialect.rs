//! Statements as data: every dialect fills the same table of them, and one file runs them.

#[cfg(feature = "postgres")]
pub(crate) mod postgres;
#[cfg(feature = "sqlite")]
pub(crate) mod sqlite;

use hallway_core::MAX_KEY_BYTES;
use sqlx::{AssertSqlSafe, SqlSafeStr, SqlStr};

use crate::table::{Table, VERSIONS};

/// The newest schema version this code knows: one per file in `migrations/`.
pub(crate) const SCHEMA_VERSION: i64 = 2;

/// What a statement does. The keyed ones work on any number of distinct keys at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Verb {
    DeleteAlways,
    DeleteEquals,
    Get,
    Increment,
    Pending,
    Scan,
    SetAbsent,
    SetAlways,
    SetEquals,
    SetPresent,
    Settle,
    Sweep,
    Take,
    Time,
    Touch,
}

impl Verb {
    pub(crate) const COUNT: usize = 15;

    /// Whether a call that fails half-way may have changed something.
    pub(crate) fn writes(self) -> bool {
        !matches!(self, Self::Get | Self::Pending | Self::Scan | Self::Time)
    }

    /// Whether its answer holds values, of any size up to the store's limit.
    pub(crate) fn brings_values(self) -> bool {
        matches!(self, Self::Get | Self::Take)
    }

    /// Whether calls of several callers may share a statement.
    pub(crate) fn coalesces(self) -> bool {
        !matches!(self, Self::Pending | Self::Scan | Self::Settle | Self::Sweep | Self::Time)
    }

    /// Whether it changes keys that a caller names, and so may owe invalidations.
    pub(crate) fn changes_keys(self) -> bool {
        self.writes() && !matches!(self, Self::Settle | Self::Sweep)
    }
}

/// What is bound to a statement, in its order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Param {
    /// All keys: an array, or JSON text.
    Keys,
    /// All values.
    #[cfg_attr(not(feature = "postgres"), expect(dead_code, reason = "SQLite packs rows into JSON and one blob"))]
    Values,
    /// All times to live in microseconds, -1 for forever.
    #[cfg_attr(not(feature = "postgres"), expect(dead_code, reason = "SQLite packs rows into JSON and one blob"))]
    Lives,
    /// All values to compare with.
    #[cfg_attr(not(feature = "postgres"), expect(dead_code, reason = "SQLite packs rows into JSON and one blob"))]
    Expected,
    /// JSON rows `[key, life, value offset, value length, expected offset, expected length]` into the blob.
    #[cfg_attr(not(feature = "sqlite"), expect(dead_code, reason = "PostgreSQL binds arrays"))]
    Rows,
    /// All values and expected values end to end.
    #[cfg_attr(not(feature = "sqlite"), expect(dead_code, reason = "PostgreSQL binds arrays"))]
    Blob,
    /// When the statement must have begun, on the database's clock.
    #[cfg_attr(not(feature = "postgres"), expect(dead_code, reason = "nothing lies between us and SQLite"))]
    Latest,
    /// The largest value to hand out.
    Cap,
    /// Keys above this.
    From,
    /// Keys below this.
    Until,
    /// At most so many.
    Limit,
    /// 1 to see expired entries as well.
    Expired,
    /// Rows of the outbox: an array, or JSON.
    Ids,
}

/// A statement and what it takes. Its rows are: key, bytes, number, number; trailing ones may be missing.
#[derive(Debug, Clone)]
pub(crate) struct Statement {
    pub(crate) sql: SqlStr,
    pub(crate) params: &'static [Param],
    /// What is run before it, in one transaction with it.
    #[cfg_attr(not(feature = "sqlite"), expect(dead_code, reason = "PostgreSQL does it in one statement"))]
    pub(crate) first: Option<Box<Statement>>,
}

/// A dialect's texts, with `{table}`, `{now}` and the like to be filled in.
pub(crate) struct Dialect {
    pub(crate) name: &'static str,
    pub(crate) now: &'static str,
    /// Fails a statement that begins too late.
    pub(crate) in_time: &'static str,
    pub(crate) statement: fn(Verb) -> (&'static str, &'static [Param]),
    /// What a statement that changes keys begins with to write an outbox row for each of them as well; without it, it
    /// takes `owe` and a transaction.
    pub(crate) enlist: Option<&'static str>,
    /// Writes outbox rows for the keys in its parameter, a JSON array.
    pub(crate) owe: &'static str,
    pub(crate) migrations: &'static [&'static str],
    /// Creates the table of versions.
    pub(crate) versions: &'static str,
    /// One row with a number: how many tables of versions there are.
    pub(crate) has_versions: &'static str,
    /// Starts the transaction in which only one instance migrates.
    pub(crate) begin: &'static str,
}

/// All statements of one store, rendered once.
#[derive(Debug)]
pub(crate) struct Statements {
    plain: Vec<Statement>,
    /// Those that also write to the outbox.
    enlisted: Vec<Statement>,
}

impl Statements {
    pub(crate) fn get(&self, verb: Verb, enlisted: bool) -> &Statement {
        if enlisted { &self.enlisted[verb as usize] } else { &self.plain[verb as usize] }
    }
}

impl Dialect {
    pub(crate) fn statements(&self, table: &Table) -> Statements {
        const ALL: [Verb; Verb::COUNT] = [
            Verb::DeleteAlways,
            Verb::DeleteEquals,
            Verb::Get,
            Verb::Increment,
            Verb::Pending,
            Verb::Scan,
            Verb::SetAbsent,
            Verb::SetAlways,
            Verb::SetEquals,
            Verb::SetPresent,
            Verb::Settle,
            Verb::Sweep,
            Verb::Take,
            Verb::Time,
            Verb::Touch,
        ];
        let plain = |verb: &Verb| {
            let (text, params) = (self.statement)(*verb);
            Statement { sql: self.render(text, table), params, first: None }
        };
        let enlisted = |verb: &Verb| match self.enlist {
            _ if !verb.changes_keys() => plain(verb),
            Some(begin) => {
                let (text, params) = (self.statement)(*verb);
                Statement { sql: self.render(&format!("{begin} {text}"), table), params, first: None }
            }
            None => {
                let owe = Statement { sql: self.render(self.owe, table), params: &[Param::Keys], first: None };
                Statement { first: Some(Box::new(owe)), ..plain(verb) }
            }
        };
        Statements { plain: ALL.iter().map(plain).collect(), enlisted: ALL.iter().map(enlisted).collect() }
    }

    /// Where text is put into a statement: constants of this crate and a checked table name, and nothing else.
    pub(crate) fn render(&self, text: &str, table: &Table) -> SqlStr {
        let live = "({t}expires_at IS NULL OR {t}expires_at > {now})";
        let text = text
            .replace("{live}", &live.replace("{t}", ""))
            .replace("{live:t}", &live.replace("{t}", "t."))
            .replace("{in_time}", self.in_time)
            .replace("{now}", self.now)
            .replace("{versions}", VERSIONS)
            .replace("{version}", &SCHEMA_VERSION.to_string())
            .replace("{name}", table.name())
            .replace("{index}", &table.index())
            .replace("{outbox}", &format!("\"{}\"", table.outbox()))
            .replace("{longest}", &MAX_KEY_BYTES.to_string())
            .replace("{table}", &table.quoted());
        AssertSqlSafe(text).into_sql_str()
    }

    /// Everything needed to make the table by hand.
    pub(crate) fn schema_sql(&self, table: &Table) -> String {
        let mut sql = String::new();
        let texts = [self.versions].into_iter().chain(self.migrations.iter().copied()).chain([NOTE_VERSION]);
        for text in texts {
            sql.push_str(self.render(text, table).as_str().trim_end());
            sql.push('\n');
        }
        sql
    }
}

/// Starts a transaction whose statements, and the pauses between them, the server ends after so many milliseconds.
#[cfg(feature = "postgres")]
pub(crate) fn begin_limited(millis: u64) -> SqlStr {
    AssertSqlSafe(format!(
        "BEGIN; SET LOCAL statement_timeout = {millis}; SET LOCAL idle_in_transaction_session_timeout = {millis}"
    ))
    .into_sql_str()
}

/// Which version the table has.
pub(crate) const READ_VERSION: &str = "SELECT NULL, NULL, version FROM {versions} WHERE store = '{name}'";

/// Notes that the table has the newest version.
pub(crate) const NOTE_VERSION: &str = "INSERT INTO {versions} (store, version) VALUES ('{name}', {version}) \
     ON CONFLICT (store) DO UPDATE SET version = excluded.version;";
