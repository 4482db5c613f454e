//! A chart as an SVG picture: twice, for wide and for narrow places, of which the style sheet shows one.

use std::fmt::Write as _;

use crate::chart::axis::Ruler;
use crate::chart::canvas::{Anchor, BOLD, Canvas, number, width, wrap};
use crate::chart::theme::STYLE;
use crate::chart::{Axis, Chart, Lines, choices, heat, lines, marks};
use crate::markup::escape;

/// Of the whole picture; the narrow drawing is scaled up to it.
const SIZE: [f64; 2] = [640.0, 440.0];

/// A drawing with letters of a size that can be read where it is shown.
#[derive(Debug)]
pub(super) struct Form {
    class: &'static str,
    pub(super) width: f64,
    pub(super) height: f64,
    pub(super) font: f64,
    pub(super) line: f64,
    /// Space at the outer edge.
    pub(super) edge: f64,
    /// Space under the plot for numbers and the name of the axis.
    pub(super) below: f64,
    /// The widest label at the end of a curve.
    pub(super) labels: f64,
    /// Length of a curve before its label.
    pub(super) sample: f64,
    /// Half of a marker.
    pub(super) mark: f64,
    /// About so many numbers along each side.
    pub(super) numbers: [usize; 2],
}

const WIDE: Form = Form {
    class: "wide",
    width: SIZE[0],
    height: SIZE[1],
    font: 13.0,
    line: 16.5,
    edge: 10.0,
    below: 46.0,
    labels: 128.0,
    sample: 18.0,
    mark: 4.0,
    numbers: [8, 6],
};

const NARROW: Form = Form {
    class: "narrow",
    width: SIZE[0] / 1.6,
    height: SIZE[1] / 1.6,
    font: 11.5,
    line: 14.0,
    edge: 6.0,
    below: 36.0,
    labels: 78.0,
    sample: 14.0,
    mark: 3.2,
    numbers: [4, 5],
};

/// Where the curves are.
#[derive(Debug)]
pub(super) struct Frame {
    pub(super) left: f64,
    pub(super) top: f64,
    pub(super) right: f64,
    pub(super) bottom: f64,
}

/// The picture as a file of its own: 640 by 440, scaling to any width, with other letters below 560 pixels, in the
/// colours that the reader prefers, without scripts. The same chart gives the same text.
///
/// Each mark is told as its label, its place and its interval; put into the label what else it means. A chart with
/// nothing to draw says so.
#[must_use]
pub fn svg(chart: &Chart) -> String {
    picture(chart, &format!("<style>\n{STYLE}</style>\n"))
}

/// The picture within a page that has [`STYLE`].
pub(crate) fn inline(chart: &Chart) -> String {
    picture(chart, "")
}

fn picture(chart: &Chart, style: &str) -> String {
    let [width, height] = SIZE.map(number);
    let (title, description) = (escape(chart_title(chart)), escape(&description(chart)));
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"hw\" viewBox=\"0 0 {width} {height}\" role=\"img\">\n\
         <title>{title}</title>\n<desc>{description}</desc>\n{style}\
         <rect class=\"paper\" width=\"{width}\" height=\"{height}\"/>\n"
    );
    for form in [&WIDE, &NARROW] {
        let mut canvas = Canvas::default();
        match chart {
            Chart::ChoiceMap(map) => choices::draw(&mut canvas, map, form),
            Chart::HeatMap(map) => heat::draw(&mut canvas, map, form),
            Chart::Lines(chart) => lines::draw(&mut canvas, chart, form),
        }
        let scale = number(SIZE[0] / form.width);
        // What knows no style sheets shows the wide one.
        let hidden = if form.class == "narrow" { " display=\"none\"" } else { "" };
        let _never_fails = write!(
            text,
            "<g class=\"{}\"{hidden} font-size=\"{}\" transform=\"scale({scale})\">\n{}</g>\n",
            form.class,
            number(form.font),
            canvas.text
        );
    }
    text.push_str("</svg>\n");
    text
}

fn chart_title(chart: &Chart) -> &str {
    match chart {
        Chart::ChoiceMap(map) => &map.title,
        Chart::HeatMap(map) => &map.title,
        Chart::Lines(lines) => &lines.title,
    }
}

/// What somebody hears who does not see the picture.
fn description(chart: &Chart) -> String {
    match chart {
        Chart::ChoiceMap(map) => {
            let options = map.options.join("; ");
            format!("Which is best over {} and {}: {options}.", map.x.label, map.y.label)
        }
        Chart::HeatMap(map) => {
            let size = format!("{} by {} cells", map.xs.len(), map.ys.len());
            let sides = format!("below {} {}; above, {}", map.border, map.below, map.above);
            format!("Heat map of {size} over {} and {}: {sides}.", map.x.label, map.y.label)
        }
        Chart::Lines(lines) => described(lines),
    }
}

fn described(lines: &Lines) -> String {
    let mut said = format!("{} over {}.", lines.y.label, lines.x.label);
    for series in &lines.series {
        let ends = [series.points.first(), series.points.last()].into_iter().flatten();
        let ends: Vec<_> =
            ends.map(|spot| format!("{} at {}", lines.y.unit.text(spot.y), lines.x.unit.text(spot.x))).collect();
        let _never_fails = write!(said, " {}: {}.", series.label, ends.join(" to "));
    }
    for mark in &lines.marks {
        let _never_fails = write!(said, " {}.", marks::told(mark, lines.x.unit));
    }
    said
}

/// Writes the title; gives where it ends.
pub(super) fn title(canvas: &mut Canvas, title: &str, form: &Form) -> f64 {
    let size = form.font * 1.12;
    let mut at = form.edge * 0.6;
    for line in wrap(title, size * BOLD, form.width - 2.0 * form.edge, 2) {
        at += form.line * 1.1;
        let class = if form.class == "narrow" { "title small" } else { "title" };
        canvas.words(class, [form.edge, at], Anchor::Start, &line);
    }
    at
}

/// Writes what goes upwards above its numbers, where it needs not be turned; gives where it ends.
pub(super) fn y_label(canvas: &mut Canvas, axis: &Axis, top: f64, form: &Form) -> f64 {
    let words = wrap(&format!("↑ {}", axis.label), form.font, form.width - 2.0 * form.edge, 1).remove(0);
    canvas.words("soft", [form.edge, top + form.line], Anchor::Start, &words);
    top + form.line + form.edge * 0.3
}

/// How wide the numbers at the left are.
pub(super) fn room_for_numbers(up: &Ruler, form: &Form) -> f64 {
    let ticks = up.clone().within(1.0, 0.0).ticks(form.numbers[1]);
    let widest = ticks.iter().map(|tick| width(&tick.label, form.font)).fold(0.0, f64::max);
    widest + form.edge * 1.8
}

/// Draws the grid, the numbers of both sides and the name of the lower one.
pub(super) fn sides(canvas: &mut Canvas, across: &Ruler, up: &Ruler, frame: &Frame, x: &Axis, form: &Form) {
    for tick in up.ticks(form.numbers[1]) {
        let class = if tick.label.is_empty() { "fine" } else { "grid" };
        canvas.line(class, [frame.left, tick.at], [frame.right, tick.at]);
        let at = [frame.left - form.edge * 0.7, tick.at + form.font * 0.35];
        if !tick.label.is_empty() {
            canvas.words("soft", at, Anchor::End, &tick.label);
        }
    }
    let mut written = f64::NEG_INFINITY;
    for tick in across.ticks(form.numbers[0]) {
        if tick.label.is_empty() {
            continue;
        }
        canvas.line("grid", [tick.at, frame.top], [tick.at, frame.bottom]);
        canvas.line("side", [tick.at, frame.bottom], [tick.at, frame.bottom + 4.0]);
        let half = width(&tick.label, form.font) / 2.0;
        if tick.at - half > written + form.font * 0.3 {
            canvas.words("soft", [tick.at, frame.bottom + form.line], Anchor::Middle, &tick.label);
            written = tick.at + half;
        }
    }
    canvas.line("side", [frame.left, frame.bottom], [frame.right, frame.bottom]);
    let words = wrap(&format!("{} →", x.label), form.font, form.width - frame.left - form.edge, 1).remove(0);
    canvas.words("soft", [frame.left, frame.bottom + form.line * 2.05], Anchor::Start, &words);
}
