//! The one test command.

use crate::summary::Steps;
use crate::{Result, programs, readme, shell, two_features};

/// How much to test.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct Args {
    /// Answer within minutes: short random-operation runs, no documentation tests, no scratch builds
    #[arg(long)]
    quick: bool,
    /// Passed on to `cargo test`, such as `-- --package hallway-moka`
    #[arg(last = true)]
    extra: Vec<String>,
}

pub(crate) fn run(args: &Args) -> Result {
    let mut steps = Steps::default();
    steps.step("server programs", programs::ensure)?;
    self::steps(&mut steps, args)?;
    steps.finish(if args.quick { "the quick tests passed" } else { "all tests passed" });
    Ok(())
}

/// The steps after the servers are known to be installed.
pub(crate) fn steps(steps: &mut Steps, args: &Args) -> Result {
    let mut tally = Tally::default();
    steps.step("cargo test", || {
        let mut command = shell::cargo("test --locked --all-features --no-fail-fast".split(' '));
        if args.extra.is_empty() || !args.extra.iter().any(|arg| arg == "--package" || arg == "-p") {
            command.arg("--workspace");
        }
        if args.quick {
            command.args(["--lib", "--bins", "--tests", "--examples"]).env("HALLWAY_TEST_QUICK", "1");
        } else {
            command.env_remove("HALLWAY_TEST_QUICK");
        }
        command.args(&args.extra);
        shell::run_watched(&mut command, |line| tally.see(line))
    })?;
    steps.note(tally.line());
    if args.quick {
        steps.note(
            "left out by --quick: long random-operation runs, the replay of the whole trace, documentation tests, the README program, two features in one build",
        );
        return Ok(());
    }
    let scratch = shell::target_dir().join("xtask");
    steps.step("README program in a fresh crate", || readme::run(&scratch.join("readme"), false))?;
    steps.step("two features in one build", || two_features::run(&scratch.join("two-features")))
}

/// Adds up the closing lines of the test programs.
#[derive(Debug, Default, PartialEq, Eq)]
struct Tally {
    programs: u64,
    passed: u64,
    failed: u64,
    ignored: u64,
}

impl Tally {
    fn see(&mut self, line: &str) {
        let Some(rest) = line.strip_prefix("test result: ") else { return };
        self.programs += 1;
        for part in rest.split([';', '.']) {
            let Some((number, what)) = part.trim().split_once(' ') else { continue };
            let Ok(number) = number.parse::<u64>() else { continue };
            match what {
                "passed" => self.passed += number,
                "failed" => self.failed += number,
                "ignored" => self.ignored += number,
                _ => {}
            }
        }
    }

    fn line(&self) -> String {
        let Self { programs, passed, failed, ignored } = self;
        format!("{passed} tests passed, {failed} failed, {ignored} ignored, in {programs} test programs")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn adds_up_closing_lines() {
        let mut tally = Tally::default();
        tally.see("running 3 tests");
        tally.see("test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.01s");
        tally.see("test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.50s");
        assert_eq!(tally, Tally { programs: 2, passed: 4, failed: 2, ignored: 1 });
    }
}
