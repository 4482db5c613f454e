//! Rows for people and for programs.

use std::io::{self, Write};

use hallway_bench::machine::Origin;
use hallway_bench::ratios::median;
use serde::Serialize;

/// Median, lowest and highest of the rounds.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Range {
    median: f64,
    low: f64,
    high: f64,
}

impl Range {
    pub(crate) fn of(rounds: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut rounds: Vec<_> = rounds.into_iter().collect();
        rounds.sort_by(f64::total_cmp);
        Some(Self { median: median(&rounds)?, low: *rounds.first()?, high: *rounds.last()? })
    }
}

/// How many requests a contender answers, as other programs of this package write what they found.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Row {
    /// `session-request/redis/64`.
    pub(crate) operation: String,
    pub(crate) contender: &'static str,
    /// `requests/s`.
    pub(crate) unit: &'static str,
    #[serde(flatten)]
    pub(crate) measured: Option<Range>,
    /// How many times as many requests hallway answers, round by round: below 1 hallway loses.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) hallway: Option<Range>,
}

/// Prints the rows of one backend.
pub(crate) fn print_table(out: &mut impl Write, rows: &[Row]) -> io::Result<()> {
    for row in rows {
        let rate = row.measured.map_or_else(String::new, |rate| format!("{:.0} requests/s", rate.median));
        let ratio = row.hallway.map_or_else(String::new, |Range { median, low, high }| {
            format!("; hallway {median:.2} times that ({low:.2} to {high:.2})")
        });
        writeln!(out, "{:30} {:38} {rate:>20}{ratio}", row.operation, row.contender)?;
    }
    Ok(())
}

/// Prints `{"sessions":[…]}` with its [`Origin`].
pub(crate) fn print_json(out: &mut impl Write, origin: &Origin, rows: &[Row]) -> io::Result<()> {
    #[derive(Serialize)]
    struct Report<'a> {
        #[serde(flatten)]
        origin: &'a Origin,
        sessions: &'a [Row],
    }
    serde_json::to_writer(&mut *out, &Report { origin, sessions: rows })?;
    writeln!(out)
}
