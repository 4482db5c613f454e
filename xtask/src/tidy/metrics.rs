//! Every metric is exported, documented, and called by its name in the dashboard.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::tidy::{Finding, SourceFile};

const DASHBOARD: &str = "docs/grafana/hallway.json";
const GUIDE: &str = "docs/guide/observability.md";

/// How the name of a metric ends: by its unit, or by what it says.
const ENDINGS: [&str; 5] = ["_invalidations", "_ready", "_seconds", "_state", "_total"];

/// What a recorder for Prometheus makes of one histogram.
const PARTS: [&str; 3] = ["_bucket", "_count", "_sum"];

/// Compares the names in the sources of the crates with the tables of the guide, and the queries of guide and dashboard with
/// both.
pub(super) fn check(files: &[SourceFile]) -> Vec<Finding> {
    let find = |path: &str| files.iter().find(|file| file.path == path);
    let (Some(guide), Some(dashboard)) = (find(GUIDE), find(DASHBOARD)) else {
        return vec![format!("{GUIDE} or {DASHBOARD} is missing")];
    };
    let exported: BTreeSet<&str> = files.iter().filter(|file| is_source(&file.path)).flat_map(literals).collect();
    let documented: BTreeSet<&str> = guide.text.lines().filter_map(row).collect();
    let mut findings = Vec::new();
    for name in exported.difference(&documented) {
        findings.push(format!("{GUIDE}: no table has a row for `{name}`"));
    }
    for name in documented.difference(&exported) {
        findings.push(format!("{GUIDE}: there is a row for `{name}`, which nothing exports"));
    }
    findings.extend(unknown(GUIDE, &guide.text, &exported));
    match queries(&dashboard.text) {
        Ok(queries) => findings.extend(unknown(DASHBOARD, &queries.join("\n"), &exported)),
        Err(wrong) => findings.push(format!("{DASHBOARD}: {wrong}")),
    }
    findings
}

fn is_source(path: &str) -> bool {
    path.starts_with("crates/") && path.contains("/src/") && path.ends_with(".rs")
}

/// The names of metrics that stand as they are between quotes.
fn literals(file: &SourceFile) -> impl Iterator<Item = &str> {
    file.text.lines().filter(|line| !line.trim_start().starts_with("//")).flat_map(|line| line.split('"')).filter(
        |literal| {
            words(literal).next().is_some_and(|word| word == *literal)
                && ENDINGS.iter().any(|ending| literal.ends_with(ending))
        },
    )
}

/// The metric of a row of a table.
fn row(line: &str) -> Option<&str> {
    line.strip_prefix("| `")?.split_once('`').map(|(name, _)| name).filter(|name| name.starts_with("hallway_"))
}

/// Everything that looks like the name of a metric of ours: of three words at least, where crates have two.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_')
        .filter(|word| word.starts_with("hallway_") && word.matches('_').count() > 1)
}

/// Names that nothing exports, in a text of queries.
fn unknown(path: &str, text: &str, exported: &BTreeSet<&str>) -> Vec<Finding> {
    let is_known = |word: &str| {
        let whole = PARTS.iter().find_map(|part| word.strip_suffix(part));
        exported.contains(word) || whole.is_some_and(|whole| exported.contains(whole))
    };
    let names: BTreeSet<&str> = words(text).filter(|word| !is_known(word)).collect();
    names.into_iter().map(|name| format!("{path}: asks for `{name}`, which nothing exports")).collect()
}

/// The queries of a dashboard, if it is one that Grafana loads and that works with any Prometheus.
fn queries(json: &str) -> Result<Vec<String>, String> {
    let dashboard: Value = serde_json::from_str(json).map_err(|error| format!("no JSON: {error}"))?;
    if !dashboard["schemaVersion"].is_u64() {
        return Err("it needs a `schemaVersion`".into());
    }
    let variables = dashboard["templating"]["list"].as_array().ok_or("it has no variables")?;
    let is_source = |variable: &&Value| variable["type"] == "datasource" && variable["query"] == "prometheus";
    let source = variables.iter().find(is_source).ok_or("it needs a variable for the data source")?;
    let source = format!("${{{}}}", source["name"].as_str().unwrap_or_default());
    let panels = dashboard["panels"].as_array().ok_or("it has no panels")?;
    let mut queries = Vec::new();
    for panel in panels.iter().filter(|panel| panel["type"] != "row") {
        let title = panel["title"].as_str().unwrap_or("a panel without title");
        let targets = panel["targets"].as_array().filter(|targets| !targets.is_empty());
        if panel["datasource"]["uid"] != source.as_str() {
            return Err(format!("{title}: its data source must be the variable"));
        }
        for target in targets.ok_or(format!("{title}: it asks for nothing"))? {
            let query = target["expr"].as_str().filter(|query| words(query).next().is_some());
            queries.push(query.ok_or(format!("{title}: a query asks for no metric of ours"))?.to_owned());
        }
    }
    if queries.is_empty() { Err("it asks for nothing".into()) } else { Ok(queries) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: &str = "//! A.\nconst A: &str = \"hallway_a_total\";\nconst B: &str = \"hallway_b_seconds\";\nconst T: &str = \"hallway_kv\";\n";
    const TABLE: &str = "| metric | means |\n|---|---|\n| `hallway_a_total` | a |\n| `hallway_b_seconds` | b |\n";
    const GOOD: &str = r#"{"schemaVersion": 39, "templating": {"list": [{"type": "datasource", "query": "prometheus", "name": "source"}]},
        "panels": [{"type": "row"}, {"title": "A", "datasource": {"uid": "${source}"},
            "targets": [{"expr": "rate(hallway_a_total[5m]) / sum(hallway_b_seconds_bucket)"}]}]}"#;

    fn findings(source: &str, guide: &str, dashboard: &str) -> usize {
        let file = |path: &str, text: &str| SourceFile { path: path.into(), text: text.into() };
        let files = [file("crates/a/src/lib.rs", source), file(GUIDE, guide), file(DASHBOARD, dashboard)];
        let found = check(&files);
        println!("{found:?}");
        found.len()
    }

    #[test]
    fn source_guide_and_dashboard_agree() {
        assert_eq!(findings(SOURCE, &format!("{TABLE}Set hallway_tiered=debug.\n"), GOOD), 0);
        assert_eq!(findings(&SOURCE.replace("hallway_kv", "hallway_c_total"), TABLE, GOOD), 1, "not documented");
        assert_eq!(
            findings(SOURCE, &format!("{TABLE}| `hallway_c_total` | c |\n"), GOOD),
            2,
            "not exported, and asked for"
        );
        assert_eq!(findings(SOURCE, &format!("{TABLE}\n`rate(hallway_c_total[5m])`\n"), GOOD), 1);
        assert_eq!(findings(SOURCE, TABLE, &GOOD.replace("hallway_a_total", "hallway_a_totals")), 1);
        assert_eq!(findings(SOURCE, TABLE, &GOOD.replace("b_seconds_bucket", "b_seconds_buckets")), 1);
    }

    #[test]
    fn a_dashboard_can_be_loaded() {
        for (part, other) in [
            ("}]}]}", "}]}]"),
            ("schemaVersion", "version"),
            ("prometheus", "loki"),
            ("${source}", "x"),
            ("expr", "text"),
        ] {
            assert_eq!(findings(SOURCE, TABLE, &GOOD.replace(part, other)), 1, "{part}");
        }
        assert_eq!(check(&[]).len(), 1);
    }
}
