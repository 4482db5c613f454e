//! Keys, values and deadlines, with a journal of what the last writes replaced.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::hash::{BuildHasherDefault, Hasher};

use bytes::Bytes;

/// How many writes can be undone by a failover.
const JOURNAL: usize = 4_096;

/// How many databases there are.
pub(super) const DATABASES: usize = 16;

/// Hashes the same in every run, so that the order of keys does not change from run to run.
#[derive(Debug, Default, Clone)]
pub(super) struct Fnv(u64);

impl Hasher for Fnv {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        let mut hash = self.0 ^ 0xcbf2_9ce4_8422_2325;
        for byte in bytes {
            hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
        }
        self.0 = hash;
    }
}

pub(super) type Map<K, V> = HashMap<K, V, BuildHasherDefault<Fnv>>;

/// What stands under a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Content {
    /// A list, set or the like, of which only the type and the length are kept.
    Foreign(&'static str, i64),
    Text(Bytes),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Slot {
    pub(super) content: Content,
    /// Milliseconds since 1970; `None` lives for ever.
    pub(super) deadline: Option<u64>,
}

/// What one write command replaced: database, key, and the slot before.
type Undo = Vec<(usize, Bytes, Option<Slot>)>;

/// All databases of a server.
#[derive(Debug)]
pub(super) struct Keyspace {
    databases: Vec<Map<Bytes, Slot>>,
    deadlines: BTreeSet<(u64, usize, Bytes)>,
    journal: VecDeque<Undo>,
    /// What the command that runs has replaced so far.
    open: Undo,
}

impl Keyspace {
    pub(super) fn new() -> Self {
        Self {
            databases: vec![Map::default(); DATABASES],
            deadlines: BTreeSet::new(),
            journal: VecDeque::new(),
            open: Vec::new(),
        }
    }

    /// Whatever is there, expired or not.
    pub(super) fn get(&self, database: usize, key: &[u8]) -> Option<&Slot> {
        self.databases[database].get(key)
    }

    /// Puts a slot or takes it away, and says whether there was one.
    pub(super) fn put(&mut self, database: usize, key: Bytes, slot: Option<Slot>) -> bool {
        let old = self.replace(database, key.clone(), slot);
        let was = old.is_some();
        self.open.push((database, key, old));
        was
    }

    /// Takes an expired slot away. No failover brings it back to life, so the journal need not know.
    pub(super) fn forget(&mut self, database: usize, key: &Bytes) {
        self.replace(database, key.clone(), None);
    }

    fn replace(&mut self, database: usize, key: Bytes, slot: Option<Slot>) -> Option<Slot> {
        let deadline = slot.as_ref().and_then(|slot| slot.deadline);
        let old = match slot {
            Some(slot) => self.databases[database].insert(key.clone(), slot),
            None => self.databases[database].remove(&key),
        };
        let before = old.as_ref().and_then(|slot| slot.deadline);
        if before != deadline {
            if let Some(before) = before {
                self.deadlines.remove(&(before, database, key.clone()));
            }
            if let Some(deadline) = deadline {
                self.deadlines.insert((deadline, database, key));
            }
        }
        old
    }

    /// Empties one database.
    pub(super) fn clear(&mut self, database: usize) {
        let keys: Vec<Bytes> = self.databases[database].keys().cloned().collect();
        for key in keys {
            self.put(database, key, None);
        }
    }

    /// Ends the write that runs: a failover forgets it as a whole or not at all. Says whether it changed anything.
    pub(super) fn commit(&mut self) -> bool {
        if self.open.is_empty() {
            return false;
        }
        if self.journal.len() == JOURNAL {
            self.journal.pop_front();
        }
        self.journal.push_back(std::mem::take(&mut self.open));
        true
    }

    /// Forgets the last writes and says how many were left to forget.
    pub(super) fn undo(&mut self, writes: usize) -> usize {
        self.commit();
        let mut undone = 0;
        while undone < writes
            && let Some(changes) = self.journal.pop_back()
        {
            for (database, key, slot) in changes.into_iter().rev() {
                self.replace(database, key, slot);
            }
            undone += 1;
        }
        undone
    }

    /// The earliest deadline.
    pub(super) fn next_deadline(&self) -> Option<u64> {
        self.deadlines.first().map(|(deadline, ..)| *deadline)
    }

    /// The key whose deadline is the earliest, if that has passed.
    pub(super) fn first_expired(&self, now: u64) -> Option<(usize, Bytes)> {
        self.deadlines
            .first()
            .filter(|(deadline, ..)| now > *deadline)
            .map(|(_, database, key)| (*database, key.clone()))
    }

    pub(super) fn iter(&self, database: usize) -> impl Iterator<Item = (&Bytes, &Slot)> {
        self.databases[database].iter()
    }

    /// Up to about `count` keys from `cursor` on, and where to go on; 0 is the end. Keys go in the order of a hash, so
    /// that whatever stays is met once whatever else comes and goes.
    pub(super) fn scan(&self, database: usize, cursor: u64, count: usize) -> (u64, Vec<Bytes>) {
        let mut ahead: Vec<(u64, &Bytes)> =
            self.iter(database).map(|(key, _)| (place(key), key)).filter(|(place, _)| *place >= cursor).collect();
        ahead.sort_unstable();
        let mut end = count.min(ahead.len());
        // Keys of one place go together: the cursor cannot point between them.
        while end > 0 && end < ahead.len() && ahead[end].0 == ahead[end - 1].0 {
            end += 1;
        }
        let next = ahead.get(end).map_or(0, |(place, _)| *place);
        (next, ahead[..end].iter().map(|(_, key)| (*key).clone()).collect())
    }
}

/// Where a key stands in a scan; never 0, which means the beginning.
fn place(key: &[u8]) -> u64 {
    let mut hasher = Fnv::default();
    hasher.write(key);
    // The last multiplication leaves the high bits of short keys alike; the order is of no matter.
    hasher.finish().rotate_left(32).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn slot(text: &'static str) -> Option<Slot> {
        Some(Slot { content: Content::Text(Bytes::from_static(text.as_bytes())), deadline: None })
    }

    #[test]
    fn undo_forgets_whole_writes_from_the_end() {
        let mut keys = Keyspace::new();
        let key = Bytes::from_static(b"k");
        keys.put(0, key.clone(), slot("1"));
        keys.commit();
        keys.put(0, key.clone(), slot("2"));
        keys.put(0, key.clone(), slot("3"));
        keys.commit();
        assert_eq!(keys.undo(1), 1);
        assert_eq!(keys.get(0, b"k").cloned(), slot("1"));
        assert_eq!(keys.undo(5), 1);
        assert_eq!(keys.get(0, b"k"), None);
    }

    #[test]
    fn a_scan_meets_whatever_stays() {
        let mut keys = Keyspace::new();
        for at in 0..500 {
            keys.put(0, Bytes::from(format!("key:{at}")), slot("x"));
        }
        let mut met = Vec::new();
        let mut cursor = 0;
        for round in 0.. {
            let (next, page) = keys.scan(0, cursor, 7);
            met.extend(page);
            keys.put(0, Bytes::from(format!("key:{}", round % 100)), None);
            keys.put(0, Bytes::from(format!("new:{round}")), slot("x"));
            cursor = next;
            if cursor == 0 {
                break;
            }
        }
        for at in 100..500 {
            assert!(met.contains(&Bytes::from(format!("key:{at}"))), "{at}");
        }
    }
}
