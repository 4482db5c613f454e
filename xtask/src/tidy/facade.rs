//! The facade's feature table is complete.

use crate::metadata::Package;
use crate::tidy::{Finding, SourceFile};

const FACADE: &str = "crates/hallway/src/lib.rs";

/// Features of `hallway` without a row in the table of its documentation, and rows without a feature.
pub(super) fn check(members: &[Package], files: &[SourceFile]) -> Vec<Finding> {
    let Some(facade) = members.iter().find(|package| package.name == "hallway") else {
        return vec!["there is no package `hallway`".into()];
    };
    let Some(source) = files.iter().find(|file| file.path == FACADE) else {
        return vec![format!("{FACADE} is missing")];
    };
    compare(&facade.features, &source.text)
}

fn compare(features: &[String], source: &str) -> Vec<Finding> {
    let rows: Vec<&str> = source
        .lines()
        .filter_map(|line| line.strip_prefix("//! | `")?.split_once('`'))
        .map(|(feature, _)| feature)
        .collect();
    let missing = features
        .iter()
        .filter(|feature| *feature != "default" && !rows.contains(&feature.as_str()))
        .map(|feature| format!("{FACADE}: the table of features has no row for `{feature}`"));
    let unknown = rows
        .iter()
        .filter(|row| !features.iter().any(|feature| feature == *row))
        .map(|row| format!("{FACADE}: the table of features has a row for `{row}`, which is no feature"));
    missing.chain(unknown).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_and_features_are_the_same() {
        let features = ["default", "moka", "redis"].map(String::from);
        let source =
            "//! Facade.\n//!\n//! | feature | adds |\n//! |---|---|\n//! | `moka` | x |\n//! | `redis` | y |\n";
        assert_eq!(compare(&features, source), [] as [&str; 0]);
        assert_eq!(compare(&features[..2], source).len(), 1);
        assert_eq!(compare(&features, &source.replace("//! | `redis` | y |\n", "")).len(), 1);
    }
}
