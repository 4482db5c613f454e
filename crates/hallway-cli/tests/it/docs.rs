//! The command lines that the documents print, run by a shell as they stand there.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::run::{Ran, command};

/// The `sh` blocks of a document that hold these words.
fn block(document: &str, words: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(document);
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{document}: {error}"));
    let blocks: Vec<_> = text
        .split("```sh\n")
        .skip(1)
        .filter_map(|rest| rest.split_once("\n```"))
        .map(|(block, _)| block)
        .filter(|block| block.contains(words))
        .collect();
    let [block] = blocks[..] else { panic!("{document} has {} blocks with `{words}`", blocks.len()) };
    block.to_owned()
}

/// Runs it in a folder, with the built binary in the place of `cargo hallway`.
fn shell(folder: &Path, script: &str) -> Ran {
    assert!(script.contains("cargo hallway "), "{script}");
    let script = script.replace("cargo hallway ", "\"$HALLWAY\" ");
    // Without the variables of whoever runs the tests.
    let mut shell = Command::new("sh");
    for (name, value) in command().get_envs() {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    shell.args(["-e", "-c", &script]).current_dir(folder).env("HALLWAY", env!("CARGO_BIN_EXE_hallway"));
    shell.output().expect("sh").into()
}

#[test]
fn the_shell_lines_of_the_readme_write_and_read() {
    let folder = tempfile::tempdir().unwrap();
    let ran = shell(folder.path(), &block("README.md", "HALLWAY_STORE=")).exits(0);
    let (value, listing) = ran.text().split_at(r#"{"name":"Ada"}"#.len());
    assert_eq!(value, r#"{"name":"Ada"}"#, "{ran:?}");
    let listing: serde_json::Value = serde_json::from_str(listing).unwrap();
    assert_eq!(listing["keys"], serde_json::json!(["user:profile:42"]));
    assert!(folder.path().join("app.db").is_file());
}

#[test]
fn the_tier_lines_of_the_readme_run_on_embedded_tiers() {
    let folder = tempfile::tempdir().unwrap();
    let ran = shell(folder.path(), &block("README.md", "hallway ping --local")).exits(0);
    for words in ["bound", "at most 5s stale", "local ready", "answered by", "2 instances", "failures       none"] {
        assert!(ran.text().contains(words), "`{words}` is missing: {}", ran.text());
    }
}

#[test]
fn the_readme_measures_a_preset_and_asks_the_advisor() {
    let folder = tempfile::tempdir().unwrap();
    let ran = shell(folder.path(), &block("README.md", "hallway advise")).exits(0);
    for words in
        ["20,000 requests", "90 % of what a cache of any size could gain needs", "-> ", "holds while", "[stores]"]
    {
        assert!(ran.text().contains(words), "`{words}` is missing: {}", ran.text());
    }
}

/// Only that they run: what is found depends on the machine.
#[test]
fn the_guide_measures_a_question_and_takes_advice_from_the_report() {
    let folder = tempfile::tempdir().unwrap();
    shell(folder.path(), &block("docs/guide/choosing.md", "hallway compare --only")).exits(0);
    for file in ["index.html", "report.md", "q1-get.svg"] {
        assert!(folder.path().join("report").join(file).is_file(), "{file}");
    }
    let ran = shell(folder.path(), &block("docs/guide/choosing.md", "hallway advise")).exits(0);
    for words in ["-> ", "crossover.json of", "holds while", "[stores]"] {
        assert!(ran.text().contains(words), "`{words}` is missing: {}", ran.text());
    }
}

#[test]
fn the_configuration_of_the_readme_is_one() {
    let readme = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../README.md")).unwrap();
    let toml = readme.split("```toml\n# hallway.toml\n").nth(1).unwrap().split("\n```").next().unwrap();
    let config = hallway::Config::from_toml_str(toml).unwrap();
    assert!(config.urls().all(|(_, url)| url.is_some()));
}

#[test]
fn the_curve_of_the_guide_says_what_the_gain_takes() {
    let folder = tempfile::tempdir().unwrap();
    let log: String = (1..=600_u32).map(|at| format!("user:profile:{}\n", at * at % 61)).collect();
    fs::write(folder.path().join("access.log"), log).unwrap();
    let ran = shell(folder.path(), &block("docs/guide/choosing.md", "hallway curve")).exits(0);
    for words in ["600 requests", "90 % of what a cache of any size could gain needs"] {
        assert!(ran.text().contains(words), "`{words}` is missing: {}", ran.text());
    }
    assert!(folder.path().join("curve/curve.html").is_file());
}

#[test]
fn the_replay_of_the_guide_compares_two_stores() {
    let folder = tempfile::tempdir().unwrap();
    // What an application may have logged: skewed, with repeats.
    let log: String = (1..=600_u32).map(|at| format!("user:profile:{}\n", at * at % 61)).collect();
    fs::write(folder.path().join("access.log"), log).unwrap();
    let script = block("docs/guide/choosing.md", "hallway replay --trace");
    // A server for itself is not this test's business.
    let (redis, sqlite) = ("redis://127.0.0.1/0", "sqlite:guide.db");
    assert!(script.contains(redis), "{script}");
    let ran = shell(folder.path(), &script.replace(redis, sqlite)).exits(0);
    for words in ["600 requests", "moka:?max_entries=10000", sqlite] {
        assert!(ran.text().contains(words), "`{words}` is missing: {}", ran.text());
    }
}
