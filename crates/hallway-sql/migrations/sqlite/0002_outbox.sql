-- One row per key whose copies elsewhere are out of date. Any connection may insert keys, whoever has invalidated the
-- copies deletes the row. `written` is in microseconds since the Unix epoch on this machine's clock. AUTOINCREMENT,
-- because an id must never come again: somebody may still be about to delete the row that had it.
CREATE TABLE IF NOT EXISTS {outbox} (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    key TEXT COLLATE BINARY NOT NULL,
    written INTEGER NOT NULL DEFAULT (CAST(round((julianday('now') - 2440587.5) * 86400000) AS INTEGER) * 1000)
) STRICT;
