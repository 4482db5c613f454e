//! One major version of what is large, or whose types meet; and a lockfile that no build of ours reads.

use std::collections::{BTreeMap, BTreeSet};

use crate::Result;
use crate::metadata::Package;
use crate::tidy::{Finding, SourceFile};

/// Two of these in one build are two runtimes, two drivers or two TLS stacks.
const SINGLE: [&str; 10] =
    ["bytes", "criterion", "moka", "redis", "rustls", "serde", "sqlx", "sqlx-core", "tokio", "tracing"];

/// The rivals are a workspace of their own, so that nothing else builds them.
const RIVALS: &str = "benches/peers/Cargo.lock";

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

/// What our packages need and the rivals' lockfile does not know: they are built with `--locked`, which would fail.
pub(super) fn rivals(members: &[Package], files: &[SourceFile]) -> Vec<Finding> {
    let Some(lock) = files.iter().find(|file| file.path == RIVALS) else { return vec![format!("{RIVALS} is missing")] };
    let known: BTreeMap<&str, &str> = lock
        .text
        .split("[[package]]\n")
        .filter_map(|package| Some((quoted(package.lines().next()?, "name")?, package)))
        .collect();
    let mut findings = Vec::new();
    for member in members {
        let Some(known) = known.get(member.name.as_str()) else { continue };
        for needed in member.dependencies.iter().filter(|needed| !needed.dev && !needed.optional) {
            // A version follows where there are several.
            let names = [format!(" \"{}\",", needed.name), format!(" \"{} ", needed.name)];
            if !known.lines().any(|line| line == names[0] || line.starts_with(&names[1])) {
                findings.push(format!(
                    "{RIVALS} does not know that {} needs {}: run `cargo update --workspace --manifest-path benches/peers/Cargo.toml`",
                    member.name, needed.name
                ));
            }
        }
    }
    findings
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
    fn finds_what_the_rivals_do_not_know() {
        use crate::metadata::Dependency;

        let needs = |name: &str, dev, optional| Dependency { name: name.into(), dev, optional, ours: false };
        let member = |needs: Vec<Dependency>| Package {
            name: "hallway-a".into(),
            manifest: "a/Cargo.toml".into(),
            features: Vec::new(),
            dependencies: needs,
        };
        let text = "version = 4\n\n[[package]]\nname = \"hallway-a\"\nversion = \"0.1.0\"\ndependencies = [\n \"rand 0.10.0\",\n \"slab\",\n]\n\n[[package]]\nname = \"itoa\"\nversion = \"1.0.0\"\n";
        let lock = [SourceFile { path: RIVALS.into(), text: text.into() }];
        let known = vec![needs("slab", false, false), needs("rand", false, false)];
        assert_eq!(rivals(&[member(known)], &lock), [""; 0]);
        let others = vec![needs("loom", true, false), needs("metrics", false, true)];
        assert_eq!(rivals(&[member(others)], &lock), [""; 0]);
        let new = vec![needs("itoa", false, false), needs("ran", false, false)];
        assert_eq!(rivals(&[member(new)], &lock).len(), 2);
        assert_eq!(rivals(&[], &[]).len(), 1);
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
