//! Rows, the outbox, and what was committed when.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::time::Duration;

use bytes::Bytes;
use hallway_core::{
    Cursor, DeleteIf, Entry, Error, ErrorKind, Key, OutboxId, OutboxRow, Page, Prefix, Result, SetIf, Timestamp,
    parse_canonical_i64,
};

use super::statement::{Answer, Statement, remaining};

/// One change of one key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SqlCommit {
    /// When, as the age of the world.
    pub at: Duration,
    /// Of which key.
    pub key: Key,
    /// To what; `None` is a deletion.
    pub value: Option<Bytes>,
}

#[derive(Debug, Clone)]
struct Row {
    value: Bytes,
    /// Age of the world in microseconds; `None` for ever.
    deadline: Option<u64>,
}

#[derive(Debug)]
pub(super) struct Database {
    /// Microseconds since 1970 when the world began.
    began: u64,
    rows: BTreeMap<Key, Row>,
    outbox: BTreeMap<i64, OutboxRow>,
    next_row: i64,
    commits: Vec<SqlCommit>,
    pub(super) statements: u64,
}

impl Database {
    pub(super) fn new(began: u64) -> Self {
        Self { began, rows: BTreeMap::new(), outbox: BTreeMap::new(), next_row: 0, commits: Vec::new(), statements: 0 }
    }

    /// Runs a statement at this age of the world. With `enlist` every key that it may change gets a row of the outbox.
    pub(super) fn run(&mut self, now: u64, statement: &Statement, enlist: bool) -> Result<Answer> {
        self.statements += 1;
        let answer = match statement {
            Statement::Delete { keys, when } => Answer::Changed(self.delete(now, keys, when)),
            Statement::Get(keys) => Answer::Entries(keys.iter().map(|key| self.entry(now, key)).collect()),
            Statement::Increment { key, by, ttl } => Answer::Sum(self.increment(now, key, *by, *ttl)?),
            Statement::Pending(limit) => Answer::Rows(self.pending(*limit)),
            Statement::Scan { prefix, after, limit } => Answer::Page(self.scan(now, prefix, after.as_ref(), *limit)),
            Statement::Set { items, condition } => Answer::Changed(self.set(now, items, condition)),
            Statement::Settle(rows) => {
                for OutboxId(row) in rows {
                    self.outbox.remove(row);
                }
                Answer::Changed(rows.len() as u64)
            }
            Statement::Take(key) => {
                let entry = self.entry(now, key);
                self.delete(now, std::slice::from_ref(key), &DeleteIf::Always);
                Answer::Entries(vec![entry])
            }
            Statement::Time => Answer::Time(self.date(now)),
            Statement::Touch { key, ttl } => {
                let deadline = deadline(now, *ttl);
                let touched = self.live(now, key).map(|row| row.deadline = deadline).is_some();
                Answer::Changed(u64::from(touched))
            }
        };
        if enlist {
            self.enlist(now, statement);
        }
        Ok(answer)
    }

    pub(super) fn peek(&self, key: &Key, now: u64) -> Option<Bytes> {
        self.rows.get(key).filter(|row| is_alive(row, now)).map(|row| row.value.clone())
    }

    pub(super) fn commits(&self) -> &[SqlCommit] {
        &self.commits
    }

    pub(super) fn pending(&self, limit: usize) -> Vec<OutboxRow> {
        self.outbox.values().take(limit).cloned().collect()
    }

    fn enlist(&mut self, now: u64, statement: &Statement) {
        let keys: Vec<&Key> = match statement {
            Statement::Delete { keys, .. } => keys.iter().collect(),
            Statement::Set { items, .. } => items.iter().map(|(key, ..)| key).collect(),
            Statement::Increment { key, .. } | Statement::Take(key) | Statement::Touch { key, .. } => vec![key],
            Statement::Get(_)
            | Statement::Pending(_)
            | Statement::Scan { .. }
            | Statement::Settle(_)
            | Statement::Time => Vec::new(),
        };
        for key in keys {
            self.next_row += 1;
            let row = OutboxRow { id: OutboxId(self.next_row), key: key.clone(), written: self.date(now) };
            self.outbox.insert(self.next_row, row);
        }
    }

    fn date(&self, now: u64) -> Timestamp {
        Timestamp::from_unix_micros((self.began + now) as i64)
    }

    fn live(&mut self, now: u64, key: &Key) -> Option<&mut Row> {
        if !is_alive(self.rows.get(key)?, now) {
            self.rows.remove(key);
        }
        self.rows.get_mut(key)
    }

    fn entry(&mut self, now: u64, key: &Key) -> Option<Entry> {
        self.live(now, key).map(|row| Entry::new(row.value.clone(), remaining(row.deadline, now)))
    }

    fn put(&mut self, now: u64, key: &Key, row: Option<Row>) {
        let value = row.as_ref().map(|row| row.value.clone());
        self.commits.push(SqlCommit { at: Duration::from_micros(now), key: key.clone(), value });
        match row {
            Some(row) => drop(self.rows.insert(key.clone(), row)),
            None => drop(self.rows.remove(key)),
        }
    }

    fn set(&mut self, now: u64, items: &[(Key, Bytes, Option<u64>)], condition: &SetIf) -> u64 {
        let mut written = 0;
        for (key, value, ttl) in items {
            let old = self.live(now, key);
            let holds = match condition {
                SetIf::Absent => old.is_none(),
                SetIf::Always => true,
                SetIf::Equals(expected) => old.is_some_and(|row| row.value == *expected),
                SetIf::Present => old.is_some(),
            };
            if holds {
                self.put(now, key, Some(Row { value: value.clone(), deadline: deadline(now, *ttl) }));
                written += 1;
            }
        }
        written
    }

    fn delete(&mut self, now: u64, keys: &[Key], when: &DeleteIf) -> u64 {
        let mut deleted = 0;
        for key in keys {
            let holds = match (self.live(now, key), when) {
                (None, _) => false,
                (Some(_), DeleteIf::Always) => true,
                (Some(row), DeleteIf::Equals(expected)) => row.value == *expected,
            };
            if holds {
                self.put(now, key, None);
                deleted += 1;
            }
        }
        deleted
    }

    fn increment(&mut self, now: u64, key: &Key, by: i64, ttl: Option<u64>) -> Result<i64> {
        let (old, deadline) = match self.live(now, key) {
            Some(row) => (parse_canonical_i64(&row.value)?, row.deadline),
            None => (0, deadline(now, ttl)),
        };
        let sum = old.checked_add(by).ok_or_else(|| {
            Error::new(ErrorKind::InvalidInput, "the sum does not fit a 64-bit integer; the counter keeps its value")
        })?;
        self.put(now, key, Some(Row { value: Bytes::from(sum.to_string()), deadline }));
        Ok(sum)
    }

    fn scan(&self, now: u64, prefix: &Prefix, after: Option<&Cursor>, limit: usize) -> Page {
        let first = prefix.to_physical();
        // A made-up cursor may lie before the prefix; the later of the two starts the range.
        let from = match after.map(Cursor::as_str) {
            Some(last) if last >= first.as_str() => Bound::Excluded(last),
            _ => Bound::Included(first.as_str()),
        };
        let mut keys: Vec<Key> = self
            .rows
            .range::<str, _>((from, Bound::Unbounded))
            .take_while(|(key, _)| prefix.matches(key.as_str()))
            .filter(|(_, row)| is_alive(row, now))
            .map(|(key, _)| key.clone())
            .take(limit + 1)
            .collect();
        let more = keys.len() > limit;
        keys.truncate(limit);
        let next = keys.last().filter(|_| more).map(|last| Cursor::new(last.as_str()));
        Page { keys, next }
    }
}

fn is_alive(row: &Row, now: u64) -> bool {
    row.deadline.is_none_or(|deadline| now < deadline)
}

fn deadline(now: u64, ttl: Option<u64>) -> Option<u64> {
    ttl.map(|millis| now + millis * 1_000)
}
