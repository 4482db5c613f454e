//! The curve of an application's own keys, from one pass over their log.

use super::{CurveRow, HitCurve};
use crate::trace::mix::mix;
use crate::trace::{Distances, KeyId};

/// Numbers of instances that a log is spread over.
const INSTANCES: [u32; 6] = [1, 2, 4, 8, 16, 32];

/// Keys that a log may have: each is kept in every place that reads of it go to, at about 40 bytes, so this is about
/// 600 MB for 4 instances, and 2.5 GB for 16 or more.
pub const MOST_LOGGED_KEYS: usize = 1_000_000;

/// Takes in the reads of a log, and gives exact LRU curves for several numbers of instances.
#[derive(Debug)]
pub struct LogCurve {
    /// For each number of instances, the distances in each of them.
    spread: Vec<Vec<Distances>>,
    reads: u64,
}

impl LogCurve {
    /// Of an empty log of an application with so many instances. What fewer hit is known then, and what twice as many do:
    /// more is not kept, for it takes memory.
    #[must_use]
    pub fn for_instances(instances: u32) -> Self {
        let needed = INSTANCES.partition_point(|known| *known < instances.saturating_mul(2)) + 1;
        let spread = INSTANCES.iter().take(needed).map(|known| (0..*known).map(|_| Distances::new()).collect());
        Self { spread: spread.collect(), reads: 0 }
    }

    /// Takes in a read, which goes to one instance at random.
    pub fn read(&mut self, key: KeyId) {
        let draw = mix(self.reads ^ 0x5eed);
        for instances in &mut self.spread {
            let at = (draw % instances.len() as u64) as usize;
            instances[at].read(key);
        }
        self.reads += 1;
    }

    /// Reads so far.
    #[must_use]
    pub fn reads(&self) -> u64 {
        self.reads
    }

    /// The curve; `None` of a log without reads.
    #[must_use]
    pub fn finish(self, name: &str) -> Option<HitCurve> {
        let keys = self.spread.first()?.first()?.keys();
        let note = format!("{} reads of {keys} keys in {name}", self.reads);
        let reads = self.reads as f64;
        let entries: Vec<u64> = (0..64).map(|n| 1 << n).take_while(|entries| *entries < keys).chain([keys]).collect();
        let rows = INSTANCES.iter().zip(&self.spread).map(|(instances, spread)| {
            let curves: Vec<_> = spread.iter().map(Distances::curve).collect();
            let hits = |entries| curves.iter().map(|curve| curve.hits_at(entries)).sum::<u64>() as f64;
            CurveRow { instances: *instances, points: entries.iter().map(|c| (*c as f64, hits(*c) / reads)).collect() }
        });
        HitCurve::from_log(rows.collect(), keys as f64, note).map(|curve| curve.of_reads(reads))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::{Preset, Split, StackModel};

    #[test]
    fn it_predicts_what_instances_hit_when_they_are_replayed() {
        let stream = || {
            let mut model = StackModel::new(Preset::OrmBusy, 7);
            (0..100_000).map(move |_| model.next_request())
        };
        let mut log = LogCurve::for_instances(4);
        stream().for_each(|request| log.read(request.key));
        let curve = log.finish("a preset").unwrap();
        for (instances, local_entries) in [(1, 256), (2, 64), (4, 1_024)] {
            let replayed = Split { instances, local_entries, seed: 3, ..Split::default() }.replay(stream()).local();
            let predicted = curve.at(local_entries as f64, instances as f64);
            assert!((predicted - replayed).abs() < 0.01, "{instances} x {local_entries}: {predicted} for {replayed}");
        }
    }

    #[test]
    fn a_log_without_reads_has_no_curve() {
        assert!(LogCurve::for_instances(1).finish("nothing").is_none());
    }

    #[test]
    fn what_is_kept_grows_with_the_instances_and_no_further() {
        for (instances, most) in [(1, 2), (2, 4), (3, 8), (4, 8), (16, 32), (17, 32), (u32::MAX, 32)] {
            let mut log = LogCurve::for_instances(instances);
            (0..100).for_each(|at| log.read(at % 7));
            assert_eq!(log.finish("a log").unwrap().most_instances(), most, "{instances} instances");
        }
    }

    #[test]
    fn a_small_log_is_doubted() {
        let of = |keys: u32, times: u32| {
            let mut log = LogCurve::for_instances(1);
            (0..keys * times).for_each(|at| log.read(at % keys));
            log.finish("a log").unwrap()
        };
        assert!(of(100, 50).doubt().unwrap().contains("100 keys"));
        assert!(of(8_000, 9).doubt().is_some());
        assert_eq!(of(8_000, 10).doubt(), None);
        assert_eq!(HitCurve::web12().of_reads(95_607.0).doubt(), None, "a preset is not the log of anybody");
    }
}
