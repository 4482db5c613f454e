//! `report.md`: the verdicts as a table for README files and pull requests.

use std::fmt::Write as _;

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
    line("| question | verdict | x* [95 % interval] | rule |");
    line("|---|---|---|---|");
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
            line(&format!("| {} |", cells.join(" | ")));
        }
    }
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

/// Text that is no Markdown, on one line.
fn words(text: &str) -> String {
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
