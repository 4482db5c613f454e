//! The tests that the documents name exist.

use std::collections::BTreeSet;

use crate::tidy::{Finding, SourceFile};

/// Pages that map a rule to the tests that fail without it.
const PAGES: [&str; 2] = ["docs/peers.md", "docs/security.md"];

/// Fewer are the words of an option or a field.
const UNDERSCORES: usize = 3;

/// Where the clauses of the contract are functions, and where all of them are listed. `conformance!` makes tests of those
/// listed; a function beside them is a helper.
const CLAUSES: (&str, &str) = ("crates/hallway-testkit/src/conformance/", "crates/hallway-testkit/src/conformance.rs");

/// What makes a test of a function.
const ATTRIBUTES: [&str; 2] = ["#[test]", "#[tokio::test"];

/// Names in backticks that look like those of tests, and are the name of none.
pub(super) fn check(files: &[SourceFile]) -> Vec<Finding> {
    let tests: BTreeSet<&str> = files.iter().filter(|file| file.path.ends_with(".rs")).flat_map(tests).collect();
    let listed: BTreeSet<&str> = files.iter().filter(|file| file.path == CLAUSES.1).flat_map(listed).collect();
    let clauses = files.iter().filter(|file| file.path.starts_with(CLAUSES.0)).flat_map(functions);
    let clauses: BTreeSet<&str> = clauses.map(|(_, name)| name).filter(|name| listed.contains(name)).collect();
    let mut findings = Vec::new();
    for page in PAGES {
        let Some(file) = files.iter().find(|file| file.path == page) else {
            findings.push(format!("{page} is missing"));
            continue;
        };
        for name in names(&file.text) {
            if !tests.contains(name) && !clauses.contains(name) {
                findings.push(format!("{page}: there is no test `{name}`"));
            }
        }
    }
    findings
}

/// The functions of a file, by line and name. What stands in a comment or a text begins otherwise.
fn functions(file: &SourceFile) -> impl Iterator<Item = (usize, &str)> {
    file.text.lines().enumerate().filter_map(|(at, line)| {
        let mut line = line.trim_start();
        if line.starts_with("pub(")
            && let Some((_, rest)) = line.split_once(") ")
        {
            line = rest;
        }
        for word in ["pub ", "async "] {
            line = line.strip_prefix(word).unwrap_or(line);
        }
        let rest = line.strip_prefix("fn ")?;
        let end = rest.find(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_').unwrap_or(rest.len());
        Some((at, &rest[..end]))
    })
}

/// The functions that have such an attribute, whatever other attributes and comments stand between.
fn tests(file: &SourceFile) -> impl Iterator<Item = &str> {
    let lines: Vec<&str> = file.text.lines().map(str::trim_start).collect();
    functions(file).filter_map(move |(at, name)| {
        let mut above = lines[..at].iter().rev().take_while(|line| line.starts_with("#[") || line.starts_with("//"));
        above.any(|line| ATTRIBUTES.iter().any(|attribute| line.starts_with(attribute))).then_some(name)
    })
}

/// Names that stand in a list, each in a line of its own.
fn listed(file: &SourceFile) -> impl Iterator<Item = &str> {
    file.text.lines().filter_map(|line| line.trim_start().strip_suffix(','))
}

/// Every second part between backticks is a name or a path. A mutant is a feature of a test, not one.
fn names(page: &str) -> impl Iterator<Item = &str> {
    page.split('`').skip(1).step_by(2).filter(|name| {
        name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_')
            && name.matches('_').count() >= UNDERSCORES
            && !name.starts_with("mutant_")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCE: &str = "#[test]
#[expect(clippy::unwrap_used, reason = \"brevity\")]
// Seldom.
fn a_test_of_ours() {}

#[test]
fn a_test_before_a_helper() {}
fn a_helper_of_ours_alone() {}

    /// With settings.
    #[tokio::test(start_paused = true)]
    async fn another_test_of_ours<T>() {}
    // fn a_test_once_upon_a_time() {}
    // #[test]
    let text = \"#[test] fn a_test_in_a_text() {}\";
";

    const CLAUSE: &str = "pub(super) async fn c01_a_clause_of_ours(fixture: &Fixture) -> Outcome {}
pub(super) async fn c02_a_clause_without_place(fixture: &Fixture) -> Outcome {}
fn c03_a_clause_that_is_a_helper() {}
";

    fn check_with(page: &str) -> Vec<Finding> {
        let file = |path: &str, text: &str| SourceFile { path: path.into(), text: text.into() };
        check(&[
            file("src/a.rs", SOURCE),
            file(&format!("{}ttl.rs", CLAUSES.0), CLAUSE),
            file(
                CLAUSES.1,
                "            reading {\n                c01_a_clause_of_ours,\n                c04_a_clause_without_function,\n",
            ),
            file(PAGES[0], page),
            file(PAGES[1], ""),
        ])
    }

    #[test]
    fn a_name_without_a_test_is_found() {
        assert_eq!(
            check_with(
                "`a_test_of_ours`, `another_test_of_ours` (`src/a.rs`), `on_shared_down`, `c01_a_clause_of_ours`"
            ),
            [] as [&str; 0]
        );
        assert_eq!(check_with("`a_test_of_theirs`, `a_test_of_ours`").len(), 1);
        for name in [
            "a_helper_of_ours_alone",
            "a_test_once_upon_a_time",
            "a_test_in_a_text",
            "c02_a_clause_without_place",
            "c03_a_clause_that_is_a_helper",
            "c04_a_clause_without_function",
        ] {
            assert_eq!(check_with(&format!("`{name}`")), [format!("{}: there is no test `{name}`", PAGES[0])]);
        }
        assert_eq!(check_with("`mutant_no_mark_at_all`").len(), 0);
        assert_eq!(check(&[]).len(), PAGES.len());
    }
}
