//! A quantity over two axes: tinted cells, the border where the decision changes, and a key.

use crate::chart::axis::{Ends, Ruler, spaced, value};
use crate::chart::canvas::{Anchor, BOLD, Canvas, number, through, width, wrap};
use crate::chart::contour;
use crate::chart::svg::{self, Form, Frame};
use crate::chart::unit::digits;
use crate::chart::{Axis, HeatMap};

/// As many tints on each side of the border.
const TINTS: usize = 5;

/// Columns and rows up to which the values are written into their cells; of more, the regions are named instead.
const MOST_VALUES: [usize; 2] = [8, 7];

/// Draws it in this form.
pub(super) fn draw(canvas: &mut Canvas, map: &HeatMap, form: &Form) {
    let (columns, rows) = (edges(&map.x, &map.xs), edges(&map.y, &map.ys));
    let across = Ruler::new(&map.x, columns.iter().copied(), Ends::Exact);
    let up = Ruler::new(&map.y, rows.iter().copied(), Ends::Exact);
    let left = svg::room_for_numbers(&up, form);
    let head = svg::title(canvas, &map.title, form);
    let reach = Reach::of(map);
    let head = key(canvas, map, head, form);
    let top = svg::y_label(canvas, &map.y, head, form) + form.edge * 0.5;
    let frame = Frame { left, top, right: form.width - form.edge * 2.0, bottom: form.height - form.below };
    let (across, up) = (across.within(frame.left, frame.right), up.within(frame.bottom, frame.top));

    let sides = |ruler: &Ruler, edges: &[f64]| edges.iter().filter_map(|edge| ruler.at(*edge)).collect::<Vec<_>>();
    let (xs, ys) = (sides(&across, &columns), sides(&up, &rows));
    svg::sides(canvas, &across, &up, &frame, &map.x, form);
    canvas.rect("paper", [frame.left, frame.top], [frame.right - frame.left, frame.bottom - frame.top]);
    cells(canvas, map, &reach, &xs, &ys);
    let border = border(map, &reach, &across, &up, &xs, &ys);
    canvas.path("border", &border);
    let [columns, rows] = [xs.len(), ys.len()].map(|edges| edges.saturating_sub(1));
    if columns <= MOST_VALUES[0] && rows <= MOST_VALUES[1] {
        values(canvas, map, &xs, &ys, form);
    } else {
        regions(canvas, map, &xs, &ys, &frame, form);
    }
}

/// How far the cells are from the border, so that tints can be shared out.
struct Reach {
    border: f64,
    /// By logarithm, where everything is above 0.
    is_ratio: bool,
    most: f64,
}

impl Reach {
    fn of(map: &HeatMap) -> Self {
        let known = || map.cells.iter().flatten().flatten().copied().filter(|value| value.is_finite());
        let is_ratio = map.border > 0.0 && known().all(|value| value > 0.0);
        let mut reach = Self { border: map.border, is_ratio, most: 1.0 };
        let most = known().map(|value| reach.distance(value).abs()).fold(0.0, f64::max);
        // Ten times better is as good as it gets: one cell with a thousand must not make all others pale.
        let most = if is_ratio { most.min(10_f64.ln()) } else { most };
        if most > 0.0 {
            reach.most = most;
        }
        reach
    }

    fn distance(&self, value: f64) -> f64 {
        if self.is_ratio { (value / self.border).ln() } else { value - self.border }
    }

    /// 1 to [`TINTS`], with more of them near the border.
    fn tint(&self, value: f64) -> usize {
        let share = (self.distance(value).abs() / self.most).sqrt();
        ((share * TINTS as f64).ceil() as usize).clamp(1, TINTS)
    }
}

fn is_above(map: &HeatMap, value: f64) -> bool {
    value >= map.border
}

fn known(cell: Option<&Option<f64>>) -> Option<f64> {
    cell.copied().flatten().filter(|value| value.is_finite())
}

fn cells(canvas: &mut Canvas, map: &HeatMap, reach: &Reach, xs: &[f64], ys: &[f64]) {
    for (row, y) in ys.windows(2).enumerate() {
        for (column, x) in xs.windows(2).enumerate() {
            let corner = [x[0], y[1]];
            let extent = [x[1] - x[0], y[0] - y[1]];
            match known(map.cells.get(row).and_then(|cells| cells.get(column))) {
                Some(value) => {
                    let side = if is_above(map, value) { "above" } else { "below" };
                    canvas.rect(&format!("{side} s{}", reach.tint(value)), corner, extent);
                }
                None => {
                    let [x0, x1, y0, y1] = [x[0] + 3.0, x[1] - 3.0, y[0] - 3.0, y[1] + 3.0].map(number);
                    canvas.path("unknown", &format!("M{x0} {y0}L{x1} {y1}"));
                }
            }
        }
    }
}

/// Writes each value into its cell, where all fit.
fn values(canvas: &mut Canvas, map: &HeatMap, xs: &[f64], ys: &[f64], form: &Form) {
    let size = form.font * 0.9;
    let is_tight =
        |x: &[f64], y: &[f64], value: f64| x[1] - x[0] < width(&digits(value), size) + 4.0 || y[0] - y[1] < size * 1.4;
    let mut all = Vec::new();
    for (row, y) in map.cells.iter().zip(ys.windows(2)) {
        for (cell, x) in row.iter().zip(xs.windows(2)) {
            if let Some(value) = known(Some(cell)) {
                if is_tight(x, y, value) {
                    return;
                }
                all.push((value, [(x[0] + x[1]) / 2.0, (y[0] + y[1]) / 2.0 + form.font * 0.35]));
            }
        }
    }
    for (value, middle) in all {
        canvas.words("cell", middle, Anchor::Middle, &digits(value));
    }
}

/// Names each side of the border in the middle of its longest row.
fn regions(canvas: &mut Canvas, map: &HeatMap, xs: &[f64], ys: &[f64], frame: &Frame, form: &Form) {
    for (above, words) in [(false, &map.below), (true, &map.above)] {
        let mut longest: (f64, [f64; 2]) = (0.0, [0.0; 2]);
        for (row, y) in map.cells.iter().zip(ys.windows(2)) {
            let mut run: Option<f64> = None;
            for (cell, x) in row.iter().zip(xs.windows(2)) {
                let is_here = known(Some(cell)).is_some_and(|value| is_above(map, value) == above);
                run = is_here.then(|| run.unwrap_or(x[0]));
                let Some(from) = run else { continue };
                if x[1] - from > longest.0 + 0.5 {
                    longest = (x[1] - from, [(from + x[1]) / 2.0, (y[0] + y[1]) / 2.0]);
                }
            }
        }
        let (room, [x, y]) = longest;
        if room > form.font * 4.0 {
            let words = wrap(words, form.font * BOLD, room - form.edge, 1).remove(0);
            // Away from the edge of the plot, where the row may be cut.
            let y = y.clamp(frame.top + form.line, frame.bottom - form.edge) + form.font * 0.35;
            canvas.words("win halo", [x, y], Anchor::Middle, &words);
        }
    }
}

/// By the formula if there is one, else through the cells.
fn border(map: &HeatMap, reach: &Reach, across: &Ruler, up: &Ruler, xs: &[f64], ys: &[f64]) -> String {
    if !map.curve.is_empty() {
        let inside = |spot: &crate::chart::Spot| {
            let place = [across.at(spot.x)?, up.at(spot.y)?];
            let is_inside = place == [across.at_most(spot.x), up.at_most(spot.y)];
            is_inside.then_some(place)
        };
        // Where the curve leaves the picture it is interrupted.
        return map
            .curve
            .split(|spot| inside(spot).is_none())
            .map(|part| through(&part.iter().filter_map(inside).collect::<Vec<_>>()))
            .collect();
    }
    let distance = |cell: &Option<f64>| known(Some(cell)).map(|value| reach.distance(value));
    // Outer cells are repeated at the edge, so that the border reaches it.
    let widen = |row: &Vec<Option<f64>>| -> Vec<Option<f64>> {
        let cells: Vec<_> = row.iter().map(distance).collect();
        let ends = [cells.first().copied().flatten(), cells.last().copied().flatten()];
        [&ends[..1], &cells, &ends[1..]].concat()
    };
    let rows: Vec<_> = map.cells.iter().map(widen).collect();
    let rows: Vec<_> = rows.first().into_iter().chain(&rows).chain(rows.last()).cloned().collect();
    let pieces = contour::border(&middles(xs), &middles(ys), &rows);
    pieces.iter().map(|piece| through(piece)).collect()
}

/// Both ends and the middles between.
fn middles(edges: &[f64]) -> Vec<f64> {
    let between = edges.windows(2).map(|pair| (pair[0] + pair[1]) / 2.0);
    edges.first().copied().into_iter().chain(between).chain(edges.last().copied()).collect()
}

/// Half way between neighbours, and as far beyond the outer ones.
pub(super) fn edges(axis: &Axis, values: &[f64]) -> Vec<f64> {
    let at: Vec<_> = values.iter().filter_map(|value| spaced(axis.scale, *value)).collect();
    let (first, last) = match at[..] {
        [] => return Vec::new(),
        [only] => (only - 0.5, only + 0.5),
        [one, two, ..] => {
            let end = at.len() - 1;
            (one - (two - one) / 2.0, at[end] + (at[end] - at[end - 1]) / 2.0)
        }
    };
    let between = at.windows(2).map(|pair| (pair[0] + pair[1]) / 2.0);
    [first].into_iter().chain(between).chain([last]).map(|at| value(axis.scale, at)).collect()
}

/// What the tints say, in one or two rows; gives where they end.
fn key(canvas: &mut Canvas, map: &HeatMap, top: f64, form: &Form) -> f64 {
    let swatch = form.font * 1.15;
    let strip = swatch * TINTS as f64;
    let values = || map.cells.iter().flatten().filter_map(|cell| known(Some(cell)));
    let ends = [values().fold(f64::INFINITY, f64::min), values().fold(f64::NEG_INFINITY, f64::max)].map(digits);
    let mut at = top + form.line;
    for (side, words, end) in [("below", &map.below, &ends[0]), ("above", &map.above, &ends[1])] {
        for tint in 1..=TINTS {
            let column = if side == "below" { TINTS - tint } else { tint - 1 } as f64;
            let corner = [form.edge + column * swatch, at - swatch * 0.8];
            canvas.rect(&format!("{side} s{tint}"), corner, [swatch, swatch * 0.9]);
        }
        let border = digits(map.border);
        let range = if side == "below" { format!("{end} to {border}") } else { format!("{border} to {end}") };
        let is_there = values().any(|value| is_above(map, value) == (side == "above"));
        let range = if is_there { range } else { "nowhere here".into() };
        let from = form.edge * 2.0 + strip;
        let room = form.width - from - form.edge;
        let long = format!("{words} ({range})");
        let words = if width(&long, form.font) <= room { long } else { wrap(words, form.font, room, 1).remove(0) };
        canvas.words("", [from, at], Anchor::Start, &words);
        at += form.line;
    }
    let has_unknown = map.cells.iter().flatten().any(|cell| known(Some(cell)).is_none());
    if has_unknown {
        let words = "not measured";
        let x = form.width - form.edge - width(words, form.font);
        let y = top + form.line;
        let [x0, x1, y0, y1] = [x - swatch - 4.0, x - 6.0, y + 1.0, y - swatch * 0.8].map(number);
        canvas.path("unknown", &format!("M{x0} {y0}L{x1} {y1}"));
        canvas.words("soft halo", [x, y], Anchor::Start, words);
    }
    at - form.line * 0.4
}
