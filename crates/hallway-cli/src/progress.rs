//! Progress on standard error: a bar on a terminal, a line now and then elsewhere.

use std::io::{self, IsTerminal as _};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::output::note;

/// Between two lines where there is no terminal.
const BETWEEN_LINES: Duration = Duration::from_secs(5);

/// How far one store is.
#[derive(Debug)]
pub(crate) struct Progress(Kind);

#[derive(Debug)]
enum Kind {
    Bar(ProgressBar),
    Lines(Lines),
    Quiet,
}

#[derive(Debug)]
struct Lines {
    label: String,
    total: Option<u64>,
    start: Instant,
    // When the last line was printed. A blocking lock: nothing awaits while holding it.
    last: Mutex<Instant>,
}

impl Progress {
    pub(crate) fn new(label: &str, total: Option<u64>, quiet: bool) -> Self {
        if quiet {
            return Self(Kind::Quiet);
        }
        if !io::stderr().is_terminal() {
            let now = Instant::now();
            return Self(Kind::Lines(Lines { label: label.to_owned(), total, start: now, last: Mutex::new(now) }));
        }
        let template = match total {
            Some(_) => "{msg}  [{wide_bar}] {percent}%  {human_pos} of {human_len}  {eta} left",
            None => "{msg}  {human_pos}  {per_sec}",
        };
        let bar = ProgressBar::with_draw_target(total, ProgressDrawTarget::stderr()).with_message(label.to_owned());
        if let Ok(style) = ProgressStyle::with_template(template) {
            bar.set_style(style.progress_chars("=> "));
        }
        Self(Kind::Bar(bar))
    }

    /// So many requests are done.
    pub(crate) fn at(&self, done: u64) {
        match &self.0 {
            Kind::Bar(bar) => bar.set_position(done),
            Kind::Lines(lines) => lines.at(done),
            Kind::Quiet => {}
        }
    }

    pub(crate) fn finish(&self) {
        if let Kind::Bar(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}

impl Lines {
    fn at(&self, done: u64) {
        // A poisoned lock or a line being printed by another task: leave it out.
        let Ok(mut last) = self.last.try_lock() else { return };
        if last.elapsed() < BETWEEN_LINES {
            return;
        }
        *last = Instant::now();
        let took = self.start.elapsed();
        note(&match self.total {
            Some(total) => {
                let left = took.mul_f64(total.saturating_sub(done) as f64 / done.max(1) as f64);
                format!("{}: {done} of {total} requests, {} s left", self.label, left.as_secs())
            }
            None => format!("{}: {done} requests", self.label),
        });
    }
}
