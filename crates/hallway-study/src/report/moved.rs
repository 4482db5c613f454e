//! What has changed between two reports: the crossings that moved, and the verdicts that turned.

use std::fmt;

use serde::Serialize;

use super::{CrossingPoint, Crossover, Report, SCHEMA, Verdict, told};
use crate::Result;
use crate::failure::refused;
use crate::placement::are_alike;

/// Two reports beside each other.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Comparison {
    /// One for each crossover of either report, in the order of the newer one.
    pub moves: Vec<Move>,
    /// Crossing points of pairs that both reports judged.
    pub points: usize,
    /// Those of them whose 95 % intervals overlap. A point that only one report found does not, unless the other one was
    /// too noisy for a point and says on which side of a place it would be: then that side is its interval.
    pub overlapping: usize,
    /// Those of the overlapping ones that overlap with no more than such a side.
    pub one_sided: usize,
    /// Why a difference may come from how it was measured rather than from what was measured.
    pub notes: Vec<String>,
}

/// What became of one crossover.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Move {
    /// [`Crossover::id`].
    pub id: String,
    /// What happened.
    pub change: Change,
    /// What the older report found.
    pub old: Option<Found>,
    /// What the newer report found.
    pub new: Option<Found>,
}

/// What one report found.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Found {
    /// The verdict.
    pub verdict: Verdict,
    /// The crossing points.
    pub points: Vec<CrossingPoint>,
    /// The verdict and its place, for people.
    pub text: String,
}

/// What happened to a crossover between two reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// Only the newer report judges this pair.
    Appeared,
    /// Only the older report judges this pair.
    Disappeared,
    /// Nothing that the intervals could tell.
    Kept,
    /// A point left the interval of the other report, both ways.
    Moved,
    /// The verdict is another, or somebody else wins.
    Turned,
}

impl Change {
    /// In a word.
    #[must_use]
    pub fn text(self) -> &'static str {
        match self {
            Self::Appeared => "appeared",
            Self::Disappeared => "disappeared",
            Self::Kept => "kept",
            Self::Moved => "moved",
            Self::Turned => "turned",
        }
    }
}

impl Comparison {
    /// The share of the crossing points whose intervals overlap; `None` without a point.
    pub fn overlap(&self) -> Option<f64> {
        (self.points > 0).then(|| self.overlapping as f64 / self.points as f64)
    }

    /// What is not [`Change::Kept`].
    pub fn changed(&self) -> impl Iterator<Item = &Move> {
        self.moves.iter().filter(|one| one.change != Change::Kept)
    }
}

/// What changed from the older report to the newer one.
///
/// # Errors
/// A report of another schema than [`SCHEMA`], or reports of different placements, whose numbers do not compare.
pub fn moved(old: &Report, new: &Report) -> Result<Comparison> {
    for (which, report) in [("older", old), ("newer", new)] {
        if report.schema != SCHEMA {
            let schema = &report.schema;
            return Err(format!(
                "the {which} report has the schema `{schema}`, this version reads `{SCHEMA}`: measure again, or compare \
                 with the version of hallway that wrote it"
            )
            .into());
        }
    }
    if !are_alike(&old.env.placement, &new.env.placement) {
        let (old, new) = (&old.env.placement, &new.env.placement);
        return Err(refused(format!(
            "the older report was measured `{old}` and the newer one `{new}`, which does not compare: measure both with \
             the same placement"
        )));
    }
    let judged_before = |id: &str| old.crossovers.iter().find(|one| one.id == id);
    let is_gone = |one: &&Crossover| !new.crossovers.iter().any(|other| other.id == one.id);
    let both: Vec<_> = new.crossovers.iter().map(|one| (judged_before(&one.id), one)).collect();
    let gone = old.crossovers.iter().filter(is_gone);
    let moves = both.iter().map(|(old, new)| became(&new.id, *old, Some(new)));
    let moves = moves.chain(gone.map(|old| became(&old.id, Some(old), None))).collect();
    let (mut points, mut overlapping, mut one_sided) = (0, 0, 0);
    for (old, new) in both.iter().filter_map(|(old, new)| Some(((*old)?, new))) {
        points += old.points.len().max(new.points.len());
        overlapping += pairs(old, new).filter(|(old, new)| overlap(old.ci95, new.ci95)).count();
        one_sided += usize::from(is_on_side(old, new) || is_on_side(new, old));
    }
    Ok(Comparison { moves, points, overlapping: overlapping + one_sided, one_sided, notes: notes(old, new) })
}

fn became(id: &str, old: Option<&Crossover>, new: Option<&Crossover>) -> Move {
    let change = match (old, new) {
        (Some(old), Some(new)) => change(old, new),
        (Some(_), None) => Change::Disappeared,
        (None, _) => Change::Appeared,
    };
    let found = |one: &Crossover| Found {
        verdict: one.verdict,
        points: one.points.clone(),
        text: format!("{}: {}", told::verdict(one.verdict), told::place(one)),
    };
    Move { id: id.to_owned(), change, old: old.map(found), new: new.map(found) }
}

fn change(old: &Crossover, new: &Crossover) -> Change {
    let winners = |one: &Crossover| {
        let of_points = one.points.iter().flat_map(|point| [point.left.clone(), point.right.clone()]);
        of_points.chain(one.winner.clone()).collect::<Vec<_>>()
    };
    let is_outside = |x: f64, [low, high]: [f64; 2]| x < low || x > high;
    if old.verdict != new.verdict || winners(old) != winners(new) {
        Change::Turned
    } else if pairs(old, new).any(|(old, new)| is_outside(new.x, old.ci95) && is_outside(old.x, new.ci95)) {
        Change::Moved
    } else {
        Change::Kept
    }
}

fn pairs<'a>(old: &'a Crossover, new: &'a Crossover) -> impl Iterator<Item = (&'a CrossingPoint, &'a CrossingPoint)> {
    old.points.iter().zip(&new.points)
}

/// Whether the only point of one is where the other, too noisy for a point, says that it would be.
fn is_on_side(one: &Crossover, noisy: &Crossover) -> bool {
    let is_too_noisy = noisy.verdict == Verdict::Inconclusive;
    match (one.points.as_slice(), noisy.side.filter(|_| is_too_noisy)) {
        ([point], Some(side)) => overlap(point.ci95, side),
        _ => false,
    }
}

fn overlap(one: [f64; 2], other: [f64; 2]) -> bool {
    one[0] <= other[1] && other[0] <= one[1]
}

fn notes(old: &Report, new: &Report) -> Vec<String> {
    let differ = |what: &str, old: String, new: String| (old != new).then(|| format!("{what}: {old}, then {new}"));
    let mode = |report: &Report| format!("{} of {} rounds", told::mode(report.mode), report.rounds);
    let mut notes: Vec<String> = [
        differ("processor", old.env.cpu.clone(), new.env.cpu.clone()),
        differ("cores", old.env.cores.to_string(), new.env.cores.to_string()),
        differ("placement", old.env.placement.clone(), new.env.placement.clone()),
        differ("mode", mode(old), mode(new)),
    ]
    .into_iter()
    .flatten()
    .collect();
    for server in &new.env.servers {
        let before = old.env.servers.iter().find(|one| one.name == server.name);
        let Some(before) = before else { continue };
        notes.extend(differ(&server.name, before.version.clone(), server.version.clone()));
        if before.settings != server.settings {
            notes.push(format!("{}: its settings differ", server.name));
        }
    }
    notes
}

impl fmt::Display for Comparison {
    /// A table of what changed and a line about the rest.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let none = || "not judged".to_owned();
        let text = |found: &Option<Found>| found.as_ref().map_or_else(none, |found| found.text.clone());
        let head = ["crossover", "change", "before", "now"].map(str::to_owned);
        let cells = |one: &Move| [one.id.clone(), one.change.text().to_owned(), text(&one.old), text(&one.new)];
        let rows: Vec<[String; 4]> = self.changed().map(cells).collect();
        if !rows.is_empty() {
            let all: Vec<_> = [head].into_iter().chain(rows).collect();
            let widths = [0, 1, 2].map(|at| all.iter().map(|row| row[at].chars().count()).max().unwrap_or(0));
            for [id, change, before, now] in &all {
                writeln!(f, "{id:0$}  {change:1$}  {before:2$}  {now}", widths[0], widths[1], widths[2])?;
            }
            writeln!(f)?;
        }
        for note in &self.notes {
            writeln!(f, "note: {note}")?;
        }
        let changed = self.changed().count();
        write!(f, "{changed} of {} crossovers changed", self.moves.len())?;
        if self.points > 0 {
            write!(f, "; the intervals of {} of {} crossing points overlap", self.overlapping, self.points)?;
            if self.one_sided > 0 {
                write!(f, ", {} of them with the side that a verdict too noisy for a point leaves", self.one_sided)?;
            }
        }
        writeln!(f)
    }
}

#[cfg(test)]
mod tests;
