-- One row per entry. `expires_at` is in microseconds since the Unix epoch on this machine's clock; NULL is forever.
CREATE TABLE IF NOT EXISTS {table} (
    key TEXT COLLATE BINARY NOT NULL PRIMARY KEY,
    value BLOB NOT NULL,
    expires_at INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS {index} ON {table} (expires_at) WHERE expires_at IS NOT NULL;
