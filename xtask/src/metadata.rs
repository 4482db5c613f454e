//! What cargo knows about the workspace.

use std::path::PathBuf;

use serde_json::Value;

use crate::{Result, shell};

/// One package of the workspace.
#[derive(Debug, Clone)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) manifest: PathBuf,
    pub(crate) features: Vec<String>,
    pub(crate) dependencies: Vec<Dependency>,
}

/// One line of a package's dependency tables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Dependency {
    pub(crate) name: String,
    /// In `[dev-dependencies]`.
    pub(crate) dev: bool,
    /// Only with a feature.
    pub(crate) optional: bool,
    /// A package of this workspace.
    pub(crate) ours: bool,
}

/// The packages of the workspace, asked of cargo without resolving (and fetching) what they depend on.
pub(crate) fn members() -> Result<Vec<Package>> {
    let text = shell::output(&mut shell::cargo("metadata --format-version 1 --no-deps".split(' ')))?;
    parse(&text).ok_or_else(|| "`cargo metadata` answered in a form this program does not know".to_owned())
}

fn parse(text: &str) -> Option<Vec<Package>> {
    let json: Value = serde_json::from_str(text).ok()?;
    json["packages"].as_array()?.iter().map(package).collect()
}

fn package(json: &Value) -> Option<Package> {
    Some(Package {
        name: json["name"].as_str()?.to_owned(),
        manifest: json["manifest_path"].as_str()?.into(),
        features: json["features"].as_object()?.keys().cloned().collect(),
        dependencies: json["dependencies"].as_array()?.iter().map(dependency).collect::<Option<_>>()?,
    })
}

fn dependency(json: &Value) -> Option<Dependency> {
    Some(Dependency {
        name: json["name"].as_str()?.to_owned(),
        dev: json["kind"].as_str() == Some("dev"),
        optional: json["optional"].as_bool()?,
        ours: json["path"].is_string(),
    })
}
