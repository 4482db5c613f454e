//! The curve of an application's own keys, from one pass over their log.

use super::{CurveRow, HitCurve};
use crate::trace::mix::mix;
use crate::trace::{Distances, KeyId};

/// Numbers of instances that a log is spread over.
const INSTANCES: [u32; 6] = [1, 2, 4, 8, 16, 32];

/// Takes in the reads of a log, and gives exact LRU curves for several numbers of instances.
#[derive(Debug)]
pub struct LogCurve {
    /// For each number of instances, the distances in each of them.
    spread: Vec<Vec<Distances>>,
    reads: u64,
}

impl Default for LogCurve {
    fn default() -> Self {
        let spread = INSTANCES.iter().map(|instances| (0..*instances).map(|_| Distances::new()).collect());
        Self { spread: spread.collect(), reads: 0 }
    }
}

impl LogCurve {
    /// Of an empty log.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
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
        HitCurve::from_log(rows.collect(), keys as f64, note)
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
        let mut log = LogCurve::new();
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
        assert!(LogCurve::new().finish("nothing").is_none());
    }
}
