//! The names of the tables, the only text that ever becomes part of a statement.

use hallway_core::{Error, Result};

/// Where hallway notes which schema version each of its tables has.
pub(crate) const VERSIONS: &str = "hallway_schema";

/// How the name of every outbox ends.
const OUTBOX: &str = "_outbox";

/// PostgreSQL cuts longer identifiers.
const LONGEST: usize = 63;

/// A table name that is legal, quoted or not, in every dialect: `[a-z_][a-z0-9_]{0,62}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Table(String);

impl Table {
    pub(crate) fn new(name: &str) -> Result<Self> {
        let first = name.bytes().next().is_some_and(|byte| byte.is_ascii_lowercase() || byte == b'_');
        let rest = name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
        if !(first && rest && name.len() <= LONGEST) {
            return Err(Error::invalid_config(
                "option `table` needs 1 to 63 of a-z, 0-9 and _, not starting with a digit, such as hallway_kv",
            ));
        }
        let reserved = name == VERSIONS || name.ends_with(OUTBOX);
        if reserved || name.starts_with("sqlite_") || name.starts_with("pg_") {
            return Err(Error::invalid_config(
                "option `table` names a table that hallway or the database keeps for itself; use hallway_kv",
            ));
        }
        Ok(Self(name.to_owned()))
    }

    pub(crate) fn name(&self) -> &str {
        &self.0
    }

    /// The name as an identifier. The alphabet has no quote, so nothing needs doubling.
    pub(crate) fn quoted(&self) -> String {
        format!("\"{}\"", self.0)
    }

    /// The name of the index on `expires_at`.
    pub(crate) fn index(&self) -> String {
        // Longer names than that have been cut since the first version.
        format!("\"{}\"", self.derived("_expires", 50, 40))
    }

    /// The name of the table of owed invalidations, unquoted.
    pub(crate) fn outbox(&self) -> String {
        let room = LONGEST - OUTBOX.len();
        self.derived(OUTBOX, room, room - 9)
    }

    /// The table's name with an ending; of a name longer than `room`, `kept` bytes and a hash.
    fn derived(&self, ending: &str, room: usize, kept: usize) -> String {
        if self.0.len() <= room {
            return format!("{}{ending}", self.0);
        }
        // FNV-1a: two long names with the same beginning must not share what is derived from them.
        let hash =
            self.0.bytes().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
        format!("{}_{hash:08x}{ending}", &self.0[..kept])
    }
}

impl Default for Table {
    fn default() -> Self {
        Self("hallway_kv".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_identifiers_are_table_names() {
        for good in ["hallway_kv", "_", "a", "select", &"x".repeat(63)] {
            assert!(Table::new(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "1a",
            "Ab",
            "a-b",
            "a b",
            "a\"b",
            "a'b",
            "a;drop table x",
            "a\0",
            "é",
            "public.kv",
            "hallway_schema",
            "hallway_kv_outbox",
            "sqlite_master",
            "pg_class",
            &"x".repeat(64),
        ] {
            assert!(Table::new(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn derived_names_fit_and_differ() {
        for (length, other) in [(63, 62), (57, 63), (51, 50)] {
            let (one, other) = (Table::new(&"x".repeat(length)).unwrap(), Table::new(&"x".repeat(other)).unwrap());
            assert_ne!(one.index(), other.index());
            assert_ne!(one.outbox(), other.outbox());
            assert!(one.index().len() <= LONGEST + 2 && one.outbox().len() <= LONGEST);
            assert!(Table::new(&one.outbox()).is_err(), "an outbox is nobody's table of entries");
        }
        assert_eq!(Table::default().outbox(), "hallway_kv_outbox");
        // As the first version named it.
        let index = Table::new(&"x".repeat(63)).unwrap().index();
        assert_eq!(index.len(), 40 + 1 + 8 + "_expires".len() + 2);
    }
}
