//! Which of several options is best over two axes: tinted cells, each with the letter of its option, and a key.

use crate::chart::ChoiceMap;
use crate::chart::axis::{Ends, Ruler};
use crate::chart::canvas::{Anchor, Canvas, number, width, wrap};
use crate::chart::heat::edges;
use crate::chart::svg::{self, Form, Frame};
use crate::chart::theme::colour;

/// The letter of an option, so that nobody needs to see colours.
fn letter(option: usize) -> String {
    char::from_u32(u32::from('A') + option as u32).filter(char::is_ascii_uppercase).map_or("?".into(), String::from)
}

/// Draws it in this form.
pub(super) fn draw(canvas: &mut Canvas, map: &ChoiceMap, form: &Form) {
    let (columns, rows) = (edges(&map.x, &map.xs), edges(&map.y, &map.ys));
    let across = Ruler::new(&map.x, columns.iter().copied(), Ends::Exact);
    let up = Ruler::new(&map.y, rows.iter().copied(), Ends::Exact);
    let left = svg::room_for_numbers(&up, form);
    let head = svg::title(canvas, &map.title, form);
    let head = key(canvas, map, head, form);
    let top = svg::y_label(canvas, &map.y, head, form) + form.edge * 0.5;
    let frame = Frame { left, top, right: form.width - form.edge * 2.0, bottom: form.height - form.below };
    let (across, up) = (across.within(frame.left, frame.right), up.within(frame.bottom, frame.top));

    let sides = |ruler: &Ruler, edges: &[f64]| edges.iter().filter_map(|edge| ruler.at(*edge)).collect::<Vec<_>>();
    let (xs, ys) = (sides(&across, &columns), sides(&up, &rows));
    svg::sides(canvas, &across, &up, &frame, &map.x, form);
    canvas.rect("paper", [frame.left, frame.top], [frame.right - frame.left, frame.bottom - frame.top]);
    for (row, y) in ys.windows(2).enumerate() {
        for (column, x) in xs.windows(2).enumerate() {
            match chosen(map, row, column) {
                Some(option) => {
                    let class = format!("dot {} s3", colour(option));
                    canvas.rect(&class, [x[0], y[1]], [x[1] - x[0], y[0] - y[1]]);
                    let middle = [(x[0] + x[1]) / 2.0, (y[0] + y[1]) / 2.0 + form.font * 0.35];
                    canvas.words("cell", middle, Anchor::Middle, &letter(option));
                }
                None => {
                    let [x0, x1, y0, y1] = [x[0] + 3.0, x[1] - 3.0, y[0] - 3.0, y[1] + 3.0].map(number);
                    canvas.path("unknown", &format!("M{x0} {y0}L{x1} {y1}"));
                }
            }
        }
    }
    canvas.path("border", &border(map, &xs, &ys));
}

fn chosen(map: &ChoiceMap, row: usize, column: usize) -> Option<usize> {
    map.cells.get(row)?.get(column).copied().flatten().filter(|option| *option < map.options.len())
}

/// Between cells whose options differ.
fn border(map: &ChoiceMap, xs: &[f64], ys: &[f64]) -> String {
    let mut path = String::new();
    let mut line = |from: [f64; 2], to: [f64; 2]| {
        let [x0, y0, x1, y1] = [from[0], from[1], to[0], to[1]].map(number);
        path.push_str(&format!("M{x0} {y0}L{x1} {y1}"));
    };
    let [columns, rows] = [xs.len(), ys.len()].map(|edges| edges.saturating_sub(1));
    for row in 0..rows {
        for column in 0..columns {
            let here = chosen(map, row, column);
            if column + 1 < columns && here != chosen(map, row, column + 1) {
                line([xs[column + 1], ys[row]], [xs[column + 1], ys[row + 1]]);
            }
            if row + 1 < rows && here != chosen(map, row + 1, column) {
                line([xs[column], ys[row + 1]], [xs[column + 1], ys[row + 1]]);
            }
        }
    }
    path
}

/// The options with their letters and colours, as many in a row as fit; gives where they end.
fn key(canvas: &mut Canvas, map: &ChoiceMap, top: f64, form: &Form) -> f64 {
    let swatch = form.font * 1.3;
    let room = form.width - form.edge * 2.0;
    let mut at = [form.edge, top + form.line * 1.1];
    for (option, name) in map.options.iter().enumerate() {
        let name = wrap(name, form.font, room - swatch * 1.4, 1).remove(0);
        let wide = swatch * 1.4 + width(&name, form.font);
        if at[0] > form.edge && at[0] + wide > form.width - form.edge {
            at = [form.edge, at[1] + form.line * 1.1];
        }
        canvas.rect(&format!("dot {} s3", colour(option)), [at[0], at[1] - swatch * 0.8], [swatch, swatch]);
        canvas.words("cell", [at[0] + swatch / 2.0, at[1]], Anchor::Middle, &letter(option));
        canvas.words("", [at[0] + swatch * 1.4, at[1]], Anchor::Start, &name);
        at[0] += wide + form.edge * 2.0;
    }
    at[1] + form.line * 0.3
}
