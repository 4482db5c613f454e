//! How far a study is, on standard error: a bar on a terminal, a line now and then elsewhere.

use std::io::{self, IsTerminal as _};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use hallway_study::study::Progress;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::output::note;

/// Between two lines where there is no terminal.
const BETWEEN_LINES: Duration = Duration::from_secs(10);

/// Progress for people.
#[derive(Debug, Default)]
pub(super) struct Shown {
    // Blocking: nothing awaits while holding it.
    state: Mutex<Option<State>>,
}

#[derive(Debug)]
struct State {
    total: f64,
    /// When the first work was begun, and what was done already: an interrupted study goes on.
    first: Option<(Instant, f64)>,
    last_line: Instant,
    bar: Option<ProgressBar>,
}

impl State {
    fn new() -> Self {
        let bar = io::stderr().is_terminal().then(|| {
            // Drawn when it is told to, never by a thread: criterion's own words must not come between.
            let bar = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr());
            if let Ok(style) = ProgressStyle::with_template("[{wide_bar}] {percent}%  {prefix} left  {msg}") {
                bar.set_style(style.progress_chars("=> "));
            }
            bar
        });
        Self { total: 0.0, first: None, last_line: Instant::now(), bar }
    }

    /// By how fast this machine has been so far; by what was expected until then.
    fn left(&self, seconds: f64) -> String {
        let ahead = (self.total - seconds).max(0.0);
        let pace = match self.first {
            Some((start, base)) if seconds > base + 1.0 => start.elapsed().as_secs_f64() / (seconds - base),
            _ => 1.0,
        };
        minutes(ahead * pace)
    }
}

impl Progress for Shown {
    fn begin(&self, seconds: f64) {
        let mut state = self.lock();
        let is_first = state.is_none();
        let state = state.get_or_insert_with(State::new);
        state.total = seconds;
        match &state.bar {
            Some(bar) => bar.set_length(millis(seconds)),
            None if is_first => note(&format!("about {} in all", minutes(seconds))),
            None => note(&format!("more to measure where lines cross; about {} in all", minutes(seconds))),
        }
    }

    fn at(&self, seconds: f64, next: &str) {
        let mut state = self.lock();
        let Some(state) = state.as_mut() else { return };
        state.first.get_or_insert_with(|| (Instant::now(), seconds));
        let left = state.left(seconds);
        match &state.bar {
            Some(bar) if seconds.is_infinite() => bar.finish_and_clear(),
            Some(bar) => {
                bar.set_prefix(left);
                bar.set_message(next.to_owned());
                bar.set_position(millis(seconds));
            }
            None if state.last_line.elapsed() >= BETWEEN_LINES && seconds < state.total => {
                state.last_line = Instant::now();
                note(&format!("{:.0} % done, {left} left; {next}", 100.0 * seconds / state.total));
            }
            None => {}
        }
    }

    fn say(&self, text: &str) {
        match self.lock().as_ref().and_then(|state| state.bar.as_ref()) {
            Some(bar) => bar.println(text),
            None => note(text),
        }
    }
}

impl Shown {
    fn lock(&self) -> std::sync::MutexGuard<'_, Option<State>> {
        self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

fn millis(seconds: f64) -> u64 {
    (seconds * 1_000.0) as u64
}

fn minutes(seconds: f64) -> String {
    let seconds = seconds.round() as u64;
    match seconds {
        0..60 => format!("{seconds} s"),
        _ => format!("{} min {:02} s", seconds / 60, seconds % 60),
    }
}
