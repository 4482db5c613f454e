//! One major version of what is large, or whose types meet.

use std::collections::{BTreeMap, BTreeSet};

use crate::Result;
use crate::tidy::{Finding, SourceFile};

/// Two of these in one build are two runtimes, two drivers or two TLS stacks.
const SINGLE: [&str; 10] =
    ["bytes", "criterion", "moka", "redis", "rustls", "serde", "sqlx", "sqlx-core", "tokio", "tracing"];

/// The versions of each package in `Cargo.lock`.
pub(super) fn versions(files: &[SourceFile]) -> Result<BTreeMap<String, Vec<String>>> {
    let lock = files.iter().find(|file| file.path == "Cargo.lock").ok_or("Cargo.lock is missing")?;
    let mut versions = BTreeMap::<String, Vec<String>>::new();
    let mut name = None;
    for line in lock.text.lines() {
        if let Some(value) = quoted(line, "name") {
            name = Some(value);
        } else if let (Some(version), Some(name)) = (quoted(line, "version"), name.take()) {
            versions.entry(name.to_owned()).or_default().push(version.to_owned());
        }
    }
    Ok(versions)
}

fn quoted<'a>(line: &'a str, field: &str) -> Option<&'a str> {
    line.strip_prefix(field)?.strip_prefix(" = \"")?.strip_suffix('"')
}

/// Packages that must not be there twice, but are.
pub(super) fn forbidden(locked: &BTreeMap<String, Vec<String>>) -> Vec<Finding> {
    duplicates(locked)
        .filter(|(name, _)| SINGLE.contains(name))
        .map(|(name, majors)| format!("Cargo.lock has {name} in several major versions: {majors}"))
        .collect()
}

/// The others that are there twice, in one line for whoever looks after the tree.
pub(super) fn tolerated(locked: &BTreeMap<String, Vec<String>>) -> Option<Finding> {
    let list: Vec<_> = duplicates(locked)
        .filter(|(name, _)| !SINGLE.contains(name))
        .map(|(name, majors)| format!("{name} ({majors})"))
        .collect();
    (!list.is_empty()).then(|| format!("several major versions of {}", list.join(", ")))
}

fn duplicates(locked: &BTreeMap<String, Vec<String>>) -> impl Iterator<Item = (&str, String)> {
    locked.iter().filter_map(|(name, versions)| {
        let majors: BTreeSet<_> = versions.iter().map(|version| major(version)).collect();
        (majors.len() > 1).then(|| (name.as_str(), majors.into_iter().collect::<Vec<_>>().join(", ")))
    })
}

/// What semantic versioning holds compatible: `1`, `0.9`, `0.0.3`.
fn major(version: &str) -> String {
    let parts: Vec<_> = version.split(['.', '-', '+']).take(3).collect();
    let zeros = parts.iter().take_while(|part| **part == "0").count();
    parts[..=zeros.min(parts.len() - 1)].join(".")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_what_is_compatible() {
        for (version, expected) in [("1.54.0", "1"), ("0.9.3", "0.9"), ("0.0.3", "0.0.3"), ("2.0.0-rc.1", "2")] {
            assert_eq!(major(version), expected);
        }
    }

    #[test]
    fn reads_the_lock_file() {
        let text = "version = 4\n\n[[package]]\nname = \"rand\"\nversion = \"0.9.1\"\n\n[[package]]\nname = \"rand\"\nversion = \"0.10.0\"\n";
        let read = versions(&[SourceFile { path: "Cargo.lock".into(), text: text.into() }]).unwrap();
        assert_eq!(read["rand"], ["0.9.1", "0.10.0"]);
    }

    #[test]
    fn finds_two_majors_of_what_must_be_single() {
        let lock =
            |versions: [&str; 2], name: &str| BTreeMap::from([(name.to_owned(), versions.map(String::from).to_vec())]);
        assert_eq!(forbidden(&lock(["1.0.0", "2.0.0"], "redis")).len(), 1);
        assert!(forbidden(&lock(["1.0.0", "1.8.1"], "redis")).is_empty());
        assert!(forbidden(&lock(["0.9.0", "0.10.0"], "rand")).is_empty());
        assert!(tolerated(&lock(["0.9.0", "0.10.0"], "rand")).is_some());
    }
}
