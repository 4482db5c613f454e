//! Request streams with the locality of real traces, from a dozen numbers each.
//!
//! An LRU stack model: draw how deep in the list of recently used keys the next request goes, take the key found
//! there, move it to the front. The stream then has the LRU hit ratio of the trace at every capacity, which no
//! popularity law has. It does not have the trace's frequencies, so other policies may do better or worse on it.

use serde::{Deserialize, Serialize};

use super::mix::{Stream, unit};
use super::recency::Recency;
use super::request::{KeyId, Request};

/// A built-in request stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Preset {
    /// Database objects of a web shop on a busy day.
    OrmBusy,
    /// Product pages of a web shop in December.
    Web12,
}

impl Preset {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::OrmBusy, Self::Web12];

    /// What it is called where it is given by name.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::OrmBusy => "orm-busy",
            Self::Web12 => "web12",
        }
    }

    /// LRU hit ratio at a capacity, between the rows of the table on the logarithm of the capacity. The stream of a
    /// [`StackModel`] has it to 0.01 once it is long enough to fill the capacity.
    #[must_use]
    pub fn hit_ratio_at(self, entries: f64) -> f64 {
        let table = self.table();
        let above = table.iter().position(|(capacity, _)| entries <= *capacity as f64);
        let row = |at: usize| (table[at].0 as f64, table[at].1);
        match above {
            _ if entries < 1.0 => 0.0,
            None => row(table.len() - 1).1,
            Some(0) => row(0).1,
            Some(above) => {
                let ((c0, h0), (c1, h1)) = (row(above - 1), row(above));
                h0 + (h1 - h0) * (entries / c0).ln() / (c1 / c0).ln()
            }
        }
    }

    /// LRU hit ratio by capacity, measured on the whole trace; what is missing to 1 are first requests of a key.
    fn table(self) -> &'static [(usize, f64)] {
        match self {
            Self::OrmBusy => &[
                (1, 0.047),
                (4, 0.146),
                (16, 0.261),
                (64, 0.486),
                (256, 0.615),
                (1_024, 0.789),
                (4_096, 0.846),
                (16_384, 0.926),
                (65_536, 0.984),
            ],
            Self::Web12 => &[
                (1, 0.058),
                (4, 0.101),
                (16, 0.180),
                (64, 0.315),
                (256, 0.470),
                (1_024, 0.650),
                (4_096, 0.792),
                (16_384, 0.856),
            ],
        }
    }
}

/// The endless stream of a preset; the same for the same seed.
#[derive(Debug)]
pub struct StackModel {
    table: &'static [(usize, f64)],
    recent: Recency,
    random: Stream,
    keys: u64,
    /// How many draws of each row went deeper than the list was long at the time.
    owed: Vec<u64>,
}

impl StackModel {
    /// The stream from its first request.
    #[must_use]
    pub fn new(preset: Preset, seed: u64) -> Self {
        let table = preset.table();
        let deepest = table.last().map_or(1, |(depth, _)| *depth);
        Self { table, recent: Recency::new(deepest), random: Stream::new(seed), keys: 0, owed: vec![0; table.len()] }
    }

    /// The next key, numbered from 1 by first request.
    pub fn next_key(&mut self) -> u64 {
        match self.depth() {
            Some(depth) => self.recent.touch(depth),
            None => {
                self.keys += 1;
                self.recent.push(self.keys);
                self.keys
            }
        }
    }

    /// The next request, a read; keys are numbered from 0 by first request.
    ///
    /// # Panics
    /// After 2^32 different keys.
    pub fn next_request(&mut self) -> Request {
        Request::read(KeyId::try_from(self.next_key() - 1).expect("fewer than 2^32 keys"))
    }

    /// How deep the next request goes; `None` is a key never seen.
    ///
    /// While the list is short a draw may go deeper than it is long, and the request must be for a new key. Without
    /// more, such requests would come on top of the share of new keys that the table already has, and short streams
    /// would miss too often. So the draw is owed, and a later draw of a new key is exchanged for it.
    fn depth(&mut self) -> Option<usize> {
        let draw = unit(self.random.next());
        match self.table.iter().position(|(_, upto)| draw < *upto) {
            Some(row) => {
                let depth = self.depth_in(row);
                if depth <= self.recent.len() {
                    return Some(depth);
                }
                self.owed[row] += 1;
                None
            }
            None => {
                let row = self.owed.iter().position(|owed| *owed > 0)?;
                let depth = self.depth_in(row);
                if depth > self.recent.len() {
                    return None;
                }
                self.owed[row] -= 1;
                Some(depth)
            }
        }
    }

    /// A depth within a row of the table, spread evenly over its logarithm.
    fn depth_in(&mut self, row: usize) -> usize {
        let below = row.checked_sub(1).map_or(0, |row| self.table[row].0);
        let deepest = self.table[row].0;
        if below == 0 {
            return deepest;
        }
        let spread = (deepest as f64 / below as f64).powf(unit(self.random.next()));
        ((below as f64 * spread) as usize + 1).min(deepest)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, HashMap};

    use super::*;

    /// An LRU cache kept the plain way, to count hits with.
    struct Lru {
        capacity: usize,
        used: HashMap<u64, u64>,
        order: BTreeMap<u64, u64>,
        hits: u64,
    }

    impl Lru {
        fn new(capacity: usize) -> Self {
            Self { capacity, used: HashMap::new(), order: BTreeMap::new(), hits: 0 }
        }

        fn request(&mut self, key: u64, now: u64) {
            if let Some(before) = self.used.insert(key, now) {
                self.order.remove(&before);
                self.hits += 1;
            } else if self.used.len() > self.capacity {
                let (_, oldest) = self.order.pop_first().unwrap();
                self.used.remove(&oldest);
            }
            self.order.insert(now, key);
        }
    }

    fn check(preset: Preset, requests: u64, deepest: usize) {
        let mut model = StackModel::new(preset, 42);
        let rows: Vec<_> = preset.table().iter().filter(|(depth, _)| *depth <= deepest).collect();
        let mut caches: Vec<Lru> = rows.iter().map(|(depth, _)| Lru::new(*depth)).collect();
        for now in 0..requests {
            let key = model.next_key();
            caches.iter_mut().for_each(|cache| cache.request(key, now));
        }
        for ((capacity, expected), cache) in rows.into_iter().zip(&caches) {
            let ratio = cache.hits as f64 / requests as f64;
            assert!((ratio - expected).abs() <= 0.01, "{preset:?} at {capacity}: {ratio:.4} instead of {expected}");
        }
    }

    #[test]
    fn orm_busy_has_the_hit_ratios_of_its_table() {
        check(Preset::OrmBusy, 200_000, 4_096);
    }

    #[test]
    fn web12_has_the_hit_ratios_of_its_table() {
        check(Preset::Web12, 95_607, 16_384);
    }

    #[test]
    fn between_rows_the_ratio_goes_by_the_logarithm() {
        let at = |entries| Preset::OrmBusy.hit_ratio_at(entries);
        assert_eq!([0.0, 1.0, 64.0, 65_536.0, 1e9].map(at), [0.0, 0.047, 0.486, 0.984, 0.984]);
        assert!((at(128.0) - (0.486 + 0.615) / 2.0).abs() < 1e-12, "{}", at(128.0));
    }

    #[test]
    fn a_seed_fixes_the_stream() {
        let take = |seed| {
            let mut model = StackModel::new(Preset::OrmBusy, seed);
            (0..1_000).map(|_| model.next_key()).collect::<Vec<_>>()
        };
        assert_eq!(take(1), take(1));
        assert_ne!(take(1), take(2));
    }
}
