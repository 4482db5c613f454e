CREATE TRIGGER users_outbox AFTER UPDATE ON users BEGIN
    INSERT INTO hallway_kv_outbox (key) VALUES ('user:profile:' || OLD.id);
END;
