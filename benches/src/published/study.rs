//! Blocks from the crossover study.

use hallway_study::chart::Chart;
use hallway_study::report::{Report, StudyMode, markdown};

use super::raw::missing;
use crate::machine::Origin;

/// What measures it.
pub(super) const COMMAND: &str = "cargo hallway compare --full --start && cp report/crossover.json docs/benchmarks/";

/// Where, when and how it was measured, in a line each.
pub(super) fn origin(report: &Report) -> Origin {
    let env = &report.env;
    let servers = env.servers.iter().map(|server| format!("{} {}", server.name, server.version));
    let machine = [env.cpu.clone(), format!("{} cores", env.cores), env.kernel.clone()].into_iter().chain(servers);
    Origin { machine: machine.collect::<Vec<_>>().join(", "), date: report.started.clone(), command: command(report) }
}

fn command(report: &Report) -> String {
    let mut command = "cargo hallway compare".to_owned();
    if report.mode == StudyMode::Full {
        command.push_str(" --full");
    }
    if report.answers.len() < hallway_study::study::questions().len() {
        let ids: Vec<&str> = report.answers.iter().map(|answer| answer.id.as_str()).collect();
        command.push_str(&format!(" --only {}", ids.join(",")));
    }
    if let Some(slower) = &report.slower {
        let flag = if slower.computed { "what-if" } else { "inject" };
        command.push_str(&format!(" --{flag} {}={}", slower.backend, slower.delay_us));
    }
    command
}

fn or_missing(study: Option<&Report>, text: impl FnOnce(&Report) -> String) -> String {
    study.map_or_else(|| missing(COMMAND), text)
}

/// The questions with at most so many of their sentences, the most important first.
pub(super) fn answers(study: Option<&Report>, most_rules: usize) -> String {
    or_missing(study, |report| markdown::answers(report, most_rules))
}

/// Every verdict.
pub(super) fn verdicts(study: Option<&Report>) -> String {
    or_missing(study, markdown::verdicts)
}

/// The machine and the stores, and why their numbers are to be read with care.
pub(super) fn machine(study: Option<&Report>) -> String {
    or_missing(study, |report| {
        let warnings = report.warnings.iter().map(|warning| format!("\n> **Warning:** {}\n", markdown::words(warning)));
        markdown::environment(report) + &warnings.collect::<String>()
    })
}

/// Predicted beside measured means.
pub(super) fn validation(study: Option<&Report>) -> String {
    or_missing(study, |report| {
        markdown::validation(report).unwrap_or_else(|| "This study ran no scenario end to end.".to_owned())
    })
}

/// What the study left out.
pub(super) fn not_measured(study: Option<&Report>) -> String {
    or_missing(study, |report| {
        if report.not_measured.is_empty() {
            return "Nothing was left out.".to_owned();
        }
        let left_out = report.not_measured.iter();
        left_out.map(|one| format!("- {}: {}\n", markdown::words(&one.what), markdown::words(&one.why))).collect()
    })
}

/// A figure of the study by its name, with its caption.
pub(super) fn figure(name: &str, study: Option<&Report>) -> Option<(String, Chart)> {
    let figures = study?.answers.iter().flat_map(|answer| &answer.figures);
    figures.filter(|figure| figure.name == name).map(|figure| (figure.caption.clone(), figure.chart.clone())).next()
}
