//! A report as Markdown for README files and pull requests: `report.md`, and its parts for other documents.

use std::fmt::Write as _;

use crate::chart::Unit;
use crate::report::{Report, Status, told};

/// The report in Markdown.
pub(super) fn report(report: &Report) -> String {
    let mut text = String::from("# Where the lines cross\n\n");
    let mut line = |line: &str| {
        text.push_str(line);
        text.push('\n');
    };
    line(&format!("{}.", words(&told::machine(report))));
    line("Ratios and round trips carry over to other machines; absolute times do not.");
    line("");
    for warning in &report.warnings {
        line(&format!("> **Warning:** {}\n", words(warning)));
    }
    line("## Verdicts\n");
    line(verdicts(report).trim_end());
    for answer in report.answers.iter().filter(|answer| answer.status != Status::NotMeasured) {
        line(&format!("\n## {} {}\n", words(&answer.id), words(&answer.question)));
        for rule in &answer.rules {
            line(&format!("- {}", words(rule)));
        }
        for figure in &answer.figures {
            line(&format!("\n![{}]({}.svg)", words(&figure.caption), figure.name));
        }
        line(&format!("\n_{}_", words(&answer.method)));
    }
    if let Some(model) = told::model(&report.validation) {
        line(&format!("\n## Model\n\n{}", words(&model)));
    }
    if !report.not_measured.is_empty() {
        line("\n## Not measured\n");
        for missing in &report.not_measured {
            line(&format!("- {}: {}", words(&missing.what), words(&missing.why)));
        }
    }
    text
}

/// The verdicts as a table: question, verdict, place with its interval, sentence.
#[must_use]
pub fn verdicts(report: &Report) -> String {
    let mut text = String::from("| question | verdict | x* [95 % interval] | rule |\n|---|---|---|---|\n");
    for answer in &report.answers {
        let of_this = report.crossovers.iter().filter(|crossover| crossover.question == answer.id);
        let mut rows: Vec<_> = of_this
            .map(|found| [told::verdict(found.verdict).to_owned(), told::place(found), found.rule.clone()])
            .collect();
        if rows.is_empty() {
            let rule = answer.rules.first().cloned().unwrap_or_default();
            rows.push([told::status(answer.status).to_owned(), String::new(), rule]);
        }
        for (at, row) in rows.iter().enumerate() {
            let question = if at == 0 { format!("{} {}", answer.id, answer.question) } else { answer.id.clone() };
            let cells: Vec<_> = [&question].into_iter().chain(row).map(|cell| words(cell)).collect();
            let _never_fails = writeln!(text, "| {} |", cells.join(" | "));
        }
    }
    text
}

/// The questions that have an answer as a table, with at most so many of the sentences of each.
#[must_use]
pub fn answers(report: &Report, most_rules: usize) -> String {
    let mut text = String::from("| question | what was found |\n|---|---|\n");
    for answer in report.answers.iter().filter(|answer| answer.status != Status::NotMeasured) {
        let rules: Vec<_> = answer.rules.iter().take(most_rules).map(|rule| words(rule)).collect();
        let _never_fails =
            writeln!(text, "| {} {} | {} |", words(&answer.id), words(&answer.question), rules.join("<br>"));
    }
    text
}

/// The machine, the stores with what was read back from them, and how the study was run, as a table.
#[must_use]
pub fn environment(report: &Report) -> String {
    let mut text = String::from("| what | value |\n|---|---|\n");
    let study =
        format!("{} of {} rounds, {}, seed {}", told::mode(report.mode), report.rounds, report.started, report.seed);
    let rows = told::environment(&report.env).into_iter().map(|(name, value)| (name.to_owned(), value));
    let stores = report.env.servers.iter().map(|server| {
        let settings: Vec<_> = server.settings.iter().map(|(name, value)| format!("{name} = {value}")).collect();
        let settings = if settings.is_empty() { String::new() } else { format!(": {}", settings.join(", ")) };
        (server.name.clone(), format!("{}, {}{settings}", server.version, server.origin))
    });
    for (name, value) in [("study".to_owned(), study)].into_iter().chain(rows).chain(stores) {
        let _never_fails = writeln!(text, "| {} | {} |", words(&name), words(&value));
    }
    text
}

/// What the formulas predict beside what was measured, as a table, and what that says of the model.
///
/// `None` if nothing was predicted.
#[must_use]
pub fn validation(report: &Report) -> Option<String> {
    let model = told::model(&report.validation)?;
    let mut text =
        format!("{}\n\n| scenario | predicted | measured | ratio | by |\n|---|---|---|---|---|\n", words(&model));
    for one in &report.validation {
        let [predicted, measured] = [one.predicted_ns, one.measured_ns].map(|mean| Unit::Nanos.text(mean));
        let cells = [&one.scenario, &predicted, &measured, &Unit::Ratio.text(one.ratio), &one.formulas];
        let _never_fails = writeln!(text, "| {} |", cells.map(|cell| words(cell)).join(" | "));
    }
    Some(text)
}

/// Text that is no Markdown, on one line.
#[must_use]
pub fn words(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '|' | '*' | '`' | '[' | ']' | '\\' => {
                let _never_fails = write!(out, "\\{c}");
            }
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}
