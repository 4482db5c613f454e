//! The README's first program, pasted into a fresh crate, compiles and runs with no server.

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use crate::{Result, shell};

/// What a newcomer is promised on two cores, dependencies included.
const COMPILES_WITHIN: f64 = 60.0;

/// What the program says at its end.
const PRINTS: &str = "Ada, 36: visit 1";

/// Builds and runs the program in `scratch`, a folder of its own, and says how long that took.
///
/// An existing `scratch` is built again from nothing unless `keep` is set.
pub(crate) fn run(scratch: &Path, keep: bool) -> Result {
    let text = std::fs::read_to_string(shell::root().join("README.md"))
        .map_err(|error| format!("cannot read README.md: {error}"))?;
    let program = block(&text, "rust").ok_or("README.md has no ```rust block")?;
    let dependencies = block(&text, "toml").ok_or("README.md has no ```toml block with the dependencies")?;
    let dependencies = with_local_path(&dependencies, &shell::root().join("crates/hallway"))?;

    if !keep && scratch.exists() {
        std::fs::remove_dir_all(scratch).map_err(|error| format!("cannot empty {}: {error}", scratch.display()))?;
    }
    let manifest = format!(
        "[package]\nname = \"readme-program\"\nversion = \"0.0.0\"\nedition = \"2024\"\n\n{dependencies}\n[workspace]\n"
    );
    write(scratch, "Cargo.toml", &manifest)?;
    write(scratch, "src/main.rs", &program)?;
    // Same versions as the workspace: nothing new to download, nothing that changes overnight.
    let lock = std::fs::read_to_string(shell::root().join("Cargo.lock"))
        .map_err(|error| format!("cannot read Cargo.lock: {error}"))?;
    write(scratch, "Cargo.lock", &lock)?;

    let start = Instant::now();
    shell::run(in_scratch(scratch, &["build", "--quiet"]).env("CARGO_TARGET_DIR", scratch.join("target")))?;
    let built = start.elapsed().as_secs_f64();
    let mut program = Command::new(scratch.join("target/debug/readme-program"));
    program.current_dir(scratch);
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("HALLWAY_")) {
        program.env_remove(name);
    }
    let printed = shell::output(&mut program)?;
    let kind = if keep { "kept" } else { "fresh" };
    println!("the README's program compiled in {built:.1} s ({kind} target folder) and printed: {}", printed.trim());
    if printed.trim() != PRINTS {
        return Err(format!("the README's program should have printed `{PRINTS}`"));
    }
    if built > COMPILES_WITHIN {
        return Err(format!(
            "the README's program took {built:.1} s to compile, more than {COMPILES_WITHIN} s: look at the default features' \
             tree with `cargo tree -p hallway`, or at what else this machine was doing"
        ));
    }
    Ok(())
}

/// Cargo in a scratch crate, without what the cargo that started us set for itself.
pub(crate) fn in_scratch(scratch: &Path, args: &[&str]) -> Command {
    let mut command = shell::cargo(args.iter().copied());
    command.current_dir(scratch);
    command
}

/// Writes a file of a scratch crate, keeping its time when nothing changes.
pub(crate) fn write(scratch: &Path, file: &str, text: &str) -> Result {
    let path = scratch.join(file);
    if std::fs::read_to_string(&path).is_ok_and(|old| old == text) {
        return Ok(());
    }
    let folder = path.parent().expect("a file has a folder");
    std::fs::create_dir_all(folder)
        .and_then(|()| std::fs::write(&path, text))
        .map_err(|error| format!("cannot write {}: {error}", path.display()))
}

/// The first fenced block of a language.
fn block(markdown: &str, language: &str) -> Option<String> {
    let fence = format!("```{language}");
    let mut lines = markdown.lines().skip_while(|line| line.trim_end() != fence);
    lines.next()?;
    let body: Vec<_> = lines.take_while(|line| line.trim_end() != "```").collect();
    Some(body.join("\n") + "\n")
}

/// The dependencies with hallway's path pointing at this checkout.
fn with_local_path(dependencies: &str, hallway: &Path) -> Result<String> {
    let mut found = false;
    let mut lines = Vec::new();
    for line in dependencies.lines() {
        match line.split_once("path = \"").and_then(|(before, rest)| Some((before, rest.split_once('"')?.1))) {
            Some((before, after)) if line.starts_with("hallway ") => {
                found = true;
                lines.push(format!("{before}path = \"{}\"{after}", hallway.display()));
            }
            _ => lines.push(line.to_owned()),
        }
    }
    if !found {
        return Err("the README's ```toml block has no line `hallway = { path = \"…\" }`".into());
    }
    Ok(lines.join("\n") + "\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_the_first_block_of_the_language() {
        let text = "a\n```toml\nx = 1\n```\n```rust\nfn main() {}\n```\n```rust\nsecond\n```\n";
        assert_eq!(block(text, "rust").as_deref(), Some("fn main() {}\n"));
        assert_eq!(block(text, "toml").as_deref(), Some("x = 1\n"));
        assert_eq!(block(text, "sh"), None);
    }

    #[test]
    fn points_hallway_at_the_checkout_and_leaves_the_rest() {
        let text = "[dependencies]\nhallway = { path = \"../x\", features = [\"redis\"] }\ntokio = \"1\"\n";
        let local = with_local_path(text, Path::new("/here/hallway")).unwrap();
        assert_eq!(
            local,
            "[dependencies]\nhallway = { path = \"/here/hallway\", features = [\"redis\"] }\ntokio = \"1\"\n"
        );
        with_local_path("[dependencies]\nhallway = \"0.1\"\n", Path::new("/here")).unwrap_err();
    }
}
