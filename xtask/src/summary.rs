//! The closing lines of a chore: each step, how it ended, how long it took.

use std::time::{Duration, Instant};

use crate::Result;

/// Runs steps in order, stops at the first that fails, and prints what became of each.
#[derive(Debug, Default)]
pub(crate) struct Steps {
    done: Vec<(String, Duration)>,
    notes: Vec<String>,
}

impl Steps {
    /// Runs one step under a heading.
    pub(crate) fn step(&mut self, name: &str, work: impl FnOnce() -> Result) -> Result {
        eprintln!("\n== {name}");
        let start = Instant::now();
        work().map_err(|error| {
            self.print();
            println!("  FAILED   {name} after {}", seconds(start.elapsed()));
            format!("{name}: {error}")
        })?;
        self.done.push((name.to_owned(), start.elapsed()));
        Ok(())
    }

    /// Something the reader must know at the end, such as what was left out.
    pub(crate) fn note(&mut self, note: impl Into<String>) {
        self.notes.push(note.into());
    }

    /// Prints the summary of a run in which every step succeeded.
    pub(crate) fn finish(self, verdict: &str) {
        self.print();
        println!("{verdict}");
    }

    fn print(&self) {
        println!("\nsummary");
        for (name, took) in &self.done {
            println!("  ok       {name} ({})", seconds(*took));
        }
        for note in &self.notes {
            println!("  note     {note}");
        }
    }
}

fn seconds(duration: Duration) -> String {
    format!("{:.1} s", duration.as_secs_f64())
}
