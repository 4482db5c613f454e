//! The page: well formed, complete, in order, and in need of nothing else.

use std::collections::BTreeSet;
use std::fs;

use base64::Engine as _;
use hallway_study::report::{self, Report};
use roxmltree::{Document, Node, ParsingOptions};

use crate::sample;

fn parse(page: &str) -> Document<'_> {
    let options = ParsingOptions { allow_dtd: true, ..ParsingOptions::default() };
    Document::parse_with_options(page, options).unwrap_or_else(|error| panic!("{error}"))
}

/// Sections, heads, links and chips, without pictures, styles and data.
pub(crate) fn outline(page: &str) -> String {
    fn walk(node: Node<'_, '_>, depth: usize, text: &mut String) {
        if !node.is_element() {
            if let Some(words) = node.text().map(str::trim).filter(|words| !words.is_empty()) {
                text.push_str(&format!("{:depth$}{words}\n", ""));
            }
            return;
        }
        let name = node.tag_name().name();
        let mut head = name.to_owned();
        for (mark, attribute) in [('#', "id"), ('.', "class"), ('>', "href")] {
            if let Some(value) = node.attribute(attribute) {
                let short = value.split_once(";base64,").map_or(value, |(kind, _)| kind);
                head.push_str(&format!("{mark}{short}"));
            }
        }
        text.push_str(&format!("{:depth$}{head}\n", ""));
        if !["svg", "style"].contains(&name) {
            node.children().for_each(|child| walk(child, depth + 1, text));
        }
    }
    let mut text = String::new();
    walk(parse(page).root_element(), 0, &mut text);
    text
}

fn written(report: &Report) -> (String, String) {
    let folder = tempfile::tempdir().unwrap();
    let files = report::write(report, folder.path()).unwrap();
    (fs::read_to_string(files.index).unwrap(), fs::read_to_string(files.json).unwrap())
}

/// What an element says, with that of the elements in it.
fn words(node: Node<'_, '_>) -> String {
    let all: Vec<_> = node.descendants().filter_map(|node| if node.is_text() { node.text() } else { None }).collect();
    all.concat()
}

fn stands_alone(document: &Document<'_>) {
    let elements = || document.descendants().filter(Node::is_element);
    let ids: Vec<_> = elements().filter_map(|node| node.attribute("id")).collect();
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len(), "each id once: {ids:?}");
    for node in elements() {
        let name = node.tag_name().name();
        assert!(!["script", "img", "iframe", "object", "embed", "form", "base"].contains(&name), "{node:?}");
        for attribute in node.attributes() {
            assert!(!attribute.name().starts_with("on") && attribute.name() != "src", "{attribute:?}");
            assert!(!attribute.value().contains("://") && !attribute.value().contains("javascript:"), "{attribute:?}");
        }
        if let Some(target) = node.attribute("href") {
            let leads_here = target.strip_prefix('#').is_some_and(|id| ids.contains(&id));
            assert!(leads_here || target.starts_with("data:"), "{target}");
        }
        if name == "style" {
            let style = words(node);
            assert!(!style.contains("url(") && !style.contains("@import"), "{style}");
        }
        if name == "table" {
            assert_eq!(
                node.parent().and_then(|node| node.attribute("class")),
                Some("scroll"),
                "tables scroll in a box"
            );
        }
    }
    assert!(!words(document.root_element()).contains("://"), "no address is spelled out");
}

#[test]
fn the_page_needs_nothing_and_leads_nowhere_else() {
    let (page, _) = written(&sample::report());
    stands_alone(&parse(&page));
    assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt;"), "hostile text is there, as text");
}

#[test]
fn everything_of_the_report_is_on_the_page() {
    let report = sample::report();
    let (page, _) = written(&report);
    let document = parse(&page);
    let text = words(document.root_element());
    // As it comes out of XML: without the character that it forbids.
    let shown = |words: &str| words.replace('\u{1}', "\u{fffd}");
    let has = |words: &str| assert!(text.contains(&shown(words)), "`{words}` is not there");
    report.warnings.iter().for_each(|words| has(words));
    for answer in &report.answers {
        [&answer.question, &answer.id].into_iter().chain(&answer.rules).for_each(|words| has(words));
        answer.figures.iter().for_each(|figure| has(&figure.caption));
        if answer.status != report::Status::NotMeasured {
            answer.caveats.iter().chain([&answer.method]).for_each(|words| has(words));
        }
        for table in &answer.tables {
            [&table.caption]
                .into_iter()
                .chain(&table.columns)
                .chain(table.rows.iter().flatten())
                .for_each(|words| has(words));
        }
    }
    for found in &report.crossovers {
        [&found.a, &found.b, &found.rule].into_iter().for_each(|words| has(words));
    }
    report.validation.iter().for_each(|row| has(&row.scenario));
    report.not_measured.iter().for_each(|row| [&row.what, &row.why].into_iter().for_each(|words| has(words)));
    for server in &report.env.servers {
        server.settings.iter().for_each(|(name, value)| has(&format!("{name} = {value}")));
    }
    [
        "1.26 ms [1.07 ms, 1.51 ms]",
        "620 to 3100 times",
        "only 1 of 2 predicted means",
        "critcmp --target-dir . r01 r02",
        "99.1 % of the resamples",
        "supports no crossing",
    ]
    .into_iter()
    .for_each(has);
}

#[test]
fn verdicts_come_first_then_figures_then_questions() {
    let (page, _) = written(&sample::report());
    let document = parse(&page);
    let sections = document.descendants().filter(|node| node.has_tag_name(("http://www.w3.org/1999/xhtml", "section")));
    let ids: Vec<_> = sections.filter_map(|node| node.attribute("id")).collect();
    let wanted = [
        "verdicts",
        "headlines",
        "q1",
        "q2",
        "q3",
        "q6",
        "q9",
        "q11",
        "validation",
        "not-measured",
        "environment",
        "numbers",
    ];
    assert_eq!(ids, wanted);
    // Warnings stand before all of them.
    assert!(page.find("Read with care").unwrap() < page.find("id=\"verdicts\"").unwrap());
}

#[test]
fn the_raw_data_can_be_saved_from_the_page() {
    let (page, json) = written(&sample::report());
    let document = parse(&page);
    let link = document.descendants().find(|node| node.attribute("download") == Some("crossover.json")).unwrap();
    let data = link.attribute("href").unwrap().strip_prefix("data:application/json;base64,").unwrap();
    let bytes = base64::engine::general_purpose::STANDARD.decode(data).unwrap();
    assert_eq!(String::from_utf8(bytes).unwrap(), json);
}

#[test]
fn a_report_with_nothing_in_it_is_a_page_too() {
    let mut report = sample::report();
    report.warnings.clear();
    report.answers.clear();
    report.crossovers.clear();
    report.primitives.clear();
    report.wire.clear();
    report.fits.clear();
    report.validation.clear();
    report.not_measured.clear();
    report.env.servers.clear();
    let (page, _) = written(&report);
    stands_alone(&parse(&page));
    assert!(!page.contains("Read with care") && !page.contains("Not measured"));
}

#[test]
fn a_figure_without_a_study_has_a_page_of_its_own() {
    let report = sample::report();
    let (figures, tables) = (sample::figures(), &report.answers[0].tables);
    let page = report::page(sample::HOSTILE, "From <1,000> keys", &figures[3..4], tables);
    let document = parse(&page);
    stands_alone(&document);
    let count = |name: &str| document.descendants().filter(|node| node.tag_name().name() == name).count();
    assert_eq!((count("figure"), count("table"), count("h1")), (1, 1, 1));
    assert!(words(document.root_element()).contains("From <1,000> keys"));
}
