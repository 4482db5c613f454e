//! Advice as text, in lines that people read.

use std::fmt::{self, Display, Formatter};

use super::advice::{Advice, Elimination, NamedFact};
use super::fact::Fact;
use super::predict::Prediction;
use super::units::{count, digits, time};

/// Flip points that are printed; the JSON form has all.
const FLIPS: usize = 3;

impl Display for Advice {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let choice = &self.choice;
        writeln!(f, "-> {}", headline(choice))?;
        section(f, "why", self.why.iter().map(String::as_str))?;
        if let Some(next) = &self.runner_up {
            section(
                f,
                "runner-up",
                [format!("{}; {}", headline(next), parts(next, choice))].iter().map(String::as_str),
            )?;
        }
        let flips = self.flips.iter().take(FLIPS).map(|flip| flip.text.as_str());
        let none = ["nothing within reason: no input alone changes the choice"];
        if self.flips.is_empty() {
            section(f, "flips", none.into_iter())?
        } else {
            section(f, "flips", flips)?
        }
        let out = ruled_out(&self.eliminated);
        section(f, "ruled out", out.iter().map(String::as_str))?;
        let basis: Vec<String> = self.basis.iter().map(basis).collect();
        section(f, "basis", basis.iter().map(String::as_str))?;
        section(f, "careful", self.warnings.iter().map(String::as_str))?;
        write!(f, "\n{}", self.hallway_toml.trim_end())
    }
}

fn section<'a>(f: &mut Formatter<'_>, name: &str, lines: impl Iterator<Item = &'a str>) -> fmt::Result {
    for (at, line) in lines.enumerate() {
        writeln!(f, "   {:<10} {line}", if at == 0 { name } else { "" })?;
    }
    Ok(())
}

/// One line for each reason.
fn ruled_out(eliminated: &[Elimination]) -> Vec<String> {
    let mut reasons: Vec<(&str, Vec<&str>)> = Vec::new();
    for out in eliminated {
        match reasons.iter_mut().find(|(reason, _)| *reason == out.reason) {
            Some((_, names)) => names.push(&out.name),
            None => reasons.push((&out.reason, vec![&out.name])),
        }
    }
    reasons.into_iter().map(|(reason, names)| format!("{}: {reason}", names.join("; "))).collect()
}

fn headline(of: &Prediction) -> String {
    let mut copies = Vec::new();
    if of.local_entries > 0.0 {
        copies.push(format!("{} entries", count(of.local_entries.floor())));
    }
    if let Some(ttl) = of.copy_ttl_ms {
        copies.push(format!("ttl {}", time(ttl * 1e3)));
    }
    let copies = if copies.is_empty() { String::new() } else { format!(" ({})", copies.join(", ")) };
    let [low, high] = of.mean_interval_us;
    // Until 99 of 100 end before it.
    let is_at_database = of.architecture.has_database() && of.architecture.has_copies() && of.total_hit_ratio < 0.99;
    let level = if is_at_database { " (database level)" } else { "" };
    format!(
        "{}{copies}: mean {} [{}, {}], p99 {}{level}",
        of.name,
        time(of.mean_us),
        time(low),
        time(high),
        time(of.p99_us)
    )
}

/// How much more or less there is to look after than with the choice.
fn parts(of: &Prediction, choice: &Prediction) -> String {
    let services = i64::from(of.new_services) - i64::from(choice.new_services);
    let layers = i64::from(of.layers) - i64::from(choice.layers);
    let say = |number: i64, what: &str| {
        let more = if number > 0 { "more" } else { "less" };
        (number != 0).then(|| format!("{} {what}{} {more}", number.abs(), if number.abs() == 1 { "" } else { "s" }))
    };
    let said: Vec<String> = [say(services, "service"), say(layers, "layer")].into_iter().flatten().collect();
    if said.is_empty() { "as many parts".to_owned() } else { said.join(", ") }
}

fn basis(fact: &NamedFact) -> String {
    let Fact { value, low, high, basis, note } = &fact.fact;
    let interval = if low < high { format!(" [{}, {}]", digits(*low), digits(*high)) } else { String::new() };
    let note = if note.is_empty() { String::new() } else { format!(" ({note})") };
    format!("{} = {}{interval}: {basis}{note}", fact.name, plain(*value))
}

fn plain(value: f64) -> String {
    if value >= 1e3 { format!("{value:.0}") } else { digits(value) }
}
