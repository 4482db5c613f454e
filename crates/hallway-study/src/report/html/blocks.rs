//! The sections of the page.

use std::fmt::Write as _;

use crate::chart::Unit;
use crate::markup::escape;
use crate::report::html::parts::{anchor, bare, figure, grid, list, table};
use crate::report::html::strip::strip;
use crate::report::{Answer, Crossover, NotMeasured, Report, Status, Verdict, told};

/// As many verdicts stand at a sentence at the top; the question has all of them.
const AT_THE_TOP: usize = 3;

/// The most important sentence of every question.
pub(super) fn verdicts(report: &Report) -> String {
    let mut text = String::from("<section id=\"verdicts\">\n<h2>Verdicts</h2>\n<ol class=\"verdicts\">\n");
    for answer in report.answers.iter().filter(|answer| answer.status != Status::NotMeasured) {
        let sentence = answer.rules.first().map_or("No rule follows from what was measured.", String::as_str);
        let _never_fails = write!(
            text,
            "<li><a class=\"id\" href=\"#{}\">{}</a><div><p class=\"asked\">{}</p><p class=\"said\">{}</p>",
            anchor(&answer.id),
            escape(&answer.id),
            escape(&answer.question),
            escape(sentence)
        );
        let found: Vec<_> = of(answer, report).collect();
        if !found.is_empty() {
            text.push_str("<p class=\"chips\">");
            for crossover in found.iter().take(AT_THE_TOP) {
                text.push_str(&chip(crossover, &who(crossover)));
            }
            if found.len() > AT_THE_TOP {
                let more = found.len() - AT_THE_TOP;
                let _never_fails = write!(text, "<a href=\"#{}\">{more} more</a>", anchor(&answer.id));
            }
            text.push_str("</p>");
        }
        text.push_str("</div></li>\n");
    }
    text.push_str("</ol>\n</section>\n");
    text
}

/// One question with everything that belongs to it.
pub(super) fn question(answer: &Answer, report: &Report) -> String {
    if answer.status == Status::NotMeasured {
        return String::new();
    }
    let id = anchor(&answer.id);
    let status = told::status(answer.status);
    let mut text = format!(
        "<section class=\"question\" id=\"{id}\">\n<p class=\"eyebrow\"><a href=\"#{id}\">{}</a> {status}</p>\n\
         <h2>{}</h2>\n",
        escape(&answer.id),
        escape(&answer.question)
    );
    text.push_str(&list("rules", &answer.rules));
    for picture in &answer.figures {
        text.push_str(&figure(picture, None));
    }
    let found: Vec<_> = of(answer, report).collect();
    if !found.is_empty() {
        text.push_str(&pairs(&found));
    }
    for numbers in &answer.tables {
        text.push_str(&table(numbers));
    }
    if !answer.method.is_empty() {
        let _never_fails = writeln!(text, "<p class=\"method\"><b>How</b> {}</p>", escape(&answer.method));
    }
    text.push_str(&list("caveats", &answer.caveats));
    text.push_str("</section>\n");
    text
}

/// What the formulas predicted.
pub(super) fn validation(report: &Report) -> String {
    let Some(sentence) = told::model(&report.validation) else { return String::new() };
    let rows: Vec<Vec<String>> = report
        .validation
        .iter()
        .map(|row| {
            let (class, word) = if told::is_in_range(row) { ("good", "holds") } else { ("bad", "out of range") };
            let chip = format!("<span class=\"chip {class}\">{word}</span>");
            let times = [row.predicted_ns, row.measured_ns].map(|time| escape(&Unit::Nanos.text(time)));
            let [predicted, measured] = times;
            vec![escape(&row.scenario), predicted, measured, format!("{:.2}", row.ratio), chip, escape(&row.formulas)]
        })
        .collect();
    let columns = ["scenario", "predicted", "measured", "ratio", "verdict", "formulas"];
    format!(
        "<section id=\"validation\">\n<h2>Do the formulas hold?</h2>\n<p>{}</p>\n{}</section>\n",
        escape(&sentence),
        grid("Mean per request, predicted and measured end to end", &columns, &rows)
    )
}

/// What is missing, and why.
pub(super) fn not_measured(report: &Report) -> String {
    let missing = report.answers.iter().filter(|answer| answer.status == Status::NotMeasured);
    let questions = missing.map(|answer| {
        let is_this = |missing: &&NotMeasured| missing.what == answer.id;
        let known = report.not_measured.iter().find(is_this).map(|missing| &missing.why);
        let why = known.or(answer.rules.first()).map_or("What it needs was not there.", String::as_str);
        NotMeasured { what: format!("{} {}", answer.id, answer.question), why: why.to_owned() }
    });
    let is_question = |missing: &&NotMeasured| report.answers.iter().any(|answer| answer.id == missing.what);
    let others = report.not_measured.iter().filter(|missing| !is_question(missing)).cloned();
    let all: Vec<_> = others.chain(questions).collect();
    if all.is_empty() {
        return String::new();
    }
    let mut text = String::from("<section id=\"not-measured\">\n<h2>Not measured</h2>\n<dl class=\"missing\">\n");
    for NotMeasured { what, why } in all {
        let _never_fails = writeln!(text, "<dt>{}</dt><dd>{}</dd>", escape(&what), escape(&why));
    }
    text.push_str("</dl>\n</section>\n");
    text
}

/// The machine and its servers.
pub(super) fn environment(report: &Report) -> String {
    let mut text = String::from(
        "<section id=\"environment\">\n<h2>The machine</h2>\n<p>Ratios and round trips carry over to other machines. \
         Absolute times do not: clients and servers were on one machine.</p>\n<dl class=\"facts\">\n",
    );
    for (name, value) in told::environment(&report.env) {
        let _never_fails = writeln!(text, "<div><dt>{name}</dt><dd>{}</dd></div>", escape(&value));
    }
    let _never_fails = writeln!(text, "<div><dt>seed</dt><dd>{}</dd></div>\n</dl>", report.seed);
    let settings = |settings: &std::collections::BTreeMap<String, String>| {
        let pairs: Vec<_> = settings.iter().map(|(name, value)| format!("{name} = {value}")).collect();
        format!("<code>{}</code>", escape(&pairs.join(", ")))
    };
    let rows: Vec<Vec<String>> = report
        .env
        .servers
        .iter()
        .map(|server| {
            let words = [&server.name, &server.version, &server.origin].map(|word| escape(word));
            words.into_iter().chain([settings(&server.settings)]).collect()
        })
        .collect();
    if !rows.is_empty() {
        text.push_str(&grid("Stores, with settings read back", &["store", "version", "origin", "settings"], &rows));
    }
    text.push_str("</section>\n");
    text
}

/// Every primitive, folded away until asked for.
pub(super) fn numbers(report: &Report) -> String {
    let time = |time: f64| Unit::Nanos.text(time);
    let primitives: Vec<Vec<String>> = report
        .primitives
        .iter()
        .map(|row| {
            let bytes = Unit::Bytes.text(row.bytes as f64);
            let [low, high] = row.ci95.map(time);
            let rtt = Unit::Micros.text(row.rtt_us);
            let cells = [row.backend.clone(), row.op.clone(), bytes, row.tasks.to_string(), row.batch.to_string(), rtt];
            cells.into_iter().chain([time(row.median_ns), low, high]).map(|cell| escape(&cell)).collect()
        })
        .collect();
    let wire: Vec<Vec<String>> = report
        .wire
        .iter()
        .map(|row| {
            let counts = [u64::from(row.batch), row.round_trips, row.wire_bytes[0], row.wire_bytes[1]];
            [&row.backend, &row.op]
                .map(|word| escape(word))
                .into_iter()
                .chain(counts.map(|count| count.to_string()))
                .collect()
        })
        .collect();
    let fits: Vec<Vec<String>> = report
        .fits
        .iter()
        .map(|row| {
            let optional = |value: Option<String>| value.unwrap_or_default();
            let per_byte = optional(row.ns_per_byte.map(time));
            let trips = optional(row.k_rtt.map(|trips| Unit::Ratio.text(trips)));
            [row.backend.clone(), row.op.clone(), time(row.a_ns), per_byte, trips].map(|cell| escape(&cell)).into()
        })
        .collect();
    let of_primitives = ["backend", "operation", "value", "tasks", "batch", "added RTT", "median", "95 % from", "to"];
    let mut text = String::from("<section id=\"numbers\">\n<h2>All numbers</h2>\n");
    for (name, columns, rows) in [
        ("What single operations cost", &of_primitives[..], primitives),
        (
            "What they put on the wire",
            &["backend", "operation", "batch", "round trips", "bytes to", "bytes from"],
            wire,
        ),
        ("Costs as straight lines", &["backend", "operation", "at zero", "per byte", "round trips"], fits),
    ] {
        if !rows.is_empty() {
            let count = rows.len();
            let caption = format!("{name} ({count})");
            let table = bare(name, columns, &rows);
            let _never_fails = write!(text, "<details><summary>{caption}</summary>\n{table}</details>\n");
        }
    }
    text.push_str("</section>\n");
    text
}

fn of<'a>(answer: &'a Answer, report: &'a Report) -> impl Iterator<Item = &'a Crossover> {
    report.crossovers.iter().filter(|crossover| crossover.question == answer.id)
}

/// Who wins, and where it turns.
fn who(crossover: &Crossover) -> String {
    match &crossover.points[..] {
        [only] => format!("{}, from {} {}", only.left, Unit::of_name(&crossover.axis).text(only.x), only.right),
        _ => told::winner(crossover),
    }
}

fn chip(crossover: &Crossover, words: &str) -> String {
    let class = match crossover.verdict {
        Verdict::Crossover | Verdict::Multiple => "cross",
        Verdict::Equal => "even",
        Verdict::Inconclusive => "open",
        Verdict::NoCrossover => "won",
    };
    let (verdict, words) = (told::verdict(crossover.verdict), escape(words));
    format!("<span class=\"chip {class}\"><b>{verdict}</b> {words}</span> ")
}

/// Every pair that was judged: names, verdict, strip, sentence.
fn pairs(found: &[&Crossover]) -> String {
    let mut text = String::from("<div class=\"pairs\">\n");
    for crossover in found {
        let name = |name: &str, class: &str| format!("<span class=\"{class}\">{}</span>", escape(name));
        let _never_fails = write!(
            text,
            "<div class=\"pair\"><p class=\"names\">{} <i>or</i> {} {}</p>{}<p class=\"place\">{}</p>",
            name(&crossover.a, "name-a"),
            name(&crossover.b, "name-b"),
            chip(crossover, ""),
            strip(crossover),
            escape(&told::place(crossover))
        );
        let mut notes = vec![escape(&crossover.rule)];
        if let Some(share) = crossover.p_cross {
            notes.push(format!("{} of the resamples cross once.", escape(&Unit::Share.text(share))));
        }
        if let Some(check) = &crossover.cross_check {
            let unit = Unit::of_name(&crossover.axis);
            let said = match (check.x, check.ci95) {
                (None, _) => "supports no crossing".to_owned(),
                (Some(x), None) => format!("says {} with no bound", unit.text(x)),
                (Some(x), Some([low, high])) => {
                    format!("says {} [{}, {}]", unit.text(x), unit.text(low), unit.text(high))
                }
            };
            notes.push(escape(&format!("The model of straight lines ({}) {said}.", check.method)));
        }
        let _never_fails = writeln!(text, "<p class=\"note\">{}</p></div>", notes.join(" "));
    }
    text.push_str("</div>\n");
    text
}
