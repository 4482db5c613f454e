CREATE FUNCTION users_outbox() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO hallway_kv_outbox (key) VALUES ('user:profile:' || OLD.id);
    RETURN NULL;
END $$;
CREATE TRIGGER users_outbox AFTER UPDATE OR DELETE ON users FOR EACH ROW EXECUTE FUNCTION users_outbox();
