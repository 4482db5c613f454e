//! Tells the crate which compiler builds it: a study names the toolchain of its numbers.

use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let told = std::env::var_os("RUSTC").and_then(|rustc| Command::new(rustc).arg("--version").output().ok());
    if let Some(version) =
        told.filter(|told| told.status.success()).and_then(|told| String::from_utf8(told.stdout).ok())
    {
        println!("cargo::rustc-env=HALLWAY_STUDY_RUSTC={}", version.trim());
    }
}
