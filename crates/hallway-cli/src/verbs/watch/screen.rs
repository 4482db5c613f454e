//! Showing one look after the other: a table that is drawn over on a terminal, a line each elsewhere.

use std::fmt::Write as _;
use std::io::{self, IsTerminal as _};

use super::look::{Copies, Sight};
use crate::failure::Failure;
use crate::output::Output;

pub(super) struct Screen {
    output: Output,
    live: bool,
    labels: Vec<(&'static str, String)>,
    /// Lines on the terminal that the next table is drawn over.
    drawn: usize,
}

impl Screen {
    pub(super) fn new(output: Output, labels: Vec<(&'static str, String)>) -> Self {
        let live = !output.json && io::stdout().is_terminal();
        Self { output, live, labels, drawn: 0 }
    }

    pub(super) fn show(&mut self, sight: &Sight) -> Result<(), Failure> {
        if self.output.json {
            return self.output.json(sight);
        }
        if !self.live {
            return self.output.line(&line(sight));
        }
        let table = table(sight, &self.labels);
        // Up to the first line of the table before, and nothing of it left.
        let up = if self.drawn > 0 { format!("\x1b[{}A\x1b[J", self.drawn) } else { String::new() };
        self.drawn = table.lines().count();
        self.output.line(&format!("{up}{table}"))
    }
}

/// A look as one line.
fn line(sight: &Sight) -> String {
    let mut text = sight.at.clone();
    for row in &sight.tiers {
        let _ = write!(text, "  {} {} {} hits (+{})", row.tier, row.health, row.hits, row.new_hits);
    }
    let _ = write!(text, "  {}  invalidations {}  {}", link(sight), sight.invalidations, owed(sight));
    if let Some(copies) = &sight.copies {
        let _ = write!(text, "  copies: {}", shares(copies));
    }
    let _ = write!(text, "  {}", sight.bound);
    text
}

fn table(sight: &Sight, labels: &[(&'static str, String)]) -> String {
    let mut text = format!("{:<10}  {:>8}  {:>9}  {:>9}  {:>7}\n", "tier", "health", "latency", "hits", "new");
    for row in &sight.tiers {
        let latency = row.latency_us.map_or("-".to_owned(), |us| format!("{us:.0} us"));
        let label = labels.iter().find(|(tier, _)| *tier == row.tier).map_or("", |(_, label)| label);
        let _ = writeln!(
            text,
            "{:<10}  {:>8}  {:>9}  {:>9}  {:>7}  {}",
            row.tier,
            row.health,
            latency,
            row.hits,
            row.new_hits,
            short(label)
        );
    }
    let _ = writeln!(text, "{}", link(sight));
    let _ = writeln!(text, "invalidations {}, all copies given up {} times", sight.invalidations, sight.flushes);
    let _ = writeln!(text, "{}", owed(sight));
    if let Some(copies) = &sight.copies {
        let _ = writeln!(text, "of the copies looked at: {}", shares(copies));
    }
    if sight.failed_reads > 0 {
        let _ = writeln!(text, "reads that failed: {}", sight.failed_reads);
    }
    let _ = writeln!(text, "{}", wrapped(&sight.bound));
    let _ = write!(text, "{}; Ctrl-C ends it", sight.at);
    text
}

fn link(sight: &Sight) -> String {
    match (sight.link, sight.proven_ms) {
        ("up", Some(proven)) => format!("link up, proven {proven:.0} ms ago, breaker {}", sight.breaker),
        ("down", Some(proven)) => format!("link down, last proven {proven:.0} ms ago, breaker {}", sight.breaker),
        (state, _) => format!("link {state}, breaker {}", sight.breaker),
    }
}

fn owed(sight: &Sight) -> String {
    let outbox = sight.outbox.map_or(String::new(), |rows| format!(", {rows} in the outbox"));
    format!("owed {} here{outbox}, lag {:.0} ms", sight.owed, sight.lag_ms)
}

fn shares(copies: &Copies) -> String {
    format!("{} values, {} leases, {} marked", copies.values, copies.leases, copies.marked)
}

/// A long label would break the line, and drawing over it counts lines.
fn short(label: &str) -> String {
    const LONGEST: usize = 26;
    match label.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &label[..end]),
        None => label.to_owned(),
    }
}

/// At blanks, to lines of at most 80 columns.
fn wrapped(text: &str) -> String {
    let (mut out, mut column) = (String::new(), 0);
    for word in text.split(' ') {
        let length = word.chars().count();
        if column > 0 && column + 1 + length > 79 {
            out.push_str("\n  ");
            column = 2;
        } else if column > 0 {
            out.push(' ');
            column += 1;
        }
        out.push_str(word);
        column += length;
    }
    out
}

#[cfg(test)]
mod tests {
    use super::super::look::TierRow;
    use super::*;

    fn sight() -> Sight {
        let row = |tier, hits| TierRow { tier, health: "ready", latency_us: Some(42.0), hits, new_hits: 1 };
        Sight {
            tiers: vec![row("local", 7), row("shared", 5), row("consistent", 3)],
            link: "up",
            breaker: "closed",
            proven_ms: Some(120.4),
            bound: "shared: at most 5s stale ".repeat(8),
            outbox: Some(2),
            copies: Some(Copies { values: 9, leases: 1, marked: 0 }),
            ..Sight::empty()
        }
    }

    #[test]
    fn the_table_fits_a_terminal() {
        let labels = vec![("shared", "redis://a-very-long-name-of-a-host.internal:6379/0".to_owned())];
        let text = table(&sight(), &labels);
        assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
        for words in ["local", "7", "link up, proven 120 ms ago", "2 in the outbox", "9 values, 1 leases"] {
            assert!(text.contains(words), "`{words}` is missing: {text}");
        }
    }

    #[test]
    fn a_look_is_one_line_elsewhere() {
        let text = line(&sight());
        assert_eq!(text.lines().count(), 1);
        assert!(text.contains("consistent ready 3 hits (+1)") && text.contains("lag 0 ms"), "{text}");
    }
}
