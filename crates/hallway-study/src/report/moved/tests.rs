//! Each change, what counts as an overlap, and what is refused.

use super::*;
use crate::report::{Environment, Server, StudyMode};

fn report(crossovers: Vec<Crossover>) -> Report {
    let env = Environment {
        cpu: "a processor".into(),
        cores: 2,
        governor: None,
        kernel: "a kernel".into(),
        hallway: "0.1.0".into(),
        git: None,
        toolchain: None,
        load: [Some(0.1), Some(0.2)],
        steal: None,
        placement: "shared".into(),
        filesystem: None,
        noise_floor: Some(0.03),
        servers: Vec::new(),
    };
    Report {
        schema: SCHEMA.into(),
        mode: StudyMode::Quick,
        started: "2026-01-01T00:00:00Z".into(),
        seed: 1,
        rounds: 5,
        env,
        slower: None,
        warnings: Vec::new(),
        answers: Vec::new(),
        crossovers,
        primitives: Vec::new(),
        wire: Vec::new(),
        fits: Vec::new(),
        validation: Vec::new(),
        not_measured: Vec::new(),
    }
}

fn at(id: &str, points: &[[f64; 3]]) -> Crossover {
    let point = |[low, x, high]: &[f64; 3]| CrossingPoint {
        x: *x,
        ci95: [*low, *high],
        tie_band: [*x, *x],
        left: "redis".into(),
        right: "sqlite".into(),
    };
    let verdict = match points.len() {
        0 => Verdict::NoCrossover,
        1 => Verdict::Crossover,
        _ => Verdict::Multiple,
    };
    Crossover {
        id: id.into(),
        question: "Q2".into(),
        metric: "median_ns".into(),
        a: "sqlite".into(),
        b: "redis".into(),
        axis: "rtt_us".into(),
        range: [0.0, 5_000.0],
        verdict,
        points: points.iter().map(point).collect(),
        p_cross: Some(1.0),
        factor: None,
        winner: points.is_empty().then(|| "redis".into()),
        beyond: None,
        side: None,
        method: "paired-semilog-bootstrap".into(),
        cross_check: None,
        rule: String::new(),
        plot: None,
    }
}

fn change_of(old: &[[f64; 3]], new: &[[f64; 3]]) -> (Change, Option<f64>) {
    let comparison = moved(&report(vec![at("Q2", old)]), &report(vec![at("Q2", new)])).unwrap();
    (comparison.moves[0].change, comparison.overlap())
}

#[test]
fn a_point_moved_only_if_it_left_both_intervals() {
    assert_eq!(change_of(&[[110.0, 140.0, 180.0]], &[[150.0, 170.0, 200.0]]), (Change::Kept, Some(1.0)));
    assert_eq!(change_of(&[[110.0, 140.0, 180.0]], &[[175.0, 190.0, 220.0]]), (Change::Moved, Some(1.0)));
    assert_eq!(change_of(&[[110.0, 140.0, 180.0]], &[[185.0, 190.0, 220.0]]), (Change::Moved, Some(0.0)));
    assert_eq!(change_of(&[[139.0, 140.0, 141.0]], &[[100.0, 150.0, 220.0]]), (Change::Kept, Some(1.0)));
}

#[test]
fn a_verdict_or_a_winner_turns() {
    assert_eq!(change_of(&[[110.0, 140.0, 180.0]], &[]), (Change::Turned, Some(0.0)));
    assert_eq!(change_of(&[], &[]), (Change::Kept, None));
    let mut other = at("Q2", &[]);
    other.winner = Some("sqlite".into());
    let comparison = moved(&report(vec![at("Q2", &[])]), &report(vec![other])).unwrap();
    assert_eq!(comparison.moves[0].change, Change::Turned);
}

#[test]
fn pairs_of_one_report_only_appear_and_disappear_and_count_for_no_overlap() {
    let old = report(vec![at("gone", &[[1.0, 2.0, 3.0]]), at("both", &[[1.0, 2.0, 3.0]])]);
    let new = report(vec![at("both", &[[2.0, 2.5, 4.0]]), at("fresh", &[[1.0, 2.0, 3.0]])]);
    let comparison = moved(&old, &new).unwrap();
    let changes: Vec<_> = comparison.moves.iter().map(|one| (one.id.as_str(), one.change)).collect();
    assert_eq!(changes, [("both", Change::Kept), ("fresh", Change::Appeared), ("gone", Change::Disappeared)]);
    assert_eq!((comparison.points, comparison.overlapping), (1, 1));
}

/// Too noisy for a point, a verdict may still say beyond which place the point lies.
#[test]
fn a_side_of_a_noisy_verdict_is_an_interval_and_no_verdict_is_none() {
    let point = || report(vec![at("Q7", &[[110.0, 140.0, 180.0]])]);
    let noisy = |verdict, side| report(vec![Crossover { verdict, winner: None, side, ..at("Q7", &[]) }]);
    for (verdict, side, overlaps) in [
        (Verdict::Inconclusive, Some([170.0, 5_000.0]), 1),
        (Verdict::Inconclusive, Some([190.0, 5_000.0]), 0),
        (Verdict::Inconclusive, Some([0.0, 120.0]), 1),
        (Verdict::Inconclusive, Some([0.0, 100.0]), 0),
        (Verdict::Inconclusive, None, 0),
        (Verdict::NoCrossover, Some([170.0, 5_000.0]), 0),
    ] {
        for comparison in [moved(&point(), &noisy(verdict, side)), moved(&noisy(verdict, side), &point())] {
            let comparison = comparison.unwrap();
            let counted = (comparison.points, comparison.overlapping, comparison.one_sided);
            assert_eq!(counted, (1, overlaps, overlaps), "{verdict:?} {side:?}");
            assert_eq!(comparison.moves[0].change, Change::Turned);
            assert_eq!(comparison.to_string().contains("1 of them with the side"), overlaps == 1);
        }
    }
}

#[test]
fn the_table_shows_what_changed_and_counts_the_rest() {
    let old = report(vec![at("Q2/get", &[[110.0, 140.0, 180.0]]), at("Q2/set", &[])]);
    let new = report(vec![at("Q2/get", &[[1_850.0, 1_900.0, 2_200.0]]), at("Q2/set", &[])]);
    let comparison = moved(&old, &new).unwrap();
    let table = comparison.to_string();
    let lines: Vec<&str> = table.lines().collect();
    assert!(lines[0].starts_with("crossover  change  before"), "{table}");
    assert!(lines[1].contains("moved") && lines[1].contains("140 us [110 us, 180 us]"), "{table}");
    assert!(lines[1].ends_with("1.9 ms [1.85 ms, 2.2 ms]"), "{table}");
    assert_eq!(lines[3], "1 of 2 crossovers changed; the intervals of 0 of 1 crossing points overlap");
    assert_eq!(lines.len(), 4);
    let json = serde_json::to_value(&comparison).unwrap();
    assert_eq!(json["moves"][0]["change"], "moved");
    assert_eq!(json["moves"][0]["new"]["points"][0]["x"], 1_900.0);
}

#[test]
fn what_was_measured_otherwise_is_noted() {
    let server = |version: &str, fsync: &str| Server {
        name: "redis".into(),
        version: version.into(),
        origin: "started".into(),
        settings: [("appendonly".to_owned(), fsync.to_owned())].into(),
    };
    let (mut old, mut new) = (report(Vec::new()), report(Vec::new()));
    old.env.servers.push(server("7.0", "no"));
    new.env.servers.push(server("8.0", "yes"));
    (new.env.cores, new.rounds) = (8, 12);
    let notes = moved(&old, &new).unwrap().notes;
    assert_eq!(
        notes,
        [
            "cores: 2, then 8",
            "mode: quick study of 5 rounds, then quick study of 12 rounds",
            "redis: 7.0, then 8.0",
            "redis: its settings differ"
        ]
    );
}

#[test]
fn what_does_not_compare_is_refused_with_the_remedy() {
    let (old, mut new) = (report(Vec::new()), report(Vec::new()));
    new.env.placement = "pinned: the study on core 0, servers that it starts on core 1, kept awake".into();
    assert!(moved(&old, &new).unwrap_err().to_string().contains("same placement"));
    new.schema = "crossover/9".into();
    let error = moved(&old, &new).unwrap_err().to_string();
    assert!(error.contains("newer report has the schema `crossover/9`") && error.contains("measure again"), "{error}");
    assert!(moved(&new, &old).unwrap_err().to_string().contains("older report"));
}
