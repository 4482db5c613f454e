//! How large a cache must be: hit ratios by capacity of LRU, of moka and of a policy that knows the future.

use serde::{Deserialize, Serialize};

use super::clairvoyant::clairvoyant_hits;
use super::distances::{Distances, LruCurve};
use super::log::Log;
use super::policy::moka_hits;
use super::request::{OnWrite, Request};

/// What an entry of a local cache takes beside its key and value, at most, in bytes: a bound that hallway keeps.
pub const ENTRY_BYTES: u64 = 200;

/// Bytes of a value where nothing tells: about the median of published workloads.
const ASSUMED_VALUE_BYTES: f64 = 256.0;

/// Requests that are held in memory for what needs them all, 400 MB of them.
const MOST_HELD: usize = 100_000_000;

/// Hit ratios by capacity.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CapacityCurve {
    /// Requests of the stream.
    pub requests: u64,
    /// Of these, reads: what hit ratios are shares of.
    pub reads: u64,
    /// Different keys.
    pub keys: u64,
    /// Hit ratio of a cache that forgets nothing.
    pub most: f64,
    /// Bytes of an entry: mean key, mean value, and [`ENTRY_BYTES`].
    pub entry_bytes: f64,
    /// What [`CapacityCurve::entry_bytes`] rests on.
    pub entry_bytes_from: SizeBasis,
    /// By capacity.
    pub points: Vec<CapacityPoint>,
    /// LRU at every capacity.
    #[serde(skip)]
    pub lru: LruCurve,
}

/// Where the size of values is from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SizeBasis {
    /// Nobody knows: 256 bytes.
    Assumed,
    /// It was given.
    Given,
    /// The stream tells; the mean over its keys.
    Stream,
}

/// Hit ratios at one capacity.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct CapacityPoint {
    /// The capacity.
    pub entries: u64,
    /// What that many entries take.
    pub bytes: u64,
    /// Of LRU, exactly.
    pub lru: f64,
    /// Of moka, measured with one thread.
    pub moka: Option<f64>,
    /// Of the best policy there can be.
    pub clairvoyant: Option<f64>,
}

/// What a share of all that caching can gain takes.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Gain {
    /// The share, 0 to 1.
    pub share: f64,
    /// The fewest entries with which LRU has it.
    pub entries: u64,
    /// What these take.
    pub bytes: u64,
}

/// What to work out.
#[derive(Debug, Clone, PartialEq)]
pub struct CurvePlan {
    /// Capacities, smallest first; [`capacities`] of the stream if there is none.
    pub entries: Vec<u64>,
    /// Whether to measure moka.
    pub moka: bool,
    /// Whether to work out the clairvoyant bound.
    pub clairvoyant: bool,
    /// Mean bytes of a key.
    pub key_bytes: f64,
    /// Bytes of a value, if they are not to be taken from the stream.
    pub value_bytes: Option<f64>,
}

/// What a [`CurveBuilder`] is doing; the number is a capacity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    /// Working out the clairvoyant bound.
    Clairvoyant(u64),
    /// Measuring moka.
    Moka(u64),
}

/// Powers of two from 64 on, or from 1 on for few keys, up to the first that holds every key, or 2^20.
#[must_use]
pub fn capacities(keys: u64) -> Vec<u64> {
    let from = if keys > 256 { 6 } else { 0 };
    let upto = keys.max(1).next_power_of_two().ilog2().min(20);
    (from..=upto).map(|power| 1 << power).collect()
}

/// Takes in a stream and gives its [`CapacityCurve`].
#[derive(Debug)]
pub struct CurveBuilder {
    on_write: OnWrite,
    distances: Distances,
    requests: u64,
    /// Bytes of each key's value, 0 while unknown.
    sizes: Vec<u32>,
    /// `None` once it was too long.
    log: Option<Log>,
}

impl CurveBuilder {
    /// For an empty stream.
    #[must_use]
    pub fn new(on_write: OnWrite) -> Self {
        Self { on_write, distances: Distances::new(), requests: 0, sizes: Vec::new(), log: Some(Log::new()) }
    }

    /// Takes in the next request.
    pub fn push(&mut self, request: Request) {
        self.requests += 1;
        self.distances.request(request, self.on_write);
        if let Some(bytes) = request.bytes {
            let at = request.key as usize;
            if self.sizes.len() <= at {
                self.sizes.resize(at + 1, 0);
            }
            self.sizes[at] = bytes;
        }
        if let Some(log) = &mut self.log {
            log.push(request);
        }
        if self.log.as_ref().is_some_and(|log| log.len() > MOST_HELD) {
            self.log = None;
        }
    }

    /// Requests so far.
    #[must_use]
    pub fn requests(&self) -> u64 {
        self.requests
    }

    /// Whether the stream was too long to be held, so that only LRU can be worked out.
    #[must_use]
    pub fn is_too_long_to_hold(&self) -> bool {
        self.log.is_none()
    }

    /// Works out the curve. `progress` is told what is being done and how many requests it has got to.
    #[must_use]
    pub fn finish(self, plan: &CurvePlan, progress: &mut dyn FnMut(Stage, u64)) -> CapacityCurve {
        let lru = self.distances.curve();
        let (reads, keys) = (self.distances.reads(), self.distances.keys());
        let ratio = |hits: u64| hits as f64 / reads.max(1) as f64;
        let (value_bytes, entry_bytes_from) = match (plan.value_bytes, mean(&self.sizes)) {
            (Some(given), _) => (given, SizeBasis::Given),
            (None, Some(mean)) => (mean, SizeBasis::Stream),
            (None, None) => (ASSUMED_VALUE_BYTES, SizeBasis::Assumed),
        };
        let entry_bytes = plan.key_bytes + value_bytes + ENTRY_BYTES as f64;
        let entries = if plan.entries.is_empty() { capacities(keys) } else { plan.entries.clone() };
        let point = |entries: u64| {
            let size = usize::try_from(entries).unwrap_or(usize::MAX);
            let clairvoyant = self.log.as_ref().filter(|_| plan.clairvoyant).map(|log| {
                let stage = Stage::Clairvoyant(entries);
                ratio(clairvoyant_hits(log, size, self.on_write, &mut |done| progress(stage, done)))
            });
            let moka = self.log.as_ref().filter(|_| plan.moka).map(|log| {
                let stage = Stage::Moka(entries);
                ratio(moka_hits(log, entries, self.on_write, &mut |done| progress(stage, done)))
            });
            let bytes = (entries as f64 * entry_bytes).round() as u64;
            CapacityPoint { entries, bytes, lru: lru.hit_ratio_at(entries), moka, clairvoyant }
        };
        let points = entries.into_iter().map(point).collect();
        CapacityCurve {
            requests: self.requests,
            reads,
            keys,
            most: lru.most(),
            entry_bytes,
            entry_bytes_from,
            points,
            lru,
        }
    }
}

/// The mean of what is known.
fn mean(sizes: &[u32]) -> Option<f64> {
    let known = sizes.iter().filter(|size| **size > 0).count();
    (known > 0).then(|| sizes.iter().map(|size| f64::from(*size)).sum::<f64>() / known as f64)
}

impl CapacityCurve {
    /// LRU hit ratio at any capacity: exact for whole entries, between them on the logarithm of the capacity.
    #[must_use]
    pub fn hit_ratio_at(&self, entries: f64) -> f64 {
        let entries = entries.max(0.0);
        let (below, above) = (entries.floor(), entries.ceil());
        let (low, high) = (self.lru.hit_ratio_at(below as u64), self.lru.hit_ratio_at(above as u64));
        if below < 1.0 || above <= below {
            return low;
        }
        low + (high - low) * (entries / below).ln() / (above / below).ln()
    }

    /// What a share of the hits of a cache of any size takes, with LRU.
    #[must_use]
    pub fn gain(&self, share: f64) -> Gain {
        let entries = self.lru.entries_for(share);
        Gain { share, entries, bytes: (entries as f64 * self.entry_bytes).round() as u64 }
    }

    /// Where moka hits a fifth less often than LRU, or any policy more often than the clairvoyant one. The second is
    /// a mistake in whatever counted; the first is one too, or a stream that moka is not made for: in which keys come
    /// back soon whether or not they are popular.
    #[must_use]
    pub fn doubts(&self) -> Vec<String> {
        let mut doubts = Vec::new();
        for point in &self.points {
            let bound = point.clairvoyant.unwrap_or(1.0);
            for (name, ratio) in [("LRU", Some(point.lru)), ("moka", point.moka)] {
                if let Some(ratio) = ratio.filter(|ratio| *ratio > bound) {
                    doubts.push(format!(
                        "{name} hits {ratio:.4} with {} entries, and no policy can more than {bound:.4}",
                        point.entries
                    ));
                }
            }
        }
        let is_low = |point: &&CapacityPoint| point.moka.is_some_and(|moka| moka < 0.8 * point.lru);
        let low: Vec<_> = self.points.iter().filter(is_low).map(|point| point.entries.to_string()).collect();
        if !low.is_empty() {
            doubts.push(format!("moka hits a fifth less often than LRU with {} entries", low.join(", ")));
        }
        doubts
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::trace::Op;

    fn plan() -> CurvePlan {
        CurvePlan { entries: Vec::new(), moka: true, clairvoyant: true, key_bytes: 4.0, value_bytes: None }
    }

    fn curve(requests: impl IntoIterator<Item = Request>, plan: &CurvePlan) -> CapacityCurve {
        let mut builder = CurveBuilder::new(OnWrite::Keep);
        requests.into_iter().for_each(|request| builder.push(request));
        builder.finish(plan, &mut |_, _| {})
    }

    /// Three keys in turn: LRU's worst case.
    fn in_turn() -> impl Iterator<Item = Request> {
        (0..300).map(|at| Request::read(at % 3))
    }

    #[test]
    fn the_points_are_those_of_the_stream() {
        let curve = curve(in_turn(), &plan());
        assert_eq!((curve.requests, curve.reads, curve.keys, curve.most), (300, 300, 3, 0.99));
        assert_eq!(curve.points.iter().map(|point| point.entries).collect::<Vec<_>>(), [1, 2, 4]);
        assert_eq!(curve.points.iter().map(|point| point.lru).collect::<Vec<_>>(), [0.0, 0.0, 0.99]);
        assert_eq!(curve.points[2].clairvoyant, Some(0.99));
        // Of three requests in turn, two places serve one without forgetting what the next needs.
        assert!(curve.points[1].clairvoyant > Some(0.45), "{curve:?}");
        assert_eq!(curve.gain(0.9), Gain { share: 0.9, entries: 3, bytes: 3 * 460 });
        assert_eq!(curve.doubts(), [""; 0]);
    }

    #[test]
    fn sizes_are_given_or_told_or_assumed() {
        let sized =
            [(0, 100), (1, 300), (0, 100)].map(|(key, bytes)| Request { key, op: Op::Read, bytes: Some(bytes) });
        let told = curve(sized, &plan());
        assert_eq!((told.entry_bytes, told.entry_bytes_from), (404.0, SizeBasis::Stream));
        let given = curve(sized, &CurvePlan { value_bytes: Some(1_000.0), ..plan() });
        assert_eq!((given.entry_bytes, given.entry_bytes_from), (1_204.0, SizeBasis::Given));
        let assumed = curve(in_turn(), &plan());
        assert_eq!((assumed.entry_bytes, assumed.entry_bytes_from), (460.0, SizeBasis::Assumed));
    }

    #[test]
    fn between_entries_it_goes_by_the_logarithm() {
        let curve = curve([0, 0, 1, 0, 2, 1, 0].map(Request::read), &plan());
        assert_eq!(curve.hit_ratio_at(2.0), 2.0 / 7.0);
        assert_eq!(curve.hit_ratio_at(3.0), 4.0 / 7.0);
        let middle = curve.hit_ratio_at(6.0_f64.sqrt());
        assert!((middle - 3.0 / 7.0).abs() < 1e-12, "{middle}");
        assert_eq!([0.0, 0.5, 1e9].map(|entries| curve.hit_ratio_at(entries)), [0.0, 0.0, 4.0 / 7.0]);
    }

    #[test]
    fn what_cannot_be_is_doubted() {
        let mut curve = curve(in_turn(), &plan());
        curve.points[2].moka = Some(0.5);
        curve.points[1].moka = Some(0.9);
        let doubts = curve.doubts();
        assert_eq!(doubts.len(), 2, "{doubts:?}");
        assert!(doubts[0].contains("no policy can") && doubts[1].contains("a fifth less"), "{doubts:?}");
    }

    #[test]
    fn capacities_reach_the_number_of_keys() {
        assert_eq!(capacities(3), [1, 2, 4]);
        assert_eq!((capacities(76_349).first(), capacities(76_349).last()), (Some(&64), Some(&131_072)));
        assert_eq!(capacities(u64::MAX / 2).last(), Some(&(1 << 20)));
        assert_eq!(capacities(0), [1]);
    }
}
