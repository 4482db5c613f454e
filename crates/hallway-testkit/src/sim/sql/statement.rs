//! What a client asks of the database.

use std::time::Duration;

use bytes::Bytes;
use hallway_core::{
    Cursor, DeleteIf, Entry, Error, Key, MAX_PAGE, OutboxId, OutboxRow, Page, Prefix, Result, SetIf, Timestamp, Ttl,
    ValueCap,
};

/// One statement. TTLs are milliseconds, `None` for ever.
#[derive(Debug, Clone)]
pub(super) enum Statement {
    Delete { keys: Vec<Key>, when: DeleteIf },
    Get(Vec<Key>),
    Increment { key: Key, by: i64, ttl: Option<u64> },
    Pending(usize),
    Scan { prefix: Prefix, after: Option<Cursor>, limit: usize },
    Set { items: Vec<(Key, Bytes, Option<u64>)>, condition: SetIf },
    Settle(Vec<OutboxId>),
    Take(Key),
    Time,
    Touch { key: Key, ttl: Option<u64> },
}

/// What a statement answers.
#[derive(Debug)]
pub(super) enum Answer {
    /// How many were changed; 0 where a condition was not met.
    Changed(u64),
    Entries(Vec<Option<Entry>>),
    Page(Page),
    Rows(Vec<OutboxRow>),
    Sum(i64),
    Time(Timestamp),
}

impl Statement {
    pub(super) fn is_write(&self) -> bool {
        !matches!(self, Self::Get(_) | Self::Pending(_) | Self::Scan { .. } | Self::Time)
    }

    pub(super) fn set(items: &[(Key, Bytes, Ttl)], condition: SetIf) -> Result<Self> {
        let item = |(key, value, ttl): &(Key, Bytes, Ttl)| {
            ValueCap::default().check(value.len())?;
            Ok((key.clone(), value.clone(), millis(*ttl)?))
        };
        Ok(Self::Set { items: items.iter().map(item).collect::<Result<_>>()?, condition })
    }

    pub(super) fn scan(prefix: &Prefix, after: Option<Cursor>, limit: usize) -> Result<Self> {
        if limit == 0 {
            return Err(Error::invalid_input("a scan needs a limit of at least 1"));
        }
        Ok(Self::Scan { prefix: prefix.clone(), after, limit: limit.min(MAX_PAGE) })
    }
}

/// A TTL as the database takes it.
pub(super) fn millis(ttl: Ttl) -> Result<Option<u64>> {
    Ok(ttl.whole_millis()?.map(std::num::NonZeroU64::get))
}

/// The rest of a life, in whole milliseconds.
pub(super) fn remaining(deadline: Option<u64>, now: u64) -> Ttl {
    match deadline {
        Some(deadline) => Ttl::After(Duration::from_millis((deadline - now) / 1_000)),
        None => Ttl::Forever,
    }
}
