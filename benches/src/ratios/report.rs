//! Outcomes for people and for programs.

use std::io::{self, Write};

use serde::Serialize;

use crate::machine::Origin;
use crate::ratios::{Kind, Outcome};
use crate::stage::{CACHED_BYTES, VALUE_BYTES};

/// Prints one row per goal and how many are met.
///
/// # Errors
/// If standard output is gone.
pub fn print_table(
    out: &mut impl Write,
    machine: &str,
    value_bytes: Option<usize>,
    outcomes: &[Outcome],
) -> io::Result<()> {
    writeln!(out, "{machine}")?;
    let values = match value_bytes {
        None => format!("values of {VALUE_BYTES} bytes, in tiers/ of {CACHED_BYTES}"),
        Some(bytes) => {
            format!("values of {bytes} bytes, while the goals are for {VALUE_BYTES}, in tiers/ {CACHED_BYTES}")
        }
    };
    writeln!(out, "{values}; time ratios are to be small, throughput ratios large\n")?;
    writeln!(
        out,
        "{:<24} {:<10} {:>8} {:>15} {:>7}  {:<6}  processor us/op, client+server: ours / raw / bare parts",
        "goal", "kind", "median", "spread", "goal", ""
    )?;
    for outcome in outcomes {
        let kind = match outcome.kind {
            Kind::Time => "time",
            Kind::Throughput => "throughput",
        };
        let measured = outcome.measured.map_or_else(|| "-".to_owned(), |measured| format!("{measured:.2}"));
        let spread = outcome.spread.map_or_else(|| "-".to_owned(), |[low, high]| format!("{low:.2}..{high:.2}"));
        let cpu = outcome.cpu_us.map_or_else(String::new, |cpu| {
            let side = |[client, server]: [f64; 2]| format!("{client:.2}+{server:.2}");
            let bare = cpu.bare.map_or_else(String::new, |bare| format!(" / {}", side(bare)));
            let ratio = outcome.bare.map_or_else(String::new, |bare| format!("; bare parts {bare:.2}"));
            format!("{} / {}{bare}{ratio}", side(cpu.ours), side(cpu.raw))
        });
        let (id, goal, verdict) = (&outcome.id, outcome.goal, word(outcome));
        let last = outcome.error.as_deref().unwrap_or(&cpu);
        writeln!(out, "{id:<24} {kind:<10} {measured:>8} {spread:>15} {goal:>7.2}  {verdict:<6}  {last}")?;
    }
    let count = |wanted: &str| outcomes.iter().filter(|outcome| word(outcome) == wanted).count();
    writeln!(out, "\n{} met, {} missed, {} not measured", count("met"), count("missed"), count("error"))
}

/// Prints `{"goals":[…]}` with its [`Origin`].
///
/// # Errors
/// If standard output is gone.
pub fn print_json(out: &mut impl Write, origin: &Origin, outcomes: &[Outcome]) -> io::Result<()> {
    #[derive(Serialize)]
    struct Report<'a> {
        #[serde(flatten)]
        origin: &'a Origin,
        goals: &'a [Outcome],
    }
    serde_json::to_writer(&mut *out, &Report { origin, goals: outcomes })?;
    writeln!(out)
}

/// One line of progress.
pub(super) fn verdict(outcome: &Outcome) -> String {
    match (outcome.measured, &outcome.error) {
        (Some(measured), _) => format!("{measured:.2} (goal {:.2}): {}", outcome.goal, word(outcome)),
        (None, error) => format!("error: {}", error.as_deref().unwrap_or("nothing was measured")),
    }
}

fn word(outcome: &Outcome) -> &'static str {
    match (outcome.error.is_some(), outcome.met) {
        (true, _) => "error",
        (false, true) => "met",
        (false, false) => "missed",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ratios::CpuPerOperation;

    fn outcome(measured: Option<f64>, error: Option<&str>) -> Outcome {
        Outcome {
            id: "redis/get/64".into(),
            kind: Kind::Throughput,
            measured,
            spread: measured.map(|measured| [measured, measured]),
            goal: 1.4,
            met: measured.is_some_and(|measured| measured >= 1.4),
            cpu_us: None,
            bare: None,
            error: error.map(Into::into),
        }
    }

    #[test]
    fn json_has_the_documented_fields() {
        let mut out = Vec::new();
        let origin = Origin { machine: "a machine".into(), date: "today".into(), command: "ratios".into() };
        print_json(&mut out, &origin, &[outcome(Some(1.5), None), outcome(None, Some("no server"))]).unwrap();
        let json: serde_json::Value = serde_json::from_slice(&out).unwrap();
        assert_eq!([&json["machine"], &json["date"], &json["command"]], ["a machine", "today", "ratios"]);
        let first = &json["goals"][0];
        assert_eq!(first["id"], "redis/get/64");
        assert_eq!(first["kind"], "throughput");
        assert_eq!(first["measured"], 1.5);
        assert_eq!(first["spread"][1], 1.5);
        assert_eq!((&first["goal"], &first["met"]), (&1.4.into(), &true.into()));
        assert_eq!(json["goals"][1]["measured"], serde_json::Value::Null);
        assert_eq!(json["goals"][1]["error"], "no server");
    }

    #[test]
    fn the_table_counts_what_was_met_missed_and_not_measured() {
        let mut out = Vec::new();
        let outcomes = [outcome(Some(1.5), None), outcome(Some(1.3), None), outcome(None, Some("no server"))];
        print_table(&mut out, "a machine", None, &outcomes).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(text.ends_with("1 met, 1 missed, 1 not measured\n"), "{text}");
        assert!(text.contains("no server"));
    }

    #[test]
    fn bare_parts_stand_beside_what_they_are_parts_of() {
        let cpu = CpuPerOperation { ours: [1.0, 2.0], raw: [3.0, 4.0], bare: Some([5.0, 6.0]) };
        let outcome = Outcome { cpu_us: Some(cpu), bare: Some(1.25), ..outcome(Some(1.5), None) };
        let mut out = Vec::new();
        print_table(&mut out, "a machine", None, &[outcome]).unwrap();
        let text = String::from_utf8(out).unwrap();
        assert!(text.contains("1.00+2.00 / 3.00+4.00 / 5.00+6.00; bare parts 1.25\n"), "{text}");
    }
}
