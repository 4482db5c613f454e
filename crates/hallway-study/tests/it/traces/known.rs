//! The real traces have the figures that the documents give.

use std::path::{Path, PathBuf};

use hallway_study::trace::{
    CapacityCurve, CurveBuilder, CurvePlan, Interner, KnownTrace, Log, ORM_BUSY, OnWrite, Reader, Request, Requests,
    Split, WEB12,
};

/// How much a hit ratio may differ from the one that is given with three digits.
const TOLERANCE: f64 = 0.005;

/// How much shares of a replay may differ: another balancer sends requests elsewhere.
const REPLAY_TOLERANCE: f64 = 0.01;

/// The trace in the folder that `CROSSOVER_TRACE_DIR` names, or in the usual one beside the workspace. Says so where
/// it is absent: the traces are not part of the repository.
fn file(trace: &KnownTrace) -> Option<PathBuf> {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let folder = std::env::var_os("CROSSOVER_TRACE_DIR").unwrap_or_else(|| "../shared/data/traces".into());
    let found = trace.in_folder(&workspace.join(folder)).unwrap();
    if found.is_none() {
        not_measured(&format!("{} is absent; set CROSSOVER_TRACE_DIR to its folder", trace.name));
    }
    found
}

/// Says what a run leaves out, past the capture of the test harness, so that it shows in every run.
fn not_measured(why: &str) {
    use std::io::Write as _;
    let _ = writeln!(std::io::stderr(), "NOT MEASURED: {why}");
}

fn read(path: &Path) -> impl Iterator<Item = Request> {
    Requests::new(Reader::open(path, None).unwrap(), Interner::default()).map(Result::unwrap)
}

fn curve(requests: impl Iterator<Item = Request>, plan: &CurvePlan) -> CapacityCurve {
    let mut builder = CurveBuilder::new(OnWrite::Keep);
    requests.for_each(|request| builder.push(request));
    builder.finish(plan, &mut |_, _| {})
}

fn plan(entries: &[u64], bounds: bool) -> CurvePlan {
    CurvePlan { entries: entries.into(), moka: bounds, clairvoyant: bounds, key_bytes: 10.0, value_bytes: None }
}

fn check(curve: &CapacityCurve, known: [f64; 4], most: f64) {
    for (entries, known) in [64, 1_024, 4_096, 16_384].into_iter().zip(known) {
        let found = curve.lru.hit_ratio_at(entries);
        assert!((found - known).abs() <= TOLERANCE, "{found:.4} with {entries} entries instead of {known}");
    }
    assert!((curve.most - most).abs() <= TOLERANCE, "at most {:.4} instead of {most}", curve.most);
}

#[test]
fn the_whole_of_orm_busy_has_its_known_curve() {
    let Some(file) = file(&ORM_BUSY) else { return };
    let curve = curve(read(&file), &plan(&[1_024], false));
    assert_eq!((curve.requests, curve.keys), (5_000_000, 76_349));
    check(&curve, [0.486, 0.789, 0.846, 0.926], 0.985);
}

#[test]
fn the_whole_of_web12_has_its_known_curve_within_its_bounds() {
    let Some(file) = file(&WEB12) else { return };
    // With 64 entries moka is just below a fifth less than LRU here: it forgets too little of what it has seen often.
    let curve = curve(read(&file), &plan(&[256, 1_024, 4_096, 16_384], true));
    assert_eq!((curve.requests, curve.keys), (95_607, 13_756));
    check(&curve, [0.315, 0.650, 0.792, 0.856], 0.856);
    assert_eq!(curve.doubts(), [""; 0]);
    assert!(curve.points.iter().all(|point| point.clairvoyant >= Some(point.lru)), "{:?}", curve.points);
}

#[test]
fn moka_on_orm_busy_is_within_its_bounds() {
    let Some(file) = file(&ORM_BUSY) else { return };
    let curve = curve(read(&file).take(500_000), &plan(&[1_024, 8_192], true));
    assert_eq!(curve.doubts(), [""; 0]);
}

/// L1, L2 given a miss of L1, and the database's share, by instances.
fn check_split(trace: &KnownTrace, rows: [(usize, f64, f64); 5], loads: f64) {
    let Some(file) = file(trace) else { return };
    let log: Log = read(&file).take(1_000_000).collect();
    for (instances, local, shared) in rows {
        let shares = Split { instances, ..Split::default() }.replay(log.iter());
        let found = (shares.local(), shares.shared_behind().unwrap(), shares.loads());
        for (found, known) in [(found.0, local), (found.1, shared), (found.2, loads)] {
            assert!(
                (found - known).abs() <= REPLAY_TOLERANCE,
                "{instances} instances: {shares:?}: {found:.4} for {known}"
            );
        }
    }
}

#[test]
fn instances_over_a_shared_tier_have_the_known_shares_of_orm_busy() {
    let rows = [(1, 0.796, 0.516), (2, 0.704, 0.666), (4, 0.604, 0.749), (8, 0.513, 0.796), (16, 0.440, 0.824)];
    check_split(&ORM_BUSY, rows, 0.099);
}

#[test]
fn instances_over_a_shared_tier_have_the_known_shares_of_web12() {
    let rows = [(1, 0.647, 0.570), (2, 0.597, 0.623), (4, 0.555, 0.659), (8, 0.521, 0.683), (16, 0.486, 0.705)];
    check_split(&WEB12, rows, 0.152);
}
