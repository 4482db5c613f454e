//! Curves with markers and intervals, labelled at their ends, and single points, labelled beside them.

use crate::chart::axis::{Ends, Ruler};
use crate::chart::canvas::{Anchor, Canvas, number, through, width, wrap};
use crate::chart::labels::{Area, beside, stack};
use crate::chart::marks;
use crate::chart::svg::{self, Form, Frame};
use crate::chart::theme;
use crate::chart::{Lines, Series, Spot, Style};

/// Draws them in this form.
pub(super) fn draw(canvas: &mut Canvas, chart: &Lines, form: &Form) {
    let ends: Vec<End<'_>> =
        chart.series.iter().enumerate().filter_map(|(at, series)| End::of(at, series, form)).collect();
    let beside_plot = ends.iter().map(|end| end.width).fold(0.0, f64::max);
    let right = if ends.is_empty() { form.edge * 2.0 } else { beside_plot + form.sample + form.edge * 2.5 };

    let spots = || chart.series.iter().flat_map(|series| &series.points).filter(|spot| is_known(chart, spot));
    let xs = spots().map(|spot| spot.x).chain(chart.marks.iter().map(|mark| mark.x));
    let ys = spots().flat_map(|spot| [Some(spot.y), low(spot), high(spot)]).flatten();
    let across = Ruler::new(&chart.x, xs, Ends::Sideways);
    let up = Ruler::new(&chart.y, ys, Ends::Upwards);
    let left = svg::room_for_numbers(&up, form);
    let across = across.within(left, form.width - right);
    let headings = marks::headings(&chart.marks, &across, chart.x.unit, form);
    let head = svg::title(canvas, &chart.title, form);
    let above = svg::y_label(canvas, &chart.y, head, form);
    let top = above + marks::height(&headings, form) + form.edge * 0.75;
    let legend = legend(chart);
    let bottom = form.height - form.below - if legend.is_empty() { 0.0 } else { form.line };
    let frame = Frame { left, top, right: form.width - right, bottom };
    let up = up.within(bottom, top);

    marks::bands(canvas, &headings, &across, [top, bottom]);
    svg::sides(canvas, &across, &up, &frame, &chart.x, form);
    let place = |spot: &Spot| Some([across.at(spot.x)?, up.at(spot.y)?]).filter(|_| is_known(chart, spot));
    for (at, series) in chart.series.iter().enumerate() {
        canvas.open(&theme::colour(at));
        curve(canvas, series, at, form, &place, &up);
        canvas.close();
    }
    marks::draw(canvas, &headings, form, [above, top, bottom]);
    end_labels(canvas, &ends, form, &frame, &place);
    spot_labels(canvas, chart, form, &frame, &place);
    if !legend.is_empty() {
        draw_legend(canvas, &legend, form);
    }
    if spots().next().is_none() {
        let middle = [(frame.left + frame.right) / 2.0, (frame.top + frame.bottom) / 2.0];
        canvas.words("soft", middle, Anchor::Middle, "nothing was measured");
    }
}

fn is_known(chart: &Lines, spot: &Spot) -> bool {
    use crate::chart::axis::spaced;
    spaced(chart.x.scale, spot.x).is_some() && spaced(chart.y.scale, spot.y).is_some()
}

fn low(spot: &Spot) -> Option<f64> {
    spot.interval.map(|[low, _]| low)
}

fn high(spot: &Spot) -> Option<f64> {
    spot.interval.map(|[_, high]| high)
}

fn curve(
    canvas: &mut Canvas,
    series: &Series,
    at: usize,
    form: &Form,
    place: &dyn Fn(&Spot) -> Option<[f64; 2]>,
    up: &Ruler,
) {
    let places: Vec<_> = series.points.iter().filter_map(|spot| Some((spot, place(spot)?))).collect();
    let middles: Vec<_> = places.iter().map(|(_, at)| *at).collect();
    let bounds = |spot: &Spot| spot.interval.map(|interval| interval.map(|end| up.at_most(end)));
    match series.style {
        Style::Computed => {
            let known = places.iter().filter_map(|(spot, [x, _])| Some((*x, bounds(spot)?)));
            let (lower, mut upper): (Vec<_>, Vec<_>) = known.map(|(x, [low, high])| ([x, low], [x, high])).unzip();
            upper.reverse();
            if lower.len() > 1 {
                canvas.path("area", &format!("{}Z", through(&[lower, upper].concat())));
            }
            canvas.path("curve dashed", &through(&middles));
        }
        Style::Measured | Style::Dots => {
            if series.style == Style::Measured && middles.len() > 1 {
                canvas.path("curve", &through(&middles));
            }
            for (spot, [x, y]) in &places {
                if let Some(interval) = bounds(spot) {
                    let [low, high] = interval.map(number);
                    let [left, x, right] = [x - form.mark * 0.8, *x, x + form.mark * 0.8].map(number);
                    canvas.path("bar", &format!("M{left} {low}H{right}M{x} {low}V{high}M{left} {high}H{right}"));
                }
                let larger = if series.style == Style::Dots { 1.35 } else { 1.0 };
                theme::mark(canvas, at, [*x, *y], form.mark * larger);
            }
        }
    }
}

/// A label at the end of a curve.
struct End<'a> {
    at: usize,
    series: &'a Series,
    lines: Vec<String>,
    width: f64,
}

impl<'a> End<'a> {
    fn of(at: usize, series: &'a Series, form: &Form) -> Option<Self> {
        if series.style == Style::Dots || series.points.is_empty() {
            return None;
        }
        let lines = wrap(&series.label, form.font, form.labels, 2);
        let width = lines.iter().map(|line| width(line, form.font)).fold(0.0, f64::max);
        Some(Self { at, series, lines, width })
    }
}

fn end_labels(
    canvas: &mut Canvas,
    ends: &[End<'_>],
    form: &Form,
    frame: &Frame,
    place: &dyn Fn(&Spot) -> Option<[f64; 2]>,
) {
    let last = |end: &End<'_>| end.series.points.iter().rev().find_map(place);
    let known: Vec<_> = ends.iter().filter_map(|end| Some((end, last(end)?))).collect();
    let wanted: Vec<_> = known.iter().map(|(_, [_, y])| *y).collect();
    let heights: Vec<_> = known.iter().map(|(end, _)| end.lines.len() as f64 * form.line + 2.0).collect();
    let middles = stack(&wanted, &heights, [frame.top - form.line, form.height - form.edge]);
    for ((end, [x, y]), middle) in known.iter().zip(middles) {
        let from = frame.right + form.edge;
        canvas.open(&theme::colour(end.at));
        canvas.path("lead", &through(&[[x + form.mark + 1.0, *y], [frame.right + 2.0, *y], [from, middle]]));
        sample(canvas, end.at, end.series.style, [from, middle], form);
        canvas.close();
        let first = middle - (end.lines.len() as f64 - 1.0) * form.line / 2.0 + form.font * 0.35;
        for (row, line) in end.lines.iter().enumerate() {
            let at = [from + form.sample + form.edge * 0.5, first + row as f64 * form.line];
            canvas.words("", at, Anchor::Start, line);
        }
    }
}

/// How a curve looks, in short.
fn sample(canvas: &mut Canvas, at: usize, style: Style, [x, y]: [f64; 2], form: &Form) {
    match style {
        Style::Computed => canvas.line("curve dashed", [x, y], [x + form.sample, y]),
        Style::Measured => {
            canvas.line("curve", [x, y], [x + form.sample, y]);
            theme::mark(canvas, at, [x + form.sample / 2.0, y], form.mark);
        }
        Style::Dots => theme::mark(canvas, at, [x + form.sample / 2.0, y], form.mark * 1.35),
    }
}

fn spot_labels(
    canvas: &mut Canvas,
    chart: &Lines,
    form: &Form,
    frame: &Frame,
    place: &dyn Fn(&Spot) -> Option<[f64; 2]>,
) {
    let gap = form.mark * 1.35 + 3.0;
    let every = chart.series.iter().flat_map(|series| series.points.iter().filter_map(place));
    let mut taken: Vec<Area> = every.map(|[x, y]| [x - gap, y - gap, x + gap, y + gap].map(|at| at)).collect();
    let inside = [frame.left, frame.top, form.width - form.edge, frame.bottom];
    for series in &chart.series {
        // A curve says its name at its end; of points without names of their own the last one says that of all.
        let nameless = series.points.iter().all(|spot| spot.label.is_none());
        let shared = (series.style == Style::Dots && nameless).then_some(series.label.as_str());
        let last = series.points.iter().rposition(|spot| place(spot).is_some());
        for (at, spot) in series.points.iter().enumerate() {
            let Some(words) = spot.label.as_deref().or(shared.filter(|_| Some(at) == last)) else { continue };
            let Some(point) = place(spot) else { continue };
            let lines = wrap(words, form.font, form.labels * 1.4, 2);
            let wide = lines.iter().map(|line| width(line, form.font)).fold(0.0, f64::max);
            let own = [point[0] - gap, point[1] - gap, point[0] + gap, point[1] + gap];
            taken.retain(|area| *area != own);
            let area = beside(point, [wide, lines.len() as f64 * form.line], gap, &taken, inside);
            taken.extend([own, area]);
            let (x, anchor) = if area[0] >= point[0] {
                (area[0], Anchor::Start)
            } else if area[2] <= point[0] {
                (area[2], Anchor::End)
            } else {
                ((area[0] + area[2]) / 2.0, Anchor::Middle)
            };
            for (row, line) in lines.iter().enumerate() {
                canvas.words("halo", [x, area[1] + form.font * 0.95 + row as f64 * form.line], anchor, line);
            }
        }
    }
}

/// Groups of points that have names of their own need another place for the name of the group.
fn legend(chart: &Lines) -> Vec<(usize, &Series)> {
    let is_dots =
        |series: &Series| series.style == Style::Dots && series.points.iter().any(|spot| spot.label.is_some());
    let dots: Vec<_> = chart.series.iter().enumerate().filter(|(_, series)| is_dots(series)).collect();
    let says_more = |series: &Series| series.points.iter().any(|spot| spot.label.as_ref() != Some(&series.label));
    if dots.len() > 1 && dots.iter().any(|(_, series)| says_more(series)) { dots } else { Vec::new() }
}

fn draw_legend(canvas: &mut Canvas, legend: &[(usize, &Series)], form: &Form) {
    let each = (form.width - 2.0 * form.edge) / legend.len() as f64;
    for (column, (at, series)) in legend.iter().enumerate() {
        let x = form.edge + column as f64 * each;
        let y = form.height - form.edge;
        canvas.open(&theme::colour(*at));
        sample(canvas, *at, Style::Dots, [x, y - form.font * 0.35], form);
        canvas.close();
        let words = wrap(&series.label, form.font, each - form.sample - form.edge, 1).remove(0);
        canvas.words("", [x + form.sample + 4.0, y], Anchor::Start, &words);
    }
}
