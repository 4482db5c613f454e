//! Arrows between our crates point down only.

use crate::Result;
use crate::metadata::{Dependency, Package};
use crate::tidy::Finding;

const BACKENDS: [&str; 5] = ["hallway-moka", "hallway-redis", "hallway-session", "hallway-sql", "hallway-tiered"];

/// Programs that test and measure; nobody depends on them.
const HARNESSES: [&str; 2] = ["hallway-bench", "hallway-simulation"];

/// Edges that go up, go sideways, or belong to a crate nobody has given a place yet.
pub(super) fn edges(members: &[Package]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for package in members {
        for dependency in package.dependencies.iter().filter(|dependency| dependency.ours) {
            if !allowed(&package.name, dependency) {
                let kind = if dependency.dev { "dev-depends" } else { "depends" };
                findings.push(format!(
                    "{} {kind} on {}: arrows are cli -> whiteboard -> hallway, cli, bench -> study -> hallway -> {{moka, redis, sql, tiered, session}} -> core; the testkit sees core alone and is a dev-dependency but for the study; tests of tiered may use moka, and the simulation what it simulates",
                    package.name, dependency.name
                ));
            }
        }
    }
    findings
}

/// Crates that do not inherit the workspace's lints.
pub(super) fn lints(members: &[Package]) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    for package in members {
        let text = std::fs::read_to_string(&package.manifest)
            .map_err(|error| format!("cannot read {}: {error}", package.manifest.display()))?;
        if !text.contains("[lints]\nworkspace = true") {
            findings.push(format!("{}: its manifest needs `[lints]` with `workspace = true`", package.name));
        }
    }
    Ok(findings)
}

fn allowed(package: &str, dependency: &Dependency) -> bool {
    let on = dependency.name.as_str();
    if on == package {
        // A crate that asks for its own features in tests.
        return dependency.dev;
    }
    if on == "hallway-testkit" {
        // The study starts private servers when it is asked to, and measures through the proxy.
        return HARNESSES.contains(&package) || package == "hallway-study" || (dependency.dev && package != "xtask");
    }
    match package {
        "hallway" => on == "hallway-core" || BACKENDS.contains(&on),
        "hallway-study" | "hallway-whiteboard" => on == "hallway",
        "hallway-bench" => on == "hallway" || on == "hallway-study",
        "hallway-cli" => ["hallway", "hallway-study", "hallway-whiteboard"].contains(&on),
        // It runs the production code of several crates in a world of its own.
        "hallway-simulation" => on == "hallway-core" || BACKENDS.contains(&on),
        "hallway-testkit" => on == "hallway-core",
        // Its tests need a local tier, and there is no other.
        "hallway-tiered" if dependency.dev && on == "hallway-moka" => true,
        backend if BACKENDS.contains(&backend) => on == "hallway-core",
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(package: &str, on: &str, dev: bool, fine: bool) {
        let dependency = Dependency { name: on.into(), dev, optional: false, ours: true };
        assert_eq!(allowed(package, &dependency), fine, "{package} -> {on}, dev {dev}");
    }

    #[test]
    fn arrows_point_down() {
        check("hallway", "hallway-redis", false, true);
        check("hallway-cli", "hallway", false, true);
        check("hallway-sql", "hallway-core", false, true);
        check("hallway-testkit", "hallway-core", false, true);
        check("hallway-core", "hallway-moka", false, false);
        check("hallway-redis", "hallway", false, false);
        check("hallway-cli", "hallway-core", false, false);
        check("hallway-cli", "hallway-whiteboard", false, true);
        check("hallway-whiteboard", "hallway", false, true);
        check("hallway-whiteboard", "hallway-session", false, false);
        check("hallway-bench", "hallway-whiteboard", false, false);
        check("hallway", "hallway-whiteboard", true, false);
        check("xtask", "hallway-core", false, false);
        check("hallway-simulation", "hallway-tiered", false, true);
        check("hallway-tiered", "hallway-simulation", true, false);
    }

    #[test]
    fn crates_of_one_level_never_see_each_other() {
        check("hallway-redis", "hallway-moka", false, false);
        check("hallway-tiered", "hallway-redis", true, false);
        check("hallway-moka", "hallway-tiered", true, false);
    }

    #[test]
    fn only_tests_of_the_tiers_may_use_a_local_one() {
        check("hallway-tiered", "hallway-moka", true, true);
        check("hallway-tiered", "hallway-moka", false, false);
    }

    #[test]
    fn the_testkit_is_a_dev_dependency_but_for_harnesses() {
        check("hallway-moka", "hallway-testkit", true, true);
        check("hallway-moka", "hallway-testkit", false, false);
        check("hallway-bench", "hallway-testkit", false, true);
        check("hallway-simulation", "hallway-testkit", false, true);
    }

    #[test]
    fn a_crate_may_ask_for_its_own_features_in_tests() {
        check("hallway-sql", "hallway-sql", true, true);
        check("hallway-sql", "hallway-sql", false, false);
    }

    #[test]
    fn a_foreign_dependency_is_not_an_edge() {
        let package = Package {
            name: "hallway-core".into(),
            manifest: "Cargo.toml".into(),
            features: vec![],
            dependencies: vec![Dependency { name: "bytes".into(), dev: false, optional: false, ours: false }],
        };
        assert!(edges(std::slice::from_ref(&package)).is_empty());
        let upward = vec![Dependency { name: "hallway".into(), dev: false, optional: false, ours: true }];
        assert_eq!(edges(&[Package { dependencies: upward, ..package }]).len(), 1);
    }
}
