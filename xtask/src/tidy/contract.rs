//! Every clause of the contract has its test, and every test of the suite its clause.

use std::collections::{BTreeMap, BTreeSet};

use crate::tidy::{Finding, SourceFile};

const CONTRACT: &str = "docs/contract.md";
const SUITE: &str = "crates/hallway-testkit/src/";

/// Compares the clauses of `docs/contract.md` with the test names in the test kit.
///
/// A clause is a line `- **C07** … (`c07_…`)`; it may go on over the following indented lines.
pub(super) fn check(files: &[SourceFile]) -> Vec<Finding> {
    let Some(contract) = files.iter().find(|file| file.path == CONTRACT) else {
        return vec![format!("{CONTRACT} is missing")];
    };
    let mut findings = Vec::new();
    let mut clauses = BTreeMap::new();
    for (number, text) in clause_texts(&contract.text) {
        let names = test_names(&text);
        match names.iter().find(|name| name.starts_with(&format!("c{number}_"))) {
            None => findings.push(format!("{CONTRACT}: C{number} names no test `c{number}_…`")),
            Some(name) => {
                if clauses.insert(number.clone(), name.clone()).is_some() {
                    findings.push(format!("{CONTRACT}: C{number} stands there twice"));
                }
            }
        }
    }
    if clauses.is_empty() {
        findings.push(format!("{CONTRACT} has no clause of the form `- **C01** … (`c01_…`)`"));
    }
    let suite = files.iter().filter(|file| file.path.starts_with(SUITE) && file.path.ends_with(".rs"));
    let tests: BTreeSet<String> = suite.flat_map(|file| test_names(&without_comments(&file.text))).collect();
    for (number, name) in &clauses {
        if !tests.contains(name) {
            findings.push(format!("C{number}: the test kit has no test `{name}`"));
        }
    }
    for test in &tests {
        if !clauses.values().any(|name| name == test) {
            findings.push(format!("`{test}` of the test kit belongs to no clause of {CONTRACT}"));
        }
    }
    findings
}

/// Number and text of each clause.
fn clause_texts(markdown: &str) -> Vec<(String, String)> {
    let mut clauses: Vec<(String, String)> = Vec::new();
    let mut open = false;
    for line in markdown.lines() {
        if let Some((number, rest)) = line.strip_prefix("- **C").and_then(|rest| rest.split_once("**")) {
            clauses.push((number.to_owned(), rest.to_owned()));
            open = true;
        } else if open && line.starts_with("  ") {
            let (_, text) = clauses.last_mut().expect("an open clause is the last one");
            text.push('\n');
            text.push_str(line);
        } else {
            open = false;
        }
    }
    clauses
}

/// Every word of the form `c07_something`.
fn test_names(text: &str) -> BTreeSet<String> {
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .filter(|word| {
            word.strip_prefix('c').and_then(|rest| rest.split_once('_')).is_some_and(|(number, name)| {
                (2..=3).contains(&number.len()) && number.bytes().all(|byte| byte.is_ascii_digit()) && !name.is_empty()
            })
        })
        .map(str::to_owned)
        .collect()
}

fn without_comments(source: &str) -> String {
    source.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_pair(contract: &str, suite: &str) -> Vec<Finding> {
        let file = |path: &str, text: &str| SourceFile { path: path.into(), text: text.into() };
        check(&[file(CONTRACT, contract), file("crates/hallway-testkit/src/suite.rs", suite)])
    }

    #[test]
    fn a_clause_with_its_test_is_fine() {
        let contract = "# Contract\n- **C01** Missing is none (`c01_missing`).\n- **C02** Long\n  text (`c02_long`).\n";
        assert_eq!(check_pair(contract, "async fn c01_missing() {}\nasync fn c02_long() {}\n"), [] as [&str; 0]);
    }

    #[test]
    fn a_clause_without_a_test_is_found() {
        let found = check_pair("- **C01** a (`c01_missing`)\n", "// c01_missing is planned\n");
        assert_eq!(found, ["C01: the test kit has no test `c01_missing`"]);
        let found = check_pair("- **C01** a, no name\n- **C02** b (`c02_b`)\n", "fn c02_b() {}");
        assert_eq!(found, ["docs/contract.md: C01 names no test `c01_…`"]);
    }

    #[test]
    fn a_test_without_a_clause_is_found() {
        let found = check_pair("- **C01** a (`c01_a`)\n", "fn c01_a() {} fn c02_b() {}");
        assert_eq!(found, ["`c02_b` of the test kit belongs to no clause of docs/contract.md"]);
    }

    #[test]
    fn a_number_given_twice_is_found() {
        let found = check_pair("- **C01** a (`c01_a`)\n- **C01** b (`c01_a`)\n", "fn c01_a() {}");
        assert_eq!(found, ["docs/contract.md: C01 stands there twice"]);
    }
}
