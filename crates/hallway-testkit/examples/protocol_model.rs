//! Searches every variant of the coherence protocol and prints what was found:
//! `cargo run --release -p hallway-testkit --example protocol_model`.
//!
//! With `--larger` also those beyond the specification; with `--paths` the way to each violation.

use std::process::ExitCode;
use std::time::Instant;

use hallway_testkit::protocol::{Expected, Outcome, Report, Variant, explore, larger_variants, variants};

fn main() -> ExitCode {
    let asked = |flag: &str| std::env::args().any(|argument| argument == flag);
    let mut all = variants();
    if asked("--larger") {
        all.extend(larger_variants());
    }
    println!("| variant | result | states | seconds |\n|---|---|--:|--:|");
    let mut as_expected = true;
    for variant in &all {
        let started = Instant::now();
        let report = explore(variant);
        let fits = fits(variant, &report);
        as_expected &= fits;
        println!(
            "| {} | {}{} | {} | {:.2} |",
            variant.name,
            describe(&report.outcome),
            if fits { "" } else { " (NOT AS EXPECTED)" },
            report.states,
            started.elapsed().as_secs_f64()
        );
        if let (true, Outcome::Violated { path, .. }) = (asked("--paths"), &report.outcome) {
            for step in path {
                println!("    {step}");
            }
        }
    }
    if as_expected { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn describe(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Holds => "holds, every state seen".to_owned(),
        Outcome::TooMany => "no violation so far, too many states".to_owned(),
        Outcome::Violated { property, path } => format!("{property}, in {} steps", path.len()),
    }
}

fn fits(variant: &Variant, report: &Report) -> bool {
    match (variant.expected, &report.outcome) {
        (Some(Expected::Holds(states)), Outcome::Holds) => states == report.states,
        (Some(Expected::Violated(expected, states)), Outcome::Violated { property, .. }) => {
            expected == *property && states == report.states
        }
        (None, _) => true,
        _ => false,
    }
}
