//! PostgreSQL's statements.
//!
//! `statement_timestamp()` is the server's clock read once per statement, so that no row is judged by two instants.
//! Keys arrive sorted: rows are locked in one order by every writer, which keeps deadlocks away. The first
//! parameter of every statement that changes keys is the array of them, the second the last moment at which it may begin.
//! A statement that was held up on its way must not change anything once nobody knows of it any more: it divides by zero.

use super::{Dialect, Param, Verb};

pub(crate) static POSTGRES: Dialect = Dialect {
    name: "postgres",
    // A subquery, so that it is computed once per statement and not per row: it costs as much as finding a row.
    now: "(SELECT (extract(epoch FROM statement_timestamp()) * 1000000)::bigint)",
    in_time: "(SELECT 1 / ($2 >= (extract(epoch FROM statement_timestamp()) * 1000000)::bigint)::int) = 1",
    statement,
    // One statement, run to its end whatever the main part finds.
    enlist: Some("WITH owed AS (INSERT INTO {outbox} (key) SELECT unnest($1::text[]))"),
    owe: "INSERT INTO {outbox} (key) SELECT json_array_elements_text($1::text::json)",
    migrations: &[
        include_str!("../../migrations/postgres/0001_entries.sql"),
        include_str!("../../migrations/postgres/0002_outbox.sql"),
    ],
    versions: "CREATE TABLE IF NOT EXISTS {versions} (store text NOT NULL PRIMARY KEY, version bigint NOT NULL);",
    has_versions: "SELECT NULL, NULL, count(*) FROM (SELECT to_regclass('{versions}') AS found) AS v \
         WHERE found IS NOT NULL",
    // The key of the lock is the ASCII text `hallway1`. Both timeouts hold for this transaction only.
    begin: "BEGIN; SET LOCAL lock_timeout = '20s'; SET LOCAL statement_timeout = '25s'; \
         SELECT NULL::text FROM pg_advisory_xact_lock(7521962890145624369);",
};

fn statement(verb: Verb) -> (&'static str, &'static [Param]) {
    use Param::{Cap, Expected, Expired, From, Ids, Keys, Latest, Limit, Lives, Until, Values};
    match verb {
        Verb::Get => (
            "SELECT key, CASE WHEN octet_length(value) <= $2 THEN value END, expires_at - {now}, \
                 octet_length(value)::bigint \
             FROM {table} WHERE key = ANY($1) AND {live}",
            &[Keys, Cap],
        ),
        Verb::SetAlways => (
            "INSERT INTO {table} (key, value, expires_at) \
             SELECT k, v, CASE WHEN life >= 0 THEN {now} + life END \
             FROM unnest($1::text[], $3::bytea[], $4::bigint[]) AS u (k, v, life) WHERE {in_time} \
             ON CONFLICT (key) DO UPDATE SET value = excluded.value, expires_at = excluded.expires_at",
            &[Keys, Latest, Values, Lives],
        ),
        Verb::SetAbsent => (
            "INSERT INTO {table} AS t (key, value, expires_at) \
             SELECT k, v, CASE WHEN life >= 0 THEN {now} + life END \
             FROM unnest($1::text[], $3::bytea[], $4::bigint[]) AS u (k, v, life) WHERE {in_time} \
             ON CONFLICT (key) DO UPDATE SET value = excluded.value, expires_at = excluded.expires_at \
             WHERE NOT {live:t} RETURNING t.key",
            &[Keys, Latest, Values, Lives],
        ),
        Verb::SetPresent => (
            "UPDATE {table} AS t SET value = u.v, expires_at = CASE WHEN u.life >= 0 THEN {now} + u.life END \
             FROM unnest($1::text[], $3::bytea[], $4::bigint[]) AS u (k, v, life) \
             WHERE t.key = u.k AND {live:t} AND {in_time} RETURNING t.key",
            &[Keys, Latest, Values, Lives],
        ),
        Verb::SetEquals => (
            "UPDATE {table} AS t SET value = u.v, expires_at = CASE WHEN u.life >= 0 THEN {now} + u.life END \
             FROM unnest($1::text[], $3::bytea[], $4::bigint[], $5::bytea[]) AS u (k, v, life, expected) \
             WHERE t.key = u.k AND t.value = u.expected AND {live:t} AND {in_time} RETURNING t.key",
            &[Keys, Latest, Values, Lives, Expected],
        ),
        Verb::DeleteAlways => (
            "DELETE FROM {table} WHERE key = ANY($1) AND {in_time} RETURNING key, NULL::bytea, {live}::int::bigint",
            &[Keys, Latest],
        ),
        Verb::DeleteEquals => (
            "DELETE FROM {table} AS t USING unnest($1::text[], $3::bytea[]) AS u (k, expected) \
             WHERE t.key = u.k AND t.value = u.expected AND {live:t} AND {in_time} RETURNING t.key, NULL::bytea, 1::bigint",
            &[Keys, Latest, Expected],
        ),
        Verb::Take => (
            "DELETE FROM {table} WHERE key = ANY($1) AND octet_length(value) <= $3 AND {in_time} \
             RETURNING key, value, {live}::int::bigint",
            &[Keys, Latest, Cap],
        ),
        Verb::Touch => (
            "UPDATE {table} AS t SET expires_at = CASE WHEN u.life >= 0 THEN {now} + u.life END \
             FROM unnest($1::text[], $3::bigint[]) AS u (k, life) \
             WHERE t.key = u.k AND {live:t} AND {in_time} RETURNING t.key",
            &[Keys, Latest, Lives],
        ),
        // CASE keeps the order of evaluation: text is cast only once it is known to be a number.
        Verb::Increment => (
            "INSERT INTO {table} AS t (key, value, expires_at) \
             SELECT k, v, CASE WHEN life >= 0 THEN {now} + life END \
             FROM unnest($1::text[], $3::bytea[], $4::bigint[]) AS u (k, v, life) WHERE {in_time} \
             ON CONFLICT (key) DO UPDATE SET \
                 value = CASE WHEN {live:t} \
                     THEN convert_to((encode(t.value, 'escape')::numeric \
                         + encode(excluded.value, 'escape')::numeric)::text, 'UTF8') \
                     ELSE excluded.value END, \
                 expires_at = CASE WHEN {live:t} THEN t.expires_at ELSE excluded.expires_at END \
             WHERE CASE \
                 WHEN NOT {live:t} THEN true \
                 WHEN octet_length(t.value) > 20 THEN false \
                 WHEN encode(t.value, 'escape') ~ '^(0|-?[1-9][0-9]{0,18})$' \
                     THEN encode(t.value, 'escape')::numeric BETWEEN -9223372036854775808 AND 9223372036854775807 \
                     AND encode(t.value, 'escape')::numeric + encode(excluded.value, 'escape')::numeric \
                         BETWEEN -9223372036854775808 AND 9223372036854775807 \
                 ELSE false END \
             RETURNING t.key, t.value",
            &[Keys, Latest, Values, Lives],
        ),
        Verb::Scan => (
            "SELECT key FROM {table} WHERE key > $1 AND key < $2 AND ($4 = 1 OR {live}) ORDER BY key LIMIT $3",
            &[From, Until, Limit, Expired],
        ),
        // What is longer than any key is none, and need not travel.
        Verb::Pending => (
            "SELECT CASE WHEN octet_length(key) <= {longest} THEN key END, NULL::bytea, id, written \
             FROM {outbox} ORDER BY id LIMIT $1",
            &[Limit],
        ),
        // A row that is locked is being deleted by somebody else.
        Verb::Settle => (
            "DELETE FROM {outbox} WHERE id IN \
                 (SELECT id FROM {outbox} WHERE id = ANY($1) ORDER BY id FOR UPDATE SKIP LOCKED)",
            &[Ids],
        ),
        // The outer comparison sees an entry that was renewed while we waited for its lock.
        Verb::Sweep => (
            "DELETE FROM {table} WHERE expires_at <= {now} AND key IN (SELECT key FROM {table} \
             WHERE expires_at <= {now} ORDER BY expires_at LIMIT $1 FOR UPDATE SKIP LOCKED)",
            &[Limit],
        ),
        Verb::Time => {
            ("SELECT NULL::text, NULL::bytea, (extract(epoch FROM clock_timestamp()) * 1000000)::bigint", &[])
        }
    }
}
