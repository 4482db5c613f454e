//! Questions on servers of their own: every point once, every run once. No timing is judged.

use std::collections::BTreeMap;

use hallway_study::lab::{Choice, Choices, Lab};
use hallway_study::placement::Placement;
use hallway_study::report::StudyMode;
use hallway_study::rounds::{Point, shuffled};
use hallway_study::study::{Depth, questions};
use serde_json::Value;
use tempfile::TempDir;

const QUICK: Depth = Depth { mode: StudyMode::Quick, seed: 3 };

/// Runs the points of a question for a few iterations, looks what their stores hold then, and does its runs; gives what
/// the runs have found.
async fn exercise(id: &str, choice: Choice) -> BTreeMap<String, Value> {
    exercise_all(id, choice).await.1
}

/// The same, with the points.
async fn exercise_all(id: &str, choice: Choice) -> (Vec<Point>, BTreeMap<String, Value>) {
    let out = TempDir::new().unwrap();
    let choices = Choices { redis: choice.clone(), postgres: choice, placement: Placement::Shared };
    let lab = Lab::open(&choices, out.path(), None).await.unwrap();
    let depth = QUICK;
    let question = questions().into_iter().find(|question| question.id() == id).unwrap();
    let points = question.points(&lab, depth).await.unwrap();
    for point in &points {
        assert!(point.id.group.starts_with(&format!("{id}/")), "{}", point.id);
        let took = point.cell.run(20).await.unwrap_or_else(|error| panic!("{}: {error}", point.id));
        assert!(!took.is_zero(), "{}", point.id);
    }
    for point in &points {
        point.cell.verify().await.unwrap_or_else(|error| panic!("{}: {error}", point.id));
    }
    let mut found = BTreeMap::new();
    for run in question.runs(&lab, depth) {
        let value = question.run(&run.name, &lab, depth).await;
        found.insert(run.name.clone(), value.unwrap_or_else(|error| panic!("{}: {error}", run.name)));
    }
    lab.clear().await.unwrap();
    (points, found)
}

/// How many points each series has.
fn series(points: &[Point]) -> BTreeMap<&str, usize> {
    let mut series = BTreeMap::new();
    points.iter().for_each(|point| *series.entry(point.id.series.as_str()).or_default() += 1);
    series
}

fn number(value: &Value, field: &str) -> f64 {
    value[field].as_f64().unwrap_or_else(|| panic!("no number {field} in {value}"))
}

#[tokio::test(flavor = "multi_thread")]
async fn q1_reads_every_size_from_whatever_is_there() {
    let (points, _) = exercise_all("Q1", Choice::Start).await;
    let all = [("moka-bytes", 4), ("moka-typed", 4), ("redis-tcp", 4), ("redis-unix", 4)];
    assert_eq!(series(&points), BTreeMap::from(all));
    let (points, _) = exercise_all("Q1", Choice::None).await;
    assert_eq!(series(&points), BTreeMap::from([("moka-bytes", 4), ("moka-typed", 4)]));
}

#[tokio::test(flavor = "multi_thread")]
async fn q2_measures_a_ping_and_sqlite_next_to_redis() {
    let (points, _) = exercise_all("Q2", Choice::Start).await;
    assert_eq!(series(&points), BTreeMap::from([("ping", 6), ("redis-tcp", 6), ("sqlite", 6)]));
    for round in 1..=4 {
        for neighbours in shuffled(&points, QUICK.seed, round).chunks(3) {
            assert!(neighbours.iter().all(|point| point.id.group == neighbours[0].id.group), "{neighbours:?}");
            assert!(neighbours.iter().all(|point| point.id.x == neighbours[0].id.x), "{neighbours:?}");
        }
    }
    assert!(exercise_all("Q2", Choice::None).await.0.is_empty());
}

/// Which rates are valid is for the machine to say; that the largest is offered first and all are explained is not.
#[tokio::test(flavor = "multi_thread")]
async fn q10_offers_less_and_less_until_it_is_valid() {
    let (points, found) = exercise_all("Q10", Choice::Start).await;
    assert_eq!(series(&points), BTreeMap::from([("postgres", 6), ("redis-tcp", 6), ("sqlite", 6)]));
    assert_eq!(found.keys().collect::<Vec<_>>(), ["postgres", "redis-tcp", "sqlite"]);
    for offered in found.values() {
        let cells: Vec<(f64, Value)> = serde_json::from_value(offered["cells"].clone()).unwrap();
        assert!(cells.is_sorted_by(|(one, _), (next, _)| one > next) && cells[0].0 == 0.85, "{offered}");
        assert!(cells.iter().filter(|(_, cell)| cell["void"].is_null()).count() <= 4, "{offered}");
        for (_, cell) in &cells {
            assert!(number(cell, "achieved_per_second") <= 1.000_1 * number(cell, "offered_per_second"), "{cell}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn q11_asks_for_as_many_keys_in_every_way() {
    let (points, _) = exercise_all("Q11", Choice::Start).await;
    let ways = ["postgres-many", "redis-joined", "redis-many", "redis-sequential", "sqlite-many", "sqlite-sequential"];
    assert_eq!(series(&points), ways.into_iter().map(|way| (way, 3)).collect());
    let (points, _) = exercise_all("Q11", Choice::None).await;
    assert_eq!(series(&points), BTreeMap::from([("sqlite-many", 3), ("sqlite-sequential", 3)]));
}

#[tokio::test(flavor = "multi_thread")]
async fn q3_replays_exactly_the_hit_ratios_that_it_says() {
    for choice in [Choice::Start, Choice::None] {
        let found = exercise("Q3", choice).await;
        let replayed = found["replay"]["ratios"].as_array().unwrap();
        assert_eq!(replayed.len(), 3);
        for one in replayed {
            let (requests, hits) = (number(one, "requests"), number(one, "hits"));
            assert!(requests >= 100.0 && hits == (number(one, "hit_ratio") * requests).round(), "{one}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn q4_hits_whenever_no_write_came_between() {
    for (choice, with_copies) in
        [(Choice::Start, vec!["shared-copies", "local+shared-copies"]), (Choice::None, vec!["local-copies"])]
    {
        let found = exercise("Q4", choice).await;
        assert_eq!(found["database"]["hits"], 0);
        for tiers in with_copies {
            let tail = &found[tiers];
            assert_eq!(number(tail, "reads"), 0.9 * number(tail, "requests"));
            // Two keys may share a stamp, and then the write of one ends the local copy of the other.
            let (hits, expected) = (number(tail, "hits"), number(tail, "expected_hits"));
            assert!(hits <= expected && hits >= 0.98 * expected, "{tiers}: {tail}");
            assert!(hits > 0.8 * number(tail, "reads"));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn q14_loses_what_is_only_in_memory_and_nothing_that_is_on_disk() {
    let found = exercise("Q14", Choice::Start).await;
    for backend in ["moka-bytes", "sqlite", "redis-tcp", "postgres"] {
        for rates in ["loads", "touches", "saves"] {
            assert_eq!(found[backend][rates].as_array().unwrap().len(), 5, "{backend} {rates}");
        }
    }
    let killed = |run: &str, server: &str| {
        let all = found[run].as_array().unwrap();
        let one = all.iter().find(|one| one["server"].as_str().unwrap().contains(server)).unwrap();
        (number(one, "made"), number(one, "left"))
    };
    assert_eq!(killed("kill-redis", "nothing kept"), (200.0, 0.0));
    // A process that is killed has given its log to the system before it answered.
    let (made, left) = killed("kill-redis", "everysec");
    assert!(left <= made && left > 0.0, "{left} of {made}");
}

#[tokio::test(flavor = "multi_thread")]
async fn q14_finds_what_a_database_has_acknowledged() {
    let out = TempDir::new().unwrap();
    let none = Choices { redis: Choice::None, postgres: Choice::None, placement: Placement::Shared };
    let lab = Lab::open(&none, out.path(), None).await.unwrap();
    let question = questions().into_iter().find(|question| question.id() == "Q14").unwrap();
    let killed = question.run("kill-postgres", &lab, QUICK).await.unwrap();
    let [waits, does_not] = &killed.as_array().unwrap()[..] else { panic!("{killed}") };
    assert_eq!(waits["left"], waits["made"], "commits waited for the disk: {waits}");
    assert!(number(does_not, "left") <= number(does_not, "made"), "{does_not}");
}

#[tokio::test(flavor = "multi_thread")]
async fn q14_is_answered_in_part_without_servers() {
    let found = exercise("Q14", Choice::None).await;
    assert_eq!(found.keys().collect::<Vec<_>>(), ["moka-bytes", "sqlite"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn q16_loads_once_with_single_flight_whatever_the_crowd() {
    for choice in [Choice::Start, Choice::None] {
        let found = exercise("Q16", choice).await;
        for run in ["bursts", "arrivals"] {
            for one in found[run].as_array().unwrap() {
                let misses = if run == "bursts" { number(one, "bursts") } else { number(one, "expired") };
                match one["way"].as_str().unwrap() {
                    "single-flight" => assert_eq!(number(one, "loads"), misses, "{one}"),
                    _ => assert!(number(one, "loads") >= misses, "{one}"),
                }
            }
        }
    }
}
