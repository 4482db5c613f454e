//! Every feature of every crate compiles alone.

use crate::{Result, metadata, shell};

/// Lints each package without features, then with each feature by itself, warnings being errors.
///
/// Through clippy, because its `-D warnings` reaches our packages only and leaves the dependencies cached.
pub(crate) fn run() -> Result {
    for package in metadata::members()? {
        if package.features.is_empty() {
            continue;
        }
        check(&package.name, None)?;
        for feature in &package.features {
            check(&package.name, Some(feature))?;
        }
    }
    Ok(())
}

fn check(package: &str, feature: Option<&str>) -> Result {
    let mut command = shell::cargo(["clippy", "--quiet", "--locked", "--no-default-features", "--package", package]);
    if let Some(feature) = feature {
        command.args(["--features", feature]);
    }
    shell::run(command.args(["--", "-D", "warnings"]))
}
