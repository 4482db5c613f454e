//! `hallway compare`: where the lines of the backends cross on this machine, as a report to look at.

mod moved;
mod shown;

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use clap::Args;
use hallway_study::lab::{Choice, Choices, Injection};
use hallway_study::placement::Placement;
use hallway_study::report::{self, Report, StudyMode};
use hallway_study::study::{self, Plan, Progress, Silent, Stop, Studied};

use self::shown::Shown;
use crate::failure::Failure;
use crate::output::Output;
use crate::store_args::Target;

#[derive(Args)]
pub(crate) struct Compare {
    /// Two reports, crossover.json, instead of measuring: say which crossing points moved from the first to the second
    #[arg(value_name = "REPORT", num_args = 2)]
    reports: Vec<PathBuf>,
    /// Measure for about half an hour instead of under two minutes
    #[arg(long)]
    full: bool,
    /// Questions to answer, such as Q3,Q9; all of them if not given
    #[arg(long, value_name = "IDS", value_delimiter = ',')]
    only: Vec<String>,
    /// Folder for everything: index.html, figures, report.md, crossover.json, criterion's files
    #[arg(long, value_name = "DIR", default_value = "report")]
    out: PathBuf,
    /// Redis to measure; one that runs on this machine, if not given. Entries of the study are taken away at the end
    #[arg(long, value_name = "URL", conflicts_with_all = ["redis_file", "no_servers"])]
    redis: Option<String>,
    /// File that holds the URL of Redis
    #[arg(long, value_name = "FILE", conflicts_with = "no_servers")]
    redis_file: Option<PathBuf>,
    /// PostgreSQL to measure; one that runs on this machine and lets us in, if not given. Tables are dropped at the end
    #[arg(long, value_name = "URL", conflicts_with_all = ["postgres_file", "no_servers"])]
    postgres: Option<String>,
    /// File that holds the URL of PostgreSQL
    #[arg(long, value_name = "FILE", conflicts_with = "no_servers")]
    postgres_file: Option<PathBuf>,
    /// Start those of Redis and PostgreSQL that no URL names privately, on free ports, and stop them at the end
    #[arg(long, conflicts_with = "no_servers")]
    start: bool,
    /// Leave Redis and PostgreSQL out, even if they are running
    #[arg(long)]
    no_servers: bool,
    /// Which cores the study and the servers that it starts run on: some each, or all of them both
    #[arg(long, value_name = "HOW", default_value = "pinned", value_parser = ["pinned", "shared"])]
    placement: String,
    /// Key log whose hit ratios are to be in the report; may be given several times
    #[arg(long = "trace", value_name = "FILE")]
    traces: Vec<PathBuf>,
    /// Of the order of points, of resamples and of built-in traces
    #[arg(long, default_value_t = 42)]
    seed: u64,
    /// Drop what an interrupted study has left in the folder, instead of going on with it
    #[arg(long)]
    restart: bool,
    /// Make each call of a backend slower in the rounds and in replays through tiers, to see that the study notices:
    /// BACKEND=MICROSECONDS, such as redis-tcp=200
    #[arg(long, value_name = "BACKEND=US", conflicts_with = "reports")]
    inject: Option<Injection>,
    /// Compute what would be found if each call of a backend took longer, and say which points would move:
    /// BACKEND=MICROSECONDS, such as redis-tcp=200. From a finished study in DIR, else from one that is measured now;
    /// DIR/what-if holds the report
    #[arg(long, value_name = "BACKEND=US", conflicts_with = "reports")]
    what_if: Option<Injection>,
    /// Exit with 1 if a crossing point moved, a verdict turned, or a pair appeared or disappeared; for two reports
    #[arg(long, requires = "reports")]
    fail_on_move: bool,
    /// No progress on standard error
    #[arg(long, short)]
    quiet: bool,
}

impl Compare {
    pub(crate) async fn run(self, output: Output) -> Result<ExitCode, Failure> {
        if let [old, new] = self.reports.as_slice() {
            return moved::run(old, new, self.fail_on_move, output);
        }
        let progress: Arc<dyn Progress> = if self.quiet { Arc::new(Silent) } else { Arc::new(Shown::default()) };
        let plan = Plan {
            mode: if self.full { StudyMode::Full } else { StudyMode::Quick },
            only: self.only.clone(),
            out: self.out.clone(),
            choices: self.choices(&*progress)?,
            seed: self.seed,
            injection: self.inject,
            supposed: self.what_if,
            traces: self.traces.clone(),
            restart: self.restart,
        };
        let stop = Stop::default();
        // The study has a runtime of its own and must not run on a worker of this one.
        let mut study = {
            let (progress, stop) = (Arc::clone(&progress), stop.clone());
            tokio::task::spawn_blocking(move || study::run(&plan, &*progress, &stop))
        };
        let outcome = tokio::select! {
            outcome = &mut study => outcome,
            _ = tokio::signal::ctrl_c() => {
                stop.stop();
                // A second one does not wait for entries to be taken away.
                tokio::select! {
                    outcome = study => outcome,
                    _ = tokio::signal::ctrl_c() => return Err(Failure::Interrupted),
                }
            }
        };
        let outcome = outcome.map_err(|error| Failure::local("the study broke off", std::io::Error::other(error)))?;
        progress.at(f64::INFINITY, "done");
        let Studied { report, files, supposed } = outcome.map_err(Failure::study)?;
        let supposed = match (self.what_if, supposed) {
            (Some(what_if), Some((files, supposed))) => {
                let moves = report::moved(&report, &supposed).map_err(Failure::study)?;
                let Injection { backend, delay } = what_if;
                let page = files.index.display();
                format!("\nif each call of {backend} took {delay:?} longer (computed, not measured)\n{moves}{page}\n")
            }
            _ => String::new(),
        };
        output.answer(&report, || summary(&report, &supposed, &files.index))?;
        Ok(ExitCode::SUCCESS)
    }

    fn choices(&self, progress: &dyn Progress) -> Result<Choices, Failure> {
        let placement = match self.placement.as_str() {
            "shared" => Placement::Shared,
            _ => Placement::pinned_or_shared(|why| progress.say(why)),
        };
        Ok(Choices {
            redis: self.choice(self.redis.as_deref(), self.redis_file.as_deref())?,
            postgres: self.choice(self.postgres.as_deref(), self.postgres_file.as_deref())?,
            placement,
        })
    }

    fn choice(&self, url: Option<&str>, file: Option<&Path>) -> Result<Choice, Failure> {
        Ok(match (url, file) {
            (Some(url), _) => Choice::Url(Target::parse(url)?.url().to_owned()),
            (None, Some(file)) => Choice::Url(Target::from_file(file)?.url().to_owned()),
            (None, None) if self.start => Choice::Start,
            (None, None) if self.no_servers => Choice::None,
            (None, None) => Choice::Find,
        })
    }
}

/// What a person reads in the terminal: the rules, what was supposed, and where the rest is.
fn summary(report: &Report, supposed: &str, index: &Path) -> String {
    let mut text = String::new();
    for answer in report.answers.iter().filter(|answer| !answer.rules.is_empty()) {
        text.push_str(&format!("{:<4}{}\n", answer.id, answer.question));
        for rule in &answer.rules {
            text.push_str(&format!("      {rule}\n"));
        }
    }
    if !report.not_measured.is_empty() {
        text.push_str("not measured\n");
        for missing in &report.not_measured {
            text.push_str(&format!("      {}: {}\n", missing.what, missing.why));
        }
    }
    for warning in &report.warnings {
        text.push_str(&format!("note  {warning}\n"));
    }
    text.push_str(&format!("{supposed}\n{}\n", index.display()));
    text
}
