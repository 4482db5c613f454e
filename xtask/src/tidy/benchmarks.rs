//! The tables of measurements are made from the raw results that lie beside them.
//!
//! Whether every word is what they say, a test of `hallway-bench` finds out, which has to be built for it. Here the
//! checksums in the document are compared with the files, which takes no time.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use crate::tidy::{Finding, SourceFile};

/// The document, and the raw results that it lists.
const DOCUMENT: &str = "docs/benchmarks.md";
const FOLDER: &str = "docs/benchmarks/";

/// Raw results that are not those that the tables were made from.
pub(super) fn check(files: &[SourceFile]) -> Vec<Finding> {
    let Some(document) = files.iter().find(|file| file.path == DOCUMENT) else {
        return vec![format!("{DOCUMENT} is missing")];
    };
    let raw = files.iter().filter_map(|file| Some((file.path.strip_prefix(FOLDER)?, file.text.as_str())));
    let there: BTreeMap<&str, String> =
        raw.filter(|(name, _)| name.ends_with(".json")).map(|(name, text)| (name, checksum(text))).collect();
    let listed: BTreeMap<&str, &str> = document.text.lines().filter_map(row).collect();
    let remedy = "run `cargo xtask bench-tables`";
    let changed = there.iter().filter(|(name, sum)| listed.get(*name) != Some(&sum.as_str()));
    let gone = listed.keys().filter(|name| !there.contains_key(*name));
    let changed = changed.map(|(name, _)| format!("{DOCUMENT}: its tables are not made from {FOLDER}{name}: {remedy}"));
    changed.chain(gone.map(|name| format!("{DOCUMENT}: {FOLDER}{name} is gone: {remedy}"))).collect()
}

/// Name and checksum of a row such as ``| `peers.json` | `0123456789abcdef` | ``.
fn row(line: &str) -> Option<(&str, &str)> {
    let (name, rest) = line.strip_prefix("| `")?.split_once("` | `")?;
    let (checksum, _) = rest.split_once("` |")?;
    name.ends_with(".json").then_some((name, checksum))
}

/// The first 16 hexadecimal digits, as the tables show them.
fn checksum(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_with(document: &str, raw: &[(&str, &str)]) -> usize {
        let file = |path: &str, text: &str| SourceFile { path: path.into(), text: text.into() };
        let raw = raw.iter().map(|(name, text)| file(&format!("{FOLDER}{name}"), text));
        check(&std::iter::once(file(DOCUMENT, document)).chain(raw).collect::<Vec<_>>()).len()
    }

    #[test]
    fn tables_are_made_from_what_is_there() {
        let document = "text\n| `peers.json` | `ba7816bf8f01cfea` | today |\n| `goal/1` | `x` |\n";
        assert_eq!(check_with(document, &[("peers.json", "abc"), ("a.svg", "<svg/>")]), 0);
        assert_eq!(check_with(document, &[("peers.json", "abd")]), 1, "changed");
        assert_eq!(check_with(document, &[]), 1, "gone");
        assert_eq!(check_with(document, &[("peers.json", "abc"), ("ratios-1.json", "{}")]), 1, "new");
        assert_eq!(check(&[]).len(), 1);
    }
}
