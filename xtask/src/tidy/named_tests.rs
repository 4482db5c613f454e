//! The tests that the documents name exist.

use std::collections::BTreeSet;

use crate::tidy::{Finding, SourceFile};

/// Pages that map a rule to the tests that fail without it.
const PAGES: [&str; 2] = ["docs/peers.md", "docs/security.md"];

/// Fewer are the words of an option or a field.
const UNDERSCORES: usize = 3;

/// Names in backticks that look like those of tests, and are the name of no function.
pub(super) fn check(files: &[SourceFile]) -> Vec<Finding> {
    let functions: BTreeSet<&str> =
        files.iter().filter(|file| file.path.ends_with(".rs")).flat_map(|file| functions(&file.text)).collect();
    let mut findings = Vec::new();
    for page in PAGES {
        let Some(file) = files.iter().find(|file| file.path == page) else {
            findings.push(format!("{page} is missing"));
            continue;
        };
        for name in names(&file.text) {
            if !functions.contains(name) {
                findings.push(format!("{page}: there is no test `{name}`"));
            }
        }
    }
    findings
}

fn functions(source: &str) -> impl Iterator<Item = &str> {
    source.split("fn ").skip(1).map(|rest| {
        let end = rest.find(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_').unwrap_or(rest.len());
        &rest[..end]
    })
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

    fn check_with(page: &str) -> Vec<Finding> {
        let file = |path: &str, text: &str| SourceFile { path: path.into(), text: text.into() };
        check(&[
            file("src/a.rs", "#[test]\nfn a_test_of_ours() {}\nasync fn another_test_of_ours<T>() {}"),
            file(PAGES[0], page),
            file(PAGES[1], ""),
        ])
    }

    #[test]
    fn a_name_without_a_function_is_found() {
        assert_eq!(
            check_with("`a_test_of_ours`, `another_test_of_ours` (`src/a.rs`), `on_shared_down`"),
            [] as [&str; 0]
        );
        assert_eq!(check_with("`a_test_of_theirs`, `a_test_of_ours`").len(), 1);
        assert_eq!(check_with("`mutant_no_mark_at_all`").len(), 0);
        assert_eq!(check(&[]).len(), PAGES.len());
    }
}
