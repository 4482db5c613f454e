//! Goals: what several runs of `cargo xtask ratios` came to.

use super::raw::{GoalRun, missing};
use crate::ratios::{Kind, Outcome, median};

/// What measures them.
pub(super) const COMMAND: &str = "cargo xtask ratios --json > docs/benchmarks/ratios-1.json";

/// A goal over all runs.
struct Merged<'a> {
    goal: &'a Outcome,
    runs: usize,
    met: usize,
    /// Median, lowest, highest: of the medians of the runs, or of the rounds of a single run.
    measured: Option<[f64; 3]>,
    /// The same of the cache's parts without its promises, where they were measured.
    bare: Option<[f64; 3]>,
    error: Option<&'a str>,
}

fn merged(runs: &[GoalRun]) -> Vec<Merged<'_>> {
    let mut goals: Vec<&Outcome> = Vec::new();
    for goal in runs.iter().flat_map(|run| &run.goals) {
        if !goals.iter().any(|known| known.id == goal.id) {
            goals.push(goal);
        }
    }
    goals.into_iter().map(|goal| merge(goal, runs)).collect()
}

fn merge<'a>(goal: &'a Outcome, runs: &'a [GoalRun]) -> Merged<'a> {
    let all: Vec<&Outcome> = runs.iter().flat_map(|run| &run.goals).filter(|other| other.id == goal.id).collect();
    let mut medians: Vec<f64> = all.iter().filter_map(|run| run.measured).collect();
    medians.sort_by(f64::total_cmp);
    let spread = match (medians.as_slice(), all.iter().find_map(|run| run.spread)) {
        ([_], Some(spread)) => Some(spread),
        ([first, .., last], _) => Some([*first, *last]),
        ([only], None) => Some([*only; 2]),
        ([], _) => None,
    };
    let measured = median(&medians).zip(spread).map(|(middle, [low, high])| [middle, low, high]);
    let mut bare: Vec<f64> = all.iter().filter_map(|run| run.bare).collect();
    bare.sort_by(f64::total_cmp);
    let bare = median(&bare).zip(bare.first().zip(bare.last())).map(|(middle, (low, high))| [middle, *low, *high]);
    let met = all.iter().filter(|run| run.met).count();
    Merged { goal, runs: medians.len(), met, measured, bare, error: all.iter().find_map(|run| run.error.as_deref()) }
}

impl Merged<'_> {
    fn is_missed(&self) -> bool {
        self.met < self.runs
    }

    fn value(&self) -> String {
        self.measured.map_or_else(|| "not measured".to_owned(), range)
    }
}

/// `1.18 (1.00–1.20)`.
pub(super) fn range([middle, low, high]: [f64; 3]) -> String {
    let [middle, low, high] = [middle, low, high].map(ratio);
    if low == high { middle } else { format!("{middle} ({low}–{high})") }
}

/// As many digits as mean something.
pub(super) fn ratio(value: f64) -> String {
    match value.abs() {
        size if size < 9.995 => format!("{value:.2}"),
        size if size < 99.95 => format!("{value:.1}"),
        _ => format!("{value:.0}"),
    }
}

/// Every goal, met or missed.
pub(super) fn table(runs: &[GoalRun]) -> String {
    if runs.is_empty() {
        return missing(COMMAND);
    }
    let mut text = String::from("| goal | kind | measured | goal | |\n|---|---|---|---|---|\n");
    for one in merged(runs) {
        let (kind, sign) = match one.goal.kind {
            Kind::Time => ("time", "≤"),
            Kind::Throughput => ("throughput", "≥"),
        };
        let verdict = match (one.runs, one.met) {
            (0, _) => one.error.unwrap_or("not measured").to_owned(),
            (runs, met) if runs == met => "met".to_owned(),
            (1, _) => "**missed**".to_owned(),
            (runs, met) => format!("**missed** in {} of {runs} runs", runs - met),
        };
        let bare = one.bare.map_or_else(String::new, |bare| format!("; bare parts {}", range(bare)));
        let (id, value, goal) = (&one.goal.id, one.value(), one.goal.goal);
        text.push_str(&format!("| `{id}` | {kind} | {value} | {sign} {goal} | {verdict}{bare} |\n"));
    }
    text
}

/// Throughput over numbers of tasks, for what is measured at several.
pub(super) fn by_tasks(runs: &[GoalRun]) -> String {
    const TASKS: [&str; 4] = ["1", "16", "64", "256"];
    if runs.is_empty() {
        return missing(COMMAND);
    }
    let merged = merged(runs);
    let mut operations: Vec<&str> = merged.iter().filter_map(|one| Some(one.goal.id.rsplit_once('/')?.0)).collect();
    operations.dedup();
    let mut text = String::from("| concurrent tasks | 1 | 16 | 64 | 256 |\n|---|---|---|---|---|\n");
    for operation in operations {
        let at = |tasks| merged.iter().find(|one| one.goal.id.rsplit_once('/') == Some((operation, tasks)));
        let cells: Vec<String> = TASKS.into_iter().filter_map(|tasks| Some(at(tasks)?.value())).collect();
        if cells.len() == TASKS.len() {
            text.push_str(&format!("| {} | {} |\n", operation.replace('/', " "), cells.join(" | ")));
        }
    }
    text
}

/// The goals that were missed, plainly.
pub(super) fn missed(runs: &[GoalRun]) -> String {
    if runs.is_empty() {
        return missing(COMMAND);
    }
    let merged = merged(runs);
    let missed: Vec<_> = merged.iter().filter(|one| one.runs > 0 && one.is_missed()).collect();
    if missed.is_empty() {
        return format!("All {} goals that were measured were met.", merged.iter().filter(|one| one.runs > 0).count());
    }
    let said = missed.iter().map(|one| {
        let often =
            if one.runs == 1 { String::new() } else { format!(", in {} of {} runs", one.runs - one.met, one.runs) };
        format!("`{}` {} (goal {}{often})", one.goal.id, one.value(), one.goal.goal)
    });
    format!("Missed, {} of {}: {}.", missed.len(), merged.len(), said.collect::<Vec<_>>().join("; "))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(rows: &[(&str, f64, bool)]) -> GoalRun {
        let goals: Vec<_> = rows.iter().map(|(id, measured, met)| {
            serde_json::json!({"id": id, "kind": "throughput", "measured": measured, "spread": [measured / 2.0, measured * 2.0], "goal": 1.4, "met": met})
        }).collect();
        let text = serde_json::json!({"machine": "m", "date": "d", "command": "c", "goals": goals}).to_string();
        serde_json::from_str(&text).unwrap()
    }

    #[test]
    fn one_run_shows_its_rounds_and_several_their_medians() {
        let one = [run(&[("redis/get/64", 1.5, true)])];
        assert!(
            table(&one).contains("| `redis/get/64` | throughput | 1.50 (0.75–3.00) | ≥ 1.4 | met |"),
            "{}",
            table(&one)
        );
        let runs = [1.5, 1.3, 1.6].map(|median| run(&[("redis/get/64", median, median >= 1.4)]));
        assert!(table(&runs).contains("1.50 (1.30–1.60) | ≥ 1.4 | **missed** in 1 of 3 runs |"), "{}", table(&runs));
        assert!(
            missed(&runs).starts_with("Missed, 1 of 1: `redis/get/64` 1.50 (1.30–1.60) (goal 1.4, in 1 of 3 runs)")
        );
        assert_eq!(missed(&one), "All 1 goals that were measured were met.");
    }

    #[test]
    fn what_the_bare_parts_reach_stands_beside_the_verdict() {
        let mut runs = [1.3, 1.2, 1.1].map(|median| run(&[("tiers/zipf-mix/64", median, false)]));
        for (run, bare) in runs.iter_mut().zip([1.2, 1.0, 1.1]) {
            run.goals[0].bare = Some(bare);
        }
        assert!(
            table(&runs).contains("| **missed** in 3 of 3 runs; bare parts 1.10 (1.00–1.20) |"),
            "{}",
            table(&runs)
        );
    }

    #[test]
    fn what_is_measured_at_four_numbers_of_tasks_is_a_row() {
        let rows: Vec<(String, f64)> =
            ["1", "16", "64", "256"].iter().map(|tasks| (format!("redis/get/{tasks}"), 20.0)).collect();
        let mut rows: Vec<(&str, f64, bool)> = rows.iter().map(|(id, ratio)| (id.as_str(), *ratio, true)).collect();
        rows.push(("local/set/1", 1.0, true));
        let text = by_tasks(&[run(&rows)]);
        let cell = "20.0 (10.0–40.0)";
        assert_eq!(text.lines().last(), Some(format!("| redis get | {} |", [cell; 4].join(" | ")).as_str()), "{text}");
    }

    #[test]
    fn what_could_not_be_measured_says_why() {
        let text = r#"{"machine":"m","date":"d","command":"c","goals":[{"id":"a/b/1","kind":"time","measured":null,"spread":null,"goal":1.0,"met":false,"error":"no server"}]}"#;
        let runs = [serde_json::from_str(text).unwrap()];
        assert!(table(&runs).contains("| not measured | ≤ 1 | no server |"), "{}", table(&runs));
        assert!(!missed(&runs).contains("a/b/1"));
    }
}
