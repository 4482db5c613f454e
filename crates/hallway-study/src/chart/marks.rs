//! Crossings on a picture: a band where the sides are equal, a band for the interval, a line, and who wins on each side.

use crate::chart::axis::Ruler;
use crate::chart::canvas::{Anchor, BOLD, Canvas, width, wrap};
use crate::chart::svg::Form;
use crate::chart::{Mark, Unit};

/// What is written above the picture, with the row in which it stands.
#[derive(Debug)]
pub(super) struct Heading<'a> {
    mark: &'a Mark,
    x: f64,
    row: usize,
    told: String,
    left: Option<String>,
    right: Option<String>,
}

/// Lines of text per heading: what it is, and who wins if anybody does.
fn lines(headings: &[Heading<'_>]) -> f64 {
    if headings.iter().any(|heading| heading.left.is_some() || heading.right.is_some()) { 2.0 } else { 1.0 }
}

/// Headings for marks from left to right, in rows so that none covers another.
pub(super) fn headings<'a>(marks: &'a [Mark], ruler: &Ruler, unit: Unit, form: &Form) -> Vec<Heading<'a>> {
    let mut known: Vec<_> = marks.iter().filter_map(|mark| Some((mark, ruler.at(mark.x)?))).collect();
    known.sort_by(|a, b| a.1.total_cmp(&b.1));
    let mut ends: Vec<f64> = Vec::new();
    let mut found = Vec::new();
    for (mark, x) in known {
        let told = told(mark, unit);
        let half = bold(&told, form) / 2.0;
        let middle = middle(x, half, form);
        let left = mark.left.as_ref().map(|name| shorten(&format!("← {name} wins"), form, x - form.edge));
        let right =
            mark.right.as_ref().map(|name| shorten(&format!("{name} wins →"), form, form.width - x - form.edge));
        let side = |words: &Option<String>| words.as_ref().map_or(0.0, |words| bold(words, form) + form.edge);
        let span = [(middle - half).min(x - side(&left)), (middle + half).max(x + side(&right))];
        let row = ends.iter().position(|end| end + form.edge < span[0]).unwrap_or(ends.len());
        match ends.get_mut(row) {
            Some(end) => *end = span[1],
            None => ends.push(span[1]),
        }
        found.push(Heading { mark, x, row, told, left, right });
    }
    found
}

/// How high the headings are together.
pub(super) fn height(headings: &[Heading<'_>], form: &Form) -> f64 {
    let rows = headings.iter().map(|heading| heading.row + 1).max().unwrap_or_default();
    rows as f64 * lines(headings) * form.line
}

/// The bands, which belong behind the curves.
pub(super) fn bands(canvas: &mut Canvas, headings: &[Heading<'_>], ruler: &Ruler, [top, bottom]: [f64; 2]) {
    for (class, pick) in
        [("tie", (|mark| mark.tie_band) as fn(&Mark) -> Option<[f64; 2]>), ("ci", |mark| mark.interval)]
    {
        for heading in headings {
            if let Some([low, high]) = pick(heading.mark) {
                let (from, to) = (ruler.at_most(low), ruler.at_most(high));
                // An interval that is narrower than a line is still to be seen.
                let (from, to) = if to - from < 2.0 { (from - 1.0, to + 1.0) } else { (from, to) };
                canvas.rect(class, [from, top], [to - from, bottom - top]);
            }
        }
    }
}

/// The lines and what is written above them.
pub(super) fn draw(canvas: &mut Canvas, headings: &[Heading<'_>], form: &Form, [above, top, bottom]: [f64; 3]) {
    let lines = lines(headings);
    for heading in headings {
        let first = above + (heading.row as f64 * lines + 0.75) * form.line;
        let second = first + form.line;
        canvas.line("mark", [heading.x, second - form.font * 0.8], [heading.x, bottom.max(top)]);
        let half = bold(&heading.told, form) / 2.0;
        canvas.words("told halo", [middle(heading.x, half, form), first], Anchor::Middle, &heading.told);
        if let Some(left) = &heading.left {
            canvas.words("win halo", [heading.x - form.edge * 0.6, second], Anchor::End, left);
        }
        if let Some(right) = &heading.right {
            canvas.words("win halo", [heading.x + form.edge * 0.6, second], Anchor::Start, right);
        }
    }
}

/// What it is, where, and its interval.
pub(super) fn told(mark: &Mark, unit: Unit) -> String {
    let place = unit.text(mark.x);
    let mut told = mark.label.clone();
    if !told.contains(&place) {
        told = if told.is_empty() { place } else { format!("{told} {place}") };
    }
    if let Some(interval) = mark.interval.filter(|_| !told.contains('[')) {
        let [low, high] = interval.map(|end| unit.text(end));
        told = format!("{told} [{low}, {high}]");
    }
    told
}

fn middle(x: f64, half: f64, form: &Form) -> f64 {
    x.min(form.width - form.edge - half).max(form.edge + half)
}

fn shorten(words: &str, form: &Form, room: f64) -> String {
    if bold(words, form) <= room {
        return words.to_owned();
    }
    let fewer = words.replace(" wins", "");
    wrap(&fewer, form.font * BOLD, room.max(form.font * 2.0), 1).remove(0)
}

fn bold(words: &str, form: &Form) -> f64 {
    width(words, form.font * BOLD)
}
