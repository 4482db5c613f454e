//! How often a cache of some size hits, alone or as one of several that share the requests.

mod log;

use std::sync::Arc;

pub use self::log::{LogCurve, MOST_LOGGED_KEYS};
use super::fact::Basis;
use super::units::count;

/// How often LRU hits by the number of entries, for requests spread over some instances at random.
#[derive(Debug, Clone, PartialEq)]
pub struct CurveRow {
    /// The instances that the requests are spread over.
    pub instances: u32,
    /// Entries of each instance and share of requests that hit, by entries.
    pub points: Vec<(f64, f64)>,
}

/// Hit ratio by capacity and number of instances.
///
/// More instances hit less: each sees a thinner stream, in which keys come back later. Popularity does not tell that,
/// so it comes from replays.
#[derive(Debug, Clone, PartialEq)]
pub struct HitCurve {
    /// Shared by clones: whoever asks what would change a choice clones a workload a thousand times.
    rows: Arc<[Row]>,
    /// Keys of the stream it was measured on.
    pub keys: f64,
    /// [`Basis::KeyLog`] or [`Basis::Preset`].
    pub basis: Basis,
    /// Which log or trace.
    pub note: String,
    /// Reads that it was measured on, if somebody counted them.
    pub reads: Option<f64>,
}

#[derive(Debug, PartialEq)]
struct Row {
    curve: CurveRow,
    windows: Windows,
}

/// Capacities of the tables below.
const ENTRIES: [f64; 9] = [1.0, 4.0, 16.0, 64.0, 256.0, 1_024.0, 4_096.0, 16_384.0, 65_536.0];

/// Exact LRU over the whole `orm-busy` trace (5,000,000 requests; headissue GmbH, J. Wilke, CC BY 4.0), its requests
/// spread at random over the instances.
const ORM_BUSY: [(u32, [f64; 9]); 6] = [
    (1, [0.047, 0.146, 0.261, 0.486, 0.615, 0.789, 0.846, 0.926, 0.984]),
    (2, [0.045, 0.124, 0.234, 0.369, 0.529, 0.697, 0.781, 0.891, 0.972]),
    (4, [0.040, 0.101, 0.196, 0.292, 0.459, 0.596, 0.715, 0.856, 0.951]),
    (8, [0.034, 0.082, 0.144, 0.230, 0.365, 0.501, 0.651, 0.823, 0.919]),
    (16, [0.028, 0.065, 0.107, 0.179, 0.282, 0.423, 0.596, 0.790, 0.873]),
    (32, [0.022, 0.049, 0.081, 0.133, 0.221, 0.363, 0.548, 0.767, 0.809]),
];

/// The same for the `web12` trace (95,607 requests, same source and licence).
const WEB12: [(u32, [f64; 9]); 6] = [
    (1, [0.058, 0.101, 0.180, 0.315, 0.470, 0.650, 0.792, 0.856, 0.856]),
    (2, [0.038, 0.068, 0.134, 0.239, 0.398, 0.601, 0.754, 0.795, 0.795]),
    (4, [0.026, 0.050, 0.100, 0.185, 0.344, 0.561, 0.711, 0.726, 0.726]),
    (8, [0.017, 0.037, 0.073, 0.148, 0.302, 0.525, 0.647, 0.647, 0.647]),
    (16, [0.013, 0.027, 0.055, 0.120, 0.270, 0.489, 0.558, 0.558, 0.558]),
    (32, [0.009, 0.019, 0.042, 0.103, 0.250, 0.440, 0.458, 0.458, 0.458]),
];

impl HitCurve {
    /// Database objects of a web shop on a busy day.
    pub fn orm_busy() -> Self {
        Self::preset(&ORM_BUSY, 76_349.0, "database objects of a web shop (orm-busy)")
    }

    /// Product pages of a web shop in December.
    pub fn web12() -> Self {
        Self::preset(&WEB12, 13_756.0, "product pages of a web shop (web12)")
    }

    fn preset(table: &[(u32, [f64; 9])], keys: f64, note: &str) -> Self {
        let rows = table.iter().map(|(instances, ratios)| CurveRow {
            instances: *instances,
            points: ENTRIES.into_iter().zip(*ratios).collect(),
        });
        Self::new(rows, keys, Basis::Preset, note.to_owned())
    }

    /// The curve of a key log, from replays over some numbers of instances.
    ///
    /// `None` unless there is a row, every row has a point, and capacities and ratios never fall within a row.
    pub fn from_log(mut rows: Vec<CurveRow>, keys: f64, note: impl Into<String>) -> Option<Self> {
        rows.sort_by_key(|row| row.instances);
        let rises = |row: &CurveRow| {
            row.instances > 0
                && !row.points.is_empty()
                && row.points.iter().all(|(entries, ratio)| *entries >= 1.0 && (0.0..=1.0).contains(ratio))
                && row.points.windows(2).all(|pair| pair[0].0 < pair[1].0 && pair[0].1 <= pair[1].1)
        };
        let sound = !rows.is_empty() && keys >= 1.0 && keys.is_finite() && rows.iter().all(rises);
        sound.then(|| Self::new(rows.into_iter(), keys, Basis::KeyLog, note.into()))
    }

    fn new(rows: impl Iterator<Item = CurveRow>, keys: f64, basis: Basis, note: String) -> Self {
        let rows = rows.map(|curve| Row { windows: Windows::new(&curve, keys), curve });
        Self { rows: rows.collect(), keys, basis, note, reads: None }
    }

    /// Says how many reads it was measured on, so that advice can warn of few.
    #[must_use]
    pub fn of_reads(mut self, reads: f64) -> Self {
        self.reads = Some(reads);
        self
    }

    /// Why a log tells little, if it does.
    pub(super) fn doubt(&self) -> Option<String> {
        /// Below so many reads of each key, most first reads in the log are none in the application.
        const READS_OF_A_KEY: f64 = 10.0;
        /// Below so many keys, curves that were checked against replays were off by more than they say.
        const KEYS: f64 = 8_000.0;
        let reads = self.reads?;
        (self.basis == Basis::KeyLog && (reads < READS_OF_A_KEY * self.keys || self.keys < KEYS)).then(|| {
            format!(
                "the key log is small ({} reads of {} keys): hit ratios from it are rough below 8,000 keys or 10 reads of each",
                count(reads),
                count(self.keys)
            )
        })
    }

    /// The share of requests that hit in each of `instances` caches of `entries`.
    ///
    /// Between the rows that were replayed it is a straight line in the logarithm of the instances; beyond the last row
    /// it is that row, which is too high then.
    pub fn at(&self, entries: f64, instances: f64) -> f64 {
        self.between_rows(instances, |row| row.curve.at(entries))
    }

    fn between_rows(&self, instances: f64, of: impl Fn(&Row) -> f64) -> f64 {
        let above = self.rows.partition_point(|row| f64::from(row.curve.instances) < instances);
        let Some(b) = self.rows.get(above) else { return self.rows.last().map_or(0.0, of) };
        let Some(a) = above.checked_sub(1).map(|at| &self.rows[at]) else { return of(b) };
        let (from, to) = (f64::from(a.curve.instances).ln(), f64::from(b.curve.instances).ln());
        between(of(a), of(b), (instances.ln() - from) / (to - from))
    }

    /// The most that any capacity hits.
    pub fn most(&self, instances: f64) -> f64 {
        self.at(f64::INFINITY, instances)
    }

    /// The largest number of instances that was replayed.
    pub fn most_instances(&self) -> u32 {
        self.rows.last().map_or(1, |row| row.curve.instances)
    }

    /// The share of requests to an instance whose key came there within so many requests before, for an application with
    /// `keys` keys: windows, too, count in proportion.
    pub(super) fn within(&self, requests: f64, instances: f64, keys: f64) -> f64 {
        self.between_rows(instances, |row| row.windows.share(requests * self.keys / keys))
    }

    /// As [`at`](Self::at) for an application with `keys` keys instead of those of the stream: capacities count in
    /// proportion.
    pub fn scaled_at(&self, entries: f64, instances: f64, keys: f64) -> f64 {
        if entries >= keys { self.most(instances) } else { self.at(entries * self.keys / keys, instances) }
    }
}

/// Requests of one instance, and the share of requests whose key came within so many before.
#[derive(Debug, PartialEq)]
struct Windows(Vec<(f64, f64)>);

impl Windows {
    /// A window of requests grows by a key at each miss, so `d requests / d entries = 1 / (1 - h)`: the working-set
    /// relation of Denning and Schwartz (1972), solved step by step over the logarithm of the entries.
    fn new(curve: &CurveRow, keys: f64) -> Self {
        const STEP: f64 = 1.1;
        let (mut entries, mut requests) = (0.0, 0.0);
        let mut next = 1.0_f64;
        let mut points = vec![(0.0, 0.0)];
        while entries < keys {
            next = next.min(keys);
            let misses = 1.0 - curve.at(f64::midpoint(entries, next));
            requests += (next - entries) / misses.max(1e-6);
            points.push((requests, curve.at(next)));
            entries = next;
            next = (next * STEP).max(next + 1.0);
        }
        Self(points)
    }

    /// The share that comes back within a window.
    fn share(&self, requests: f64) -> f64 {
        let above = self.0.partition_point(|point| point.0 < requests);
        match (above.checked_sub(1).map(|at| self.0[at]), self.0.get(above)) {
            (Some(a), Some(b)) => between(a.1, b.1, (requests - a.0) / (b.0 - a.0)),
            (Some(only), None) => only.1,
            (None, first) => first.map_or(0.0, |first| first.1),
        }
    }
}

impl CurveRow {
    fn at(&self, entries: f64) -> f64 {
        let above = self.points.partition_point(|point| point.0 < entries);
        let (Some(b), before) = (self.points.get(above), above.checked_sub(1)) else {
            return self.points.last().map_or(0.0, |point| point.1);
        };
        match before.map(|at| self.points[at]) {
            Some(a) => between(a.1, b.1, (entries / a.0).ln() / (b.0 / a.0).ln()),
            // Less than one entry is part of one.
            None => b.1 * (entries / b.0).clamp(0.0, 1.0),
        }
    }
}

fn between(from: f64, to: f64, t: f64) -> f64 {
    from + (to - from) * t
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::Preset;

    #[test]
    fn the_tables_are_curves() {
        for (curve, table) in [(HitCurve::orm_busy(), ORM_BUSY), (HitCurve::web12(), WEB12)] {
            let rows: Vec<CurveRow> = curve.rows.iter().map(|row| row.curve.clone()).collect();
            assert!(HitCurve::from_log(rows, curve.keys, "").is_some());
            for (row, (instances, ratios)) in curve.rows.iter().zip(table) {
                assert_eq!(curve.at(1_024.0, f64::from(instances)), ratios[5]);
                assert_eq!(curve.at(1e9, f64::from(instances)), *ratios.last().unwrap());
                assert_eq!(row.curve.instances, instances);
            }
            assert!(curve.at(1_024.0, 3.0) < curve.at(1_024.0, 2.0) && curve.at(1_024.0, 3.0) > curve.at(1_024.0, 4.0));
        }
    }

    #[test]
    fn alone_they_are_the_presets_that_streams_are_made_of() {
        for (curve, preset) in [(HitCurve::orm_busy(), Preset::OrmBusy), (HitCurve::web12(), Preset::Web12)] {
            for entries in ENTRIES {
                assert_eq!(curve.at(entries, 1.0), preset.hit_ratio_at(entries), "{preset:?} at {entries}");
            }
        }
    }

    #[test]
    fn a_key_comes_back_within_the_window_of_its_distance() {
        // A loop over a thousand keys hits nothing below a thousand entries, and its keys come back after as many requests.
        let points = vec![(1.0, 0.0), (999.0, 0.0), (1_000.0, 1.0)];
        let looped = HitCurve::from_log(vec![CurveRow { instances: 1, points }], 1_000.0, "").unwrap();
        assert_eq!(looped.within(0.0, 1.0, 1_000.0), 0.0);
        assert_eq!(looped.within(700.0, 1.0, 1_000.0), 0.0);
        assert_eq!(looped.within(1e9, 1.0, 1_000.0), 1.0);
        // Never less within a longer window.
        let curve = HitCurve::orm_busy();
        let shares: Vec<f64> = (0..60).map(|n| curve.within(1.5_f64.powi(n), 3.0, 1e5)).collect();
        assert!(shares.is_sorted() && shares[0] >= 0.0, "{shares:?}");
    }

    #[test]
    fn rows_that_are_no_curve_are_refused() {
        let row = |points: &[(f64, f64)]| vec![CurveRow { instances: 1, points: points.to_vec() }];
        for points in [&[][..], &[(1.0, 0.5), (2.0, 0.4)], &[(2.0, 0.1), (1.0, 0.2)], &[(1.0, 1.5)], &[(1.0, f64::NAN)]]
        {
            assert!(HitCurve::from_log(row(points), 10.0, "").is_none(), "{points:?}");
        }
        assert!(HitCurve::from_log(Vec::new(), 10.0, "").is_none());
    }
}
