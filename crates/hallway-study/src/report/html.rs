//! `index.html`: the whole report on one page that needs nothing else, neither a network nor scripts.

mod blocks;
pub(super) mod page;
mod parts;
mod strip;

use std::fmt::Write as _;

use crate::markup::escape;
use crate::report::html::parts::anchor;
use crate::report::{Report, Status, told};

/// Figures of these questions stand at the top, in this order.
const HEADLINES: [&str; 3] = ["Q3", "Q9", "Q6"];

/// The page; `json` is what it lets the reader save.
pub(super) fn report(report: &Report, json: &str) -> String {
    let mut body = String::new();
    let mut part = |text: String| body.push_str(&text);
    part(head(report));
    part("<div class=\"columns\">\n".into());
    part(contents(report));
    part("<main>\n".into());
    part(blocks::verdicts(report));
    part(headlines(report));
    for answer in &report.answers {
        part(blocks::question(answer, report));
    }
    part(blocks::validation(report));
    part(blocks::not_measured(report));
    part(blocks::environment(report));
    part(blocks::numbers(report));
    part("</main>\n</div>\n".into());
    part(foot(json));
    page::document("Where the lines cross", &body)
}

fn head(report: &Report) -> String {
    let mut text = format!(
        "<header>\n<p class=\"eyebrow\">hallway {}</p>\n<h1>Where the lines cross</h1>\n\
         <p class=\"lede\">Local, shared and consistent state, measured on one machine: {}.</p>\n",
        escape(told::mode(report.mode)),
        escape(&told::machine(report))
    );
    if !report.warnings.is_empty() {
        text.push_str("<div class=\"warnings\" role=\"note\"><h2>Read with care</h2>\n<ul>\n");
        for warning in &report.warnings {
            let _never_fails = writeln!(text, "<li>{}</li>", escape(warning));
        }
        text.push_str("</ul></div>\n");
    }
    text.push_str("</header>\n");
    text
}

fn contents(report: &Report) -> String {
    let mut text = String::from("<nav class=\"contents\" aria-label=\"Contents\">\n<ol>\n");
    let mut entry = |to: &str, short: &str, long: &str| {
        let _never_fails = writeln!(text, "<li><a href=\"#{to}\"><b>{short}</b> <span>{long}</span></a></li>");
    };
    entry("verdicts", "Verdicts", "");
    for answer in report.answers.iter().filter(|answer| answer.status != Status::NotMeasured) {
        entry(&anchor(&answer.id), &escape(&answer.id), &escape(&answer.question));
    }
    if !report.validation.is_empty() {
        entry("validation", "Model", "");
    }
    if has_gaps(report) {
        entry("not-measured", "Not measured", "");
    }
    entry("environment", "Machine", "");
    entry("numbers", "Numbers", "");
    text.push_str("</ol>\n</nav>\n");
    text
}

fn has_gaps(report: &Report) -> bool {
    !report.not_measured.is_empty() || report.answers.iter().any(|answer| answer.status == Status::NotMeasured)
}

fn headlines(report: &Report) -> String {
    let answers = HEADLINES.iter().filter_map(|id| report.answers.iter().find(|answer| answer.id == *id));
    let figures: Vec<_> = answers.filter_map(|answer| Some((answer, answer.figures.first()?))).collect();
    if figures.is_empty() {
        return String::new();
    }
    let mut text = String::from("<section id=\"headlines\">\n<h2>At a glance</h2>\n<div class=\"gallery\">\n");
    for (answer, figure) in figures {
        text.push_str(&parts::figure(figure, Some((&anchor(&answer.id), &answer.id))));
    }
    text.push_str("</div>\n</section>\n");
    text
}

fn foot(json: &str) -> String {
    use base64::Engine as _;
    let data = base64::engine::general_purpose::STANDARD.encode(json);
    format!(
        "<footer>\n<p><a class=\"save\" download=\"crossover.json\" href=\"data:application/json;base64,{data}\">Save \
         the raw data (crossover.json)</a></p>\n\
         <p>Beside this page lie <code>report.md</code> for pull requests, each figure as SVG, the JSON Schema of the raw \
         data, and <code>github-action-benchmark.json</code> for its tool <code>customSmallerIsBetter</code>.</p>\n\
         <p>Two studies compare with <code>cargo hallway compare OLD.json NEW.json</code>. Single rounds compare with \
         <code>critcmp --target-dir . r01 r02</code>, typed in the folder of this page: criterion&#39;s own files are \
         under <code>criterion</code>, one baseline for each round.</p>\n</footer>\n"
    )
}
