//! Two libraries in one build, each with features of its own: both work, and neither changes the other.

use std::path::Path;
use std::process::Command;

use crate::readme::{in_scratch, write};
use crate::{Result, shell};

const PROGRAM: &str = include_str!("../templates/two_features_app.rs");
const LIBRARY: &str = include_str!("../templates/two_features_lib.rs");

/// Library name, the facade features it asks for, the URL it opens.
const LIBRARIES: [(&str, &str, &str); 2] =
    [("desk", "\"moka\"", "moka:?max=1MiB"), ("cabinet", "\"sqlite\"", "sqlite::memory:")];

/// Builds each library alone and both together, and compares what they report.
pub(crate) fn run(scratch: &Path) -> Result {
    let hallway = shell::root().join("crates/hallway");
    let mut members = Vec::new();
    for (name, features, url) in LIBRARIES {
        write(scratch, &format!("{name}/Cargo.toml"), &library_manifest(name, features, &hallway))?;
        write(scratch, &format!("{name}/src/lib.rs"), &library(url))?;
        app(scratch, &format!("only_{name}"), &[name])?;
        members.extend([name.to_owned(), format!("only_{name}")]);
    }
    app(scratch, "both", &LIBRARIES.map(|(name, ..)| name))?;
    members.push("both".to_owned());
    write(
        scratch,
        "Cargo.toml",
        &format!("[workspace]\nresolver = \"3\"\nmembers = {members:?}\n\n[profile.dev]\ndebug = false\n"),
    )?;
    let lock = std::fs::read_to_string(shell::root().join("Cargo.lock"))
        .map_err(|error| format!("cannot read Cargo.lock: {error}"))?;
    write(scratch, "Cargo.lock", &lock)?;

    let mut alone = Vec::new();
    for (name, ..) in LIBRARIES {
        alone.push(report(scratch, &format!("only_{name}"))?);
    }
    let both = report(scratch, "both")?;
    if both != alone.concat() {
        return Err(format!("a feature changed behaviour.\nalone:\n{}\ntogether:\n{both}", alone.concat()));
    }
    print!("alone and together the same:\n{both}");
    Ok(())
}

fn report(scratch: &Path, app: &str) -> Result<String> {
    let target = scratch.join("target");
    shell::run(in_scratch(scratch, &["build", "--quiet", "--package", app]).env("CARGO_TARGET_DIR", &target))?;
    shell::output(Command::new(target.join("debug").join(app)).current_dir(scratch))
}

fn library(url: &str) -> String {
    LIBRARY.replace("@URL@", url).replace("@AND@", if url.contains('?') { "&" } else { "?" })
}

fn library_manifest(name: &str, features: &str, hallway: &Path) -> String {
    format!(
        "[package]\nname = \"{name}\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n[dependencies]\n\
         hallway = {{ path = \"{}\", default-features = false, features = [{features}] }}\n",
        hallway.display()
    )
}

fn app(scratch: &Path, name: &str, libraries: &[&str]) -> Result {
    let mut manifest = format!(
        "[package]\nname = \"{name}\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n[dependencies]\n\
         tokio = {{ version = \"1\", features = [\"macros\", \"rt\"] }}\n"
    );
    let mut calls = String::new();
    for library in libraries {
        manifest += &format!("{library} = {{ path = \"../{library}\" }}\n");
        calls += &format!("    print!(\"{{}}\", {library}::report().await);\n");
    }
    write(scratch, &format!("{name}/Cargo.toml"), &manifest)?;
    write(scratch, &format!("{name}/src/main.rs"), &PROGRAM.replace("    // @CALLS@\n", &calls))
}
