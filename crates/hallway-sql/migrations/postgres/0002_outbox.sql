-- One row per key whose copies elsewhere are out of date. Any session may insert keys, whoever has invalidated the
-- copies deletes the row. `written` is in microseconds since the Unix epoch on the server's clock.
CREATE TABLE IF NOT EXISTS {outbox} (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    key text COLLATE "C" NOT NULL,
    written bigint NOT NULL DEFAULT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint
);
