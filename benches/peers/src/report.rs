//! Rows for people and for programs.

use std::io::{self, Write};

use hallway_bench::Result;
use hallway_bench::machine::Origin;
use hallway_bench::ratios::{Rounds, median};
use serde::Serialize;

/// Median, lowest and highest of the rounds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub(crate) struct Range {
    pub(crate) median: f64,
    pub(crate) low: f64,
    pub(crate) high: f64,
}

impl Range {
    pub(crate) fn of(rounds: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut rounds: Vec<_> = rounds.into_iter().collect();
        rounds.sort_by(f64::total_cmp);
        Some(Self { median: median(&rounds)?, low: *rounds.first()?, high: *rounds.last()? })
    }
}

/// What a contender needed for an operation.
#[derive(Debug, Clone, Serialize)]
pub(crate) struct Row {
    /// `what/concurrency`.
    pub(crate) operation: String,
    pub(crate) contender: String,
    /// `ns` per operation, wall clock over the operations of all tasks together; or `loads`.
    pub(crate) unit: &'static str,
    #[serde(flatten)]
    pub(crate) measured: Option<Range>,
    /// How many times as fast as the operation's first contender, round by round.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) speed: Option<Range>,
    /// How many times as fast hallway is as this contender, round by round: below 1 hallway loses. Of loads, how many
    /// times as few hallway makes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) hallway: Option<Range>,
    /// Microseconds of processor time per operation: this process, Redis.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cpu_us: Option<[f64; 2]>,
    /// Why nothing was measured.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) error: Option<String>,
}

impl Row {
    /// `reference` and `ours` are the costs of the operation's first contender and of hallway.
    pub(crate) fn timed(
        operation: &str,
        contender: &str,
        result: &Result<Rounds>,
        reference: Option<&[f64]>,
        ours: Option<&[f64]>,
    ) -> Self {
        let mut row = Self::empty(operation, contender, "ns");
        match result {
            Ok(rounds) => {
                row.measured = Range::of(rounds.costs.iter().copied());
                row.speed = reference.and_then(|reference| times(reference, &rounds.costs));
                row.hallway = ours.and_then(|ours| times(&rounds.costs, ours));
                let micros = |time: std::time::Duration| time.as_secs_f64() * 1e6 / rounds.operations as f64;
                row.cpu_us = Some([micros(rounds.cpu.client), micros(rounds.cpu.server)]);
            }
            Err(error) => row.error = Some(error.to_string()),
        }
        row
    }

    pub(crate) fn loads(operation: &str, contender: &str, result: &Result<Vec<f64>>, ours: Option<&[f64]>) -> Self {
        let mut row = Self::empty(operation, contender, "loads");
        match result {
            Ok(rounds) => {
                row.measured = Range::of(rounds.iter().copied());
                row.hallway = ours.and_then(|ours| times(rounds, ours));
            }
            Err(error) => row.error = Some(error.to_string()),
        }
        row
    }

    fn empty(operation: &str, contender: &str, unit: &'static str) -> Self {
        let (operation, contender) = (operation.to_owned(), contender.to_owned());
        Self { operation, contender, unit, measured: None, speed: None, hallway: None, cpu_us: None, error: None }
    }
}

/// How many times as much the first cost, round by round.
fn times(these: &[f64], those: &[f64]) -> Option<Range> {
    Range::of(these.iter().zip(those).map(|(this, that)| this / that))
}

/// Prints the rows, a gap between operations.
pub(crate) fn print_table(out: &mut impl Write, machine: &str, rows: &[Row]) -> io::Result<()> {
    writeln!(out, "{machine}")?;
    writeln!(out, "values of 1 KiB; medians, with the lowest and the highest round")?;
    let mut operation = "";
    for row in rows {
        if row.operation != operation {
            operation = &row.operation;
            let (unit, speed, cpu) = match row.unit {
                "ns" => ("ns per operation", "speed", "processor us, client+server"),
                unit => (unit, "", ""),
            };
            writeln!(out, "\n{operation:<18} {unit:>34}   {speed:<22} {cpu}")?;
        }
        let measured = row.measured.map_or_else(String::new, |range| {
            let Range { median, low, high } = range;
            format!("{median:>12.0} {:>21}", format!("({low:.0}..{high:.0})"))
        });
        let speed = row.speed.map_or_else(String::new, |range| {
            let Range { median, low, high } = range;
            format!("{median:.2} x ({low:.2}..{high:.2})")
        });
        let cpu = row.cpu_us.map_or_else(String::new, |[client, server]| format!("{client:.2}+{server:.2}"));
        let error = row.error.as_deref().map_or_else(String::new, |error| format!("error: {error}"));
        let line = format!("  {:<16} {measured:>34}   {speed:<22} {cpu}{error}", row.contender);
        writeln!(out, "{}", line.trim_end())?;
    }
    Ok(())
}

/// Prints `{"peers":[…]}` with its [`Origin`].
pub(crate) fn print_json(out: &mut impl Write, origin: &Origin, rows: &[Row]) -> io::Result<()> {
    #[derive(Serialize)]
    struct Report<'a> {
        #[serde(flatten)]
        origin: &'a Origin,
        peers: &'a [Row],
    }
    serde_json::to_writer(&mut *out, &Report { origin, peers: rows })?;
    writeln!(out)
}
