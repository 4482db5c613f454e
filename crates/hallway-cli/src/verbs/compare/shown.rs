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
    start: Instant,
    /// What was done already when this began: an interrupted study goes on.
    last_line: Instant,
    bar: Option<ProgressBar>,
}

impl Progress for Shown {
    fn begin(&self, seconds: f64) {
        let bar = io::stderr().is_terminal().then(|| {
            // Drawn when it is told to, never by a thread: criterion's own words must not come between.
            let bar = ProgressBar::with_draw_target(Some(millis(seconds)), ProgressDrawTarget::stderr());
            if let Ok(style) = ProgressStyle::with_template("[{wide_bar}] {percent}%  {eta} left  {msg}") {
                bar.set_style(style.progress_chars("=> "));
            }
            bar
        });
        let now = Instant::now();
        if bar.is_none() {
            note(&format!("about {} to go", minutes(seconds)));
        }
        *self.lock() = Some(State { total: seconds, start: now, last_line: now, bar });
    }

    fn at(&self, seconds: f64, next: &str) {
        let mut state = self.lock();
        let Some(state) = state.as_mut() else { return };
        match &state.bar {
            Some(bar) if seconds >= state.total => bar.finish_and_clear(),
            Some(bar) => {
                bar.set_position(millis(seconds));
                bar.set_message(next.to_owned());
            }
            None if state.last_line.elapsed() >= BETWEEN_LINES && seconds < state.total => {
                state.last_line = Instant::now();
                let left = match seconds > 0.0 {
                    // By how fast this machine has been so far.
                    true => state.start.elapsed().as_secs_f64() * (state.total - seconds) / seconds,
                    false => state.total,
                };
                note(&format!("{:.0} % done, {} left; {next}", 100.0 * seconds / state.total, minutes(left)));
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
