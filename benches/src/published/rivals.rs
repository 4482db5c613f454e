//! Rivals: tables of `benches/peers`, with the rows that hallway loses.

use hallway_study::report::markdown::words;
use serde::Deserialize;

use super::goals::{range, ratio};
use super::raw::{RivalRun, missing};

/// What measures caches.
pub(super) const PEERS: &str = "cargo run --release --manifest-path benches/peers/Cargo.toml --bin hallway-peers -- --json > docs/benchmarks/peers.json";

/// What measures sessions.
pub(super) const SESSIONS: &str =
    "cargo bench --manifest-path benches/peers/Cargo.toml --bench sessions -- --json > docs/benchmarks/sessions.json";

/// What a contender needed for an operation.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Row {
    operation: String,
    contender: String,
    /// `ns` per operation, `loads`, or `requests/s`.
    unit: String,
    median: Option<f64>,
    low: Option<f64>,
    high: Option<f64>,
    /// How many times as good hallway is, round by round.
    hallway: Option<Times>,
    error: Option<String>,
}

#[derive(Debug, Clone, Copy, Deserialize)]
struct Times {
    median: f64,
    low: f64,
    high: f64,
}

/// Who is better.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Better {
    Contender,
    Hallway,
    Neither,
}

impl Row {
    fn is_ours(&self) -> bool {
        self.contender == "hallway" || self.contender.starts_with("hallway:")
    }

    /// Only if it is so in every round.
    fn better(&self) -> Option<Better> {
        let times = self.hallway.filter(|_| !self.is_ours())?;
        Some(match () {
            () if times.low > 1.0 => Better::Hallway,
            () if times.high < 1.0 => Better::Contender,
            () => Better::Neither,
        })
    }

    fn measured(&self) -> String {
        let unit = match self.unit.as_str() {
            "ns" => " ns",
            "loads" => "",
            other => &format!(" {other}"),
        };
        let whole = |value: f64| format!("{value:.0}");
        match (self.median, self.low.zip(self.high)) {
            (Some(median), Some((low, high))) if whole(low) != whole(high) => {
                format!("{median:.0}{unit} ({low:.0}–{high:.0})")
            }
            (Some(median), _) => format!("{median:.0}{unit}"),
            (None, _) => words(self.error.as_deref().unwrap_or("not measured")),
        }
    }

    fn verdict(&self) -> String {
        let (Some(better), Some(times)) = (self.better(), self.hallway) else { return String::new() };
        let range = range([times.median, times.low, times.high]);
        match (better, self.unit.as_str()) {
            (Better::Neither, "loads") if times.median == 1.0 => "as many loads".to_owned(),
            (_, "loads") => match better {
                Better::Contender => format!("**hallway loses**: {} times as many loads", ratio(1.0 / times.median)),
                _ => format!("{} times as many as hallway", ratio(times.median)),
            },
            (Better::Contender, _) => format!("**hallway loses**: {range} times as fast as this"),
            (Better::Hallway, _) => format!("hallway {range} times as fast"),
            (Better::Neither, _) => format!("neither in every round: hallway {range} times as fast"),
        }
    }
}

/// One table for each operation.
pub(super) fn tables(runs: &[RivalRun], command: &str) -> String {
    let Some(run) = runs.last() else { return missing(command) };
    let mut text = String::new();
    let mut operation = "";
    for row in &run.rows {
        if row.operation != operation {
            operation = &row.operation;
            text.push_str(&format!("\n| `{operation}` | measured | beside it |\n|---|---|---|\n"));
        }
        text.push_str(&format!("| {} | {} | {} |\n", words(&row.contender), row.measured(), row.verdict()));
    }
    text
}

/// What hallway loses in every round, plainly.
pub(super) fn lost(peers: &[RivalRun], sessions: &[RivalRun]) -> String {
    let runs: Vec<&RivalRun> = peers.last().into_iter().chain(sessions.last()).collect();
    if runs.is_empty() {
        return missing(PEERS);
    }
    let rows = || runs.iter().flat_map(|run| &run.rows);
    let lost: Vec<String> = rows()
        .filter(|row| row.better() == Some(Better::Contender))
        .filter_map(|row| {
            let times = row.hallway?;
            Some(format!(
                "`{}` against {} ({})",
                row.operation,
                words(&row.contender),
                range([times.median, times.low, times.high])
            ))
        })
        .collect();
    let compared = rows().filter(|row| row.better().is_some()).count();
    match lost.len() {
        0 => format!("Of {compared} rows hallway loses none."),
        some => format!(
            "Of {compared} rows hallway loses {some}; in parentheses its speed relative to theirs: {}.",
            lost.join("; ")
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RUN: &str = r#"{"machine":"m","date":"d","command":"c","peers":[
        {"operation":"get/1","contender":"raw","unit":"ns","median":100.0,"low":90.0,"high":110.0,"speed":{"median":1,"low":1,"high":1},"hallway":{"median":0.5,"low":0.4,"high":0.6}},
        {"operation":"get/1","contender":"hallway","unit":"ns","median":200.0,"low":190.0,"high":210.0,"hallway":{"median":1.0,"low":1.0,"high":1.0}},
        {"operation":"get/1","contender":"slow","unit":"ns","median":400.0,"low":390.0,"high":410.0,"hallway":{"median":2.0,"low":1.9,"high":2.1}},
        {"operation":"loads/1x10","contender":"herd","unit":"loads","median":10.0,"low":10.0,"high":10.0,"hallway":{"median":10.0,"low":10.0,"high":10.0}},
        {"operation":"loads/1x10","contender":"broken","unit":"loads","error":"it | hangs"}]}"#;

    #[test]
    fn rows_that_are_lost_say_so() {
        let runs = [serde_json::from_str(RUN).unwrap()];
        let text = tables(&runs, PEERS);
        for row in [
            "| raw | 100 ns (90–110) | **hallway loses**: 0.50 (0.40–0.60) times as fast as this |",
            "| hallway | 200 ns (190–210) |  |",
            "| slow | 400 ns (390–410) | hallway 2.00 (1.90–2.10) times as fast |",
            "| herd | 10 | 10.0 times as many as hallway |",
            "| broken | it \\| hangs |  |",
        ] {
            assert!(text.contains(row), "{row}: {text}");
        }
        let lost = lost(&runs, &[]);
        assert!(lost.starts_with("Of 3 rows hallway loses 1;") && lost.contains("`get/1` against raw (0.50"), "{lost}");
    }

    #[test]
    fn requests_per_second_are_written_with_their_unit() {
        let text = r#"{"machine":"m","date":"d","command":"c","sessions":[
            {"operation":"session-request/redis/64","contender":"hallway: load","unit":"requests/s","median":50000.0,"low":40000.0,"high":60000.0},
            {"operation":"session-request/redis/64","contender":"tower","unit":"requests/s","median":10000.0,"low":9000.0,"high":11000.0,"hallway":{"median":5.0,"low":0.9,"high":6.0}}]}"#;
        let text = tables(&[serde_json::from_str(text).unwrap()], SESSIONS);
        assert!(text.contains("| hallway: load | 50000 requests/s (40000–60000) |  |"), "{text}");
        assert!(text.contains("neither in every round: hallway 5.00 (0.90–6.00) times as fast"), "{text}");
    }
}
