//! What the formulas foretell of streams never seen before, against a plain simulation of the same streams.

use hallway_study::formulas::{hit_ratio_of_instances, hit_ratio_with_write_share};
use hallway_study::trace::mix::Stream;
use hallway_study::trace::{
    Coherence, CurveBuilder, CurvePlan, Distances, KeyId, Log, Lru, LruCurve, OnWrite, Op, Preset, Request, Split,
};

use super::streams::{mixed, preset, with_writes};

/// How much a prediction may miss.
const TOLERANCE: f64 = 0.02;

/// The streams: two that no figure was made from, and a generated one.
fn streams() -> [Vec<KeyId>; 3] {
    [mixed(120_000, 1), mixed(60_000, 99), preset(Preset::OrmBusy, 120_000)]
}

fn lru_curve(keys: &[KeyId]) -> LruCurve {
    let mut distances = Distances::new();
    keys.iter().for_each(|key| _ = distances.read(*key));
    distances.curve()
}

/// Hits of an LRU cache that is there.
fn simulated(requests: &[Request], entries: usize, on_write: OnWrite) -> u64 {
    let mut cache = Lru::new(entries);
    let mut hits = 0;
    for Request { key, op, .. } in requests {
        match (op, on_write) {
            (Op::Read, _) if cache.get(*key).is_some() => hits += 1,
            (Op::Read, _) | (Op::Write, OnWrite::Keep) => cache.insert(*key, ()),
            (Op::Write, OnWrite::Invalidate) | (Op::Delete, _) => _ = cache.remove(*key),
        }
    }
    hits
}

#[test]
fn the_curve_foretells_a_cache_exactly() {
    for keys in streams() {
        let curve = lru_curve(&keys);
        let reads: Vec<_> = keys.iter().copied().map(Request::read).collect();
        for entries in [1, 2, 63, 64, 700, 1_000, 4_096, 30_000] {
            assert_eq!(curve.hits_at(entries as u64), simulated(&reads, entries, OnWrite::Keep), "{entries} entries");
        }
    }
}

#[test]
fn the_curve_foretells_a_cache_exactly_with_writes_too() {
    for keys in streams() {
        for on_write in [OnWrite::Keep, OnWrite::Invalidate] {
            let requests = with_writes(&keys, 0.2, 5);
            let mut distances = Distances::new();
            requests.iter().for_each(|request| _ = distances.request(*request, on_write));
            let curve = distances.curve();
            for entries in [1, 64, 1_000, 4_096, 30_000] {
                let simulated = simulated(&requests, entries, on_write);
                assert_eq!(curve.hits_at(entries as u64), simulated, "{entries} entries, {on_write:?}");
            }
        }
    }
}

/// F7: of random writes, each takes the copy away, so a share `w` of them leaves `1 - w` of the hits.
#[test]
fn writes_cost_the_hits_that_the_formula_says() {
    for keys in streams() {
        let log = Log::from_iter(keys);
        let all = Split { local_entries: log.len(), shared_entries: 0, ..Split::default() };
        let without = all.replay(log.iter()).local();
        for write_share in [0.01, 0.05, 0.2, 0.5] {
            let shares = Split { write_share, ..all }.replay(log.iter());
            let written = shares.writes as f64 / log.len() as f64;
            assert!((written - write_share).abs() < 0.01, "{written} of {write_share}");
            let (found, foretold) = (shares.local(), hit_ratio_with_write_share(without, write_share));
            assert!((found - foretold).abs() <= TOLERANCE, "w = {write_share}: {found:.4}, foretold {foretold:.4}");
        }
    }
}

/// F8: what a second tier hits of what the first misses, from the curve of the whole stream.
#[test]
fn a_tier_behind_a_tier_hits_what_the_formula_says() {
    for keys in streams() {
        let curve = lru_curve(&keys);
        for (local_entries, shared_entries) in [(64, 1_024), (256, 4_096), (500, 10_000)] {
            let split = Split { local_entries, shared_entries, ..Split::default() };
            let shares = split.replay(keys.iter().copied().map(Request::read));
            let found = shares.shared_behind().unwrap();
            let foretold = curve.behind(local_entries as u64, shared_entries as u64).unwrap();
            let place = format!("{local_entries} over {shared_entries}");
            assert!((found - foretold).abs() <= TOLERANCE, "{place}: {found:.4}, foretold {foretold:.4}");
            let local = curve.hit_ratio_at(local_entries as u64);
            assert!((shares.local() - local).abs() < 1e-12, "one instance is one LRU cache");
        }
    }
}

/// F9 with nothing but a time to live: `lT / (N + lT)`, for a key that is asked for with rate `l`.
#[test]
fn a_time_to_live_over_instances_hits_what_the_formula_says() {
    // Every key is one of 50 at random, so that requests of a key are spread evenly over the stream.
    let mut random = Stream::new(3);
    let keys: Vec<KeyId> = (0..200_000).map(|_| (random.next() % 50) as KeyId).collect();
    for instances in [1, 2, 4, 8] {
        for ttl in [50, 200, 1_000] {
            let coherence = Coherence::Ttl { requests: ttl };
            let split = Split { instances, coherence, local_entries: 50, ..Split::default() };
            let found = split.replay(keys.iter().copied().map(Request::read)).local();
            let foretold = hit_ratio_of_instances(1.0 / 50.0, ttl as f64, instances as u32);
            assert!((found - foretold).abs() <= TOLERANCE, "{instances} by {ttl}: {found:.4}, foretold {foretold:.4}");
        }
    }
}

/// More instances starve the local caches and feed the shared one; the database sees little of it.
#[test]
fn the_shared_tier_keeps_the_database_from_seeing_the_instances() {
    let log = Log::from_iter(preset(Preset::OrmBusy, 150_000));
    let replay = |instances| Split { instances, ..Split::default() }.replay(log.iter());
    let (one, sixteen) = (replay(1), replay(16));
    assert!(sixteen.local() < one.local() - 0.2, "{one:?} {sixteen:?}");
    assert!(sixteen.shared_behind() > one.shared_behind(), "{one:?} {sixteen:?}");
    assert!((sixteen.loads() - one.loads()).abs() <= TOLERANCE, "{one:?} {sixteen:?}");
}

#[test]
fn moka_is_within_its_bounds() {
    // Not on the preset: it has the locality of its trace and not the frequencies that moka goes by.
    for keys in [mixed(60_000, 1), mixed(60_000, 99)] {
        let mut builder = CurveBuilder::new(OnWrite::Keep);
        keys.iter().for_each(|key| builder.push(Request::read(*key)));
        let entries = vec![256, 1_024, 4_096];
        let plan = CurvePlan { entries, moka: true, clairvoyant: true, key_bytes: 8.0, value_bytes: None };
        let curve = builder.finish(&plan, &mut |_, _| {});
        assert_eq!(curve.doubts(), [""; 0]);
        assert!(curve.points.is_sorted_by(|one, next| one.clairvoyant <= next.clairvoyant), "{:?}", curve.points);
    }
}
