-- One row per entry. `expires_at` is in microseconds since the Unix epoch on the server's clock; NULL is forever.
CREATE TABLE IF NOT EXISTS {table} (
    key text COLLATE "C" NOT NULL PRIMARY KEY,
    value bytea NOT NULL,
    expires_at bigint
);
CREATE INDEX IF NOT EXISTS {index} ON {table} (expires_at) WHERE expires_at IS NOT NULL;
