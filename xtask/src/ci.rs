//! What public CI runs, cheap steps first.

use std::process::Command;

use crate::summary::Steps;
use crate::{Result, features, programs, shell, test, tidy};

/// The oldest compiler the manifests promise (`rust-version`).
const OLDEST: &str = "1.94";

pub(crate) fn run() -> Result {
    let mut steps = Steps::default();
    steps.step("server programs", programs::ensure)?;
    steps.step("tidy", tidy::run)?;
    steps.step("format", || shell::run(&mut shell::cargo(["fmt", "--all", "--check"])))?;
    steps.step("lints", || {
        shell::run(&mut shell::cargo(
            "clippy --locked --workspace --all-targets --all-features -- -D warnings".split(' '),
        ))
    })?;
    steps.step("documentation", || {
        let mut doc = shell::cargo("doc --locked --workspace --all-features --no-deps".split(' '));
        shell::run(doc.env("RUSTDOCFLAGS", "-D warnings"))
    })?;
    steps.step("each feature alone", features::run)?;
    match oldest_toolchain() {
        Some(toolchain) => steps.step("oldest supported compiler", || {
            let mut check = Command::new("cargo");
            check.current_dir(shell::root()).arg(format!("+{toolchain}"));
            // Set by the cargo that started us, they would bring back the newer compiler.
            check.env_remove("RUSTUP_TOOLCHAIN").env_remove("CARGO");
            shell::run(check.args("check --locked --workspace --all-features".split(' ')))
        })?,
        None => steps.note(format!(
            "NOT checked with the oldest supported compiler: `rustup toolchain install {OLDEST}` and run again"
        )),
    }
    test::steps(&mut steps, &test::Args::default())?;
    steps.finish("ci passed");
    Ok(())
}

/// The name of an installed toolchain of the oldest supported version.
fn oldest_toolchain() -> Option<String> {
    let list = Command::new("rustup").args(["toolchain", "list"]).output().ok()?;
    let list = String::from_utf8(list.stdout).ok()?;
    let is_oldest = |name: &&str| name.strip_prefix(OLDEST).is_some_and(|rest| rest.starts_with(['.', '-']));
    list.lines().filter_map(|line| line.split_whitespace().next()).find(is_oldest).map(str::to_owned)
}
