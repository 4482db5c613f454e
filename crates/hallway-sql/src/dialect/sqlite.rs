//! SQLite's statements.
//!
//! Each is one statement and so one transaction that starts as a writer: a reader never has to be upgraded, and
//! `SQLITE_BUSY_SNAPSHOT` cannot happen. With an outbox row it is two, in a transaction that starts as a writer. Rows arrive as JSON, their bytes as one blob that JSON points into.

use super::{Dialect, Param, Verb};

pub(crate) static SQLITE: Dialect = Dialect {
    name: "sqlite",
    // Milliseconds are as fine as this clock gets. It stands still while a statement runs.
    now: "(CAST(round(unixepoch('subsec') * 1000) AS INTEGER) * 1000)",
    in_time: "true",
    statement,
    enlist: None,
    owe: "INSERT INTO {outbox} (key) SELECT value FROM json_each(?1)",
    migrations: &[
        include_str!("../../migrations/sqlite/0001_entries.sql"),
        include_str!("../../migrations/sqlite/0002_outbox.sql"),
    ],
    versions: "CREATE TABLE IF NOT EXISTS {versions} (store TEXT NOT NULL PRIMARY KEY, version INTEGER NOT NULL);",
    has_versions: "SELECT NULL, NULL, count(*) FROM sqlite_schema WHERE type = 'table' AND name = '{versions}'",
    begin: "BEGIN IMMEDIATE",
};

fn statement(verb: Verb) -> (&'static str, &'static [Param]) {
    use Param::{Blob, Cap, Expired, From, Ids, Keys, Limit, Rows, Until};
    match verb {
        // CROSS JOIN keeps the keys outside: one look-up in the table for each.
        Verb::Get => (
            "SELECT t.key, CASE WHEN length(t.value) <= ?2 THEN t.value END, t.expires_at - {now}, length(t.value) \
             FROM json_each(?1) AS k CROSS JOIN {table} AS t WHERE t.key = k.value AND {live:t}",
            &[Keys, Cap],
        ),
        // `WHERE true` tells the parser that ON belongs to the INSERT.
        Verb::SetAlways => (
            "INSERT INTO {table} (key, value, expires_at) \
             SELECT value ->> 0, substr(?2, value ->> 2, value ->> 3), \
                 CASE WHEN value ->> 1 >= 0 THEN {now} + (value ->> 1) END \
             FROM json_each(?1) WHERE true \
             ON CONFLICT (key) DO UPDATE SET value = excluded.value, expires_at = excluded.expires_at",
            &[Rows, Blob],
        ),
        Verb::SetAbsent => (
            "INSERT INTO {table} AS t (key, value, expires_at) \
             SELECT value ->> 0, substr(?2, value ->> 2, value ->> 3), \
                 CASE WHEN value ->> 1 >= 0 THEN {now} + (value ->> 1) END \
             FROM json_each(?1) WHERE true \
             ON CONFLICT (key) DO UPDATE SET value = excluded.value, expires_at = excluded.expires_at \
             WHERE NOT {live:t} RETURNING key",
            &[Rows, Blob],
        ),
        Verb::SetPresent => (
            "UPDATE {table} AS t SET value = substr(?2, u.value ->> 2, u.value ->> 3), \
                 expires_at = CASE WHEN u.value ->> 1 >= 0 THEN {now} + (u.value ->> 1) END \
             FROM json_each(?1) AS u WHERE t.key = u.value ->> 0 AND {live:t} RETURNING key",
            &[Rows, Blob],
        ),
        Verb::SetEquals => (
            "UPDATE {table} AS t SET value = substr(?2, u.value ->> 2, u.value ->> 3), \
                 expires_at = CASE WHEN u.value ->> 1 >= 0 THEN {now} + (u.value ->> 1) END \
             FROM json_each(?1) AS u WHERE t.key = u.value ->> 0 \
                 AND t.value = substr(?2, u.value ->> 4, u.value ->> 5) AND {live:t} RETURNING key",
            &[Rows, Blob],
        ),
        Verb::DeleteAlways => {
            ("DELETE FROM {table} WHERE key IN (SELECT value FROM json_each(?1)) RETURNING key, NULL, {live}", &[Keys])
        }
        Verb::DeleteEquals => (
            "DELETE FROM {table} WHERE (key, value) IN \
                 (SELECT value ->> 0, substr(?2, value ->> 4, value ->> 5) FROM json_each(?1)) \
             AND {live} RETURNING key, NULL, 1",
            &[Rows, Blob],
        ),
        Verb::Take => (
            "DELETE FROM {table} WHERE key IN (SELECT value FROM json_each(?1)) AND length(value) <= ?2 \
             RETURNING key, value, {live}",
            &[Keys, Cap],
        ),
        Verb::Touch => (
            "UPDATE {table} AS t SET \
                 expires_at = CASE WHEN u.value ->> 1 >= 0 THEN {now} + (u.value ->> 1) END \
             FROM json_each(?1) AS u WHERE t.key = u.value ->> 0 AND {live:t} RETURNING key",
            &[Rows],
        ),
        // Text that survives a cast to integer and back is canonical; a sum that does not fit turns real.
        Verb::Increment => (
            "INSERT INTO {table} AS t (key, value, expires_at) \
             SELECT value ->> 0, substr(?2, value ->> 2, value ->> 3), \
                 CASE WHEN value ->> 1 >= 0 THEN {now} + (value ->> 1) END \
             FROM json_each(?1) WHERE true \
             ON CONFLICT (key) DO UPDATE SET \
                 value = CASE WHEN {live:t} THEN CAST(CAST(CAST(CAST(t.value AS TEXT) AS INTEGER) \
                     + CAST(CAST(excluded.value AS TEXT) AS INTEGER) AS TEXT) AS BLOB) ELSE excluded.value END, \
                 expires_at = CASE WHEN {live:t} THEN t.expires_at ELSE excluded.expires_at END \
             WHERE NOT {live:t} OR (length(t.value) <= 20 \
                 AND CAST(CAST(CAST(CAST(t.value AS TEXT) AS INTEGER) AS TEXT) AS BLOB) = t.value \
                 AND typeof(CAST(CAST(t.value AS TEXT) AS INTEGER) \
                     + CAST(CAST(excluded.value AS TEXT) AS INTEGER)) = 'integer') \
             RETURNING key, value",
            &[Rows, Blob],
        ),
        Verb::Scan => (
            "SELECT key FROM {table} WHERE key > ?1 AND key < ?2 AND (?4 = 1 OR {live}) ORDER BY key LIMIT ?3",
            &[From, Until, Limit, Expired],
        ),
        // What is longer than any key is none, and need not travel.
        Verb::Pending => (
            "SELECT CASE WHEN length(CAST(key AS BLOB)) <= {longest} THEN key END, NULL, id, written \
             FROM {outbox} ORDER BY id LIMIT ?1",
            &[Limit],
        ),
        Verb::Settle => ("DELETE FROM {outbox} WHERE id IN (SELECT value FROM json_each(?1))", &[Ids]),
        Verb::Sweep => (
            "DELETE FROM {table} WHERE key IN \
                 (SELECT key FROM {table} WHERE expires_at <= {now} ORDER BY expires_at LIMIT ?1)",
            &[Limit],
        ),
        Verb::Time => ("SELECT NULL, NULL, {now}", &[]),
    }
}
