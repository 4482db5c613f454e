//! Colours and marks that can be told apart without seeing colours, in light, in dark and on paper.

use crate::chart::canvas::{Canvas, number};

/// The style sheet of every picture. Colours follow the palette of Okabe and Ito (2008), darkened on white and lightened
/// on black until each has a contrast of 3 to 1, as WCAG 2.2 asks of pictures.
pub(crate) const STYLE: &str = include_str!("theme.css");

/// As many colours as marks: after that they are paired anew.
pub(super) const COLOURS: usize = 8;

/// The class of the colour of a curve.
pub(super) fn colour(series: usize) -> String {
    format!("c{}", series % COLOURS)
}

/// A mark of this curve at a place.
pub(super) fn mark(canvas: &mut Canvas, series: usize, [x, y]: [f64; 2], r: f64) {
    let [x0, x1, y0, y1] = [x - r, x + r, y - r, y + r].map(number);
    let [x, y, bit] = [x, y, r * 0.4].map(number);
    let path = match (series + series / COLOURS) % COLOURS {
        0 => {
            let [r, wide] = [r, r * 2.0].map(number);
            format!("M{x0} {y}a{r} {r} 0 1 0 {wide} 0a{r} {r} 0 1 0 -{wide} 0Z")
        }
        1 => format!("M{x0} {y0}H{x1}V{y1}H{x0}Z"),
        2 => format!("M{x} {y0}L{x1} {y1}H{x0}Z"),
        3 => format!("M{x} {y0}L{x1} {y}L{x} {y1}L{x0} {y}Z"),
        4 => format!("M{x} {y1}L{x1} {y0}H{x0}Z"),
        5 => format!("M{x0} {y0}L{x1} {y0}L{x0} {y1}L{x1} {y1}Z"),
        6 => format!("M{x0} {y0}L{x1} {y1}V{y0}L{x0} {y1}Z"),
        _ => format!("M{x} {y0}l{bit} {bit}L{x1} {y}l-{bit} {bit}L{x} {y1}l-{bit} -{bit}L{x0} {y}l{bit} -{bit}Z"),
    };
    canvas.path("dot", &path);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The value of a variable of the nth block that sets it.
    fn variable(name: &str, block: usize) -> [f64; 3] {
        let found = STYLE.match_indices(&format!("--hw-{name}:#")).nth(block);
        let (at, whole) = found.unwrap_or_else(|| panic!("{name} is not set {block} times"));
        let hex: String = STYLE[at + whole.len()..].chars().take_while(char::is_ascii_hexdigit).collect();
        let hex = if hex.len() == 3 { hex.chars().flat_map(|c| [c, c]).collect() } else { hex };
        [0, 2, 4].map(|at| f64::from(u8::from_str_radix(&hex[at..at + 2], 16).unwrap()) / 255.0)
    }

    fn light(colour: [f64; 3]) -> f64 {
        let linear = colour.map(|c| if c <= 0.040_45 { c / 12.92 } else { ((c + 0.055) / 1.055).powf(2.4) });
        0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    }

    fn contrast(one: [f64; 3], two: [f64; 3]) -> f64 {
        let (one, two) = (light(one), light(two));
        (one.max(two) + 0.05) / (one.min(two) + 0.05)
    }

    #[test]
    fn text_and_curves_stand_out_in_light_and_in_dark() {
        for block in [0, 1] {
            let paper = variable("paper", block);
            for name in ["ink", "soft", "mark"] {
                for ground in ["paper", "tie", "ci"] {
                    let found = contrast(variable(name, block), variable(ground, block));
                    assert!(found >= 4.5, "{name} on {ground}, block {block}: {found:.2}");
                }
            }
            for series in 0..COLOURS {
                let found = contrast(variable(&series.to_string(), block), paper);
                assert!(found >= 3.0, "curve {series}, block {block}: {found:.2}");
            }
            // Cell values are written on cells: ink on the strongest tint of either side.
            let strongest = 0.66;
            for side in ["below", "above"] {
                let colour = variable(side, block);
                let tint = std::array::from_fn(|at| colour[at] * strongest + paper[at] * (1.0 - strongest));
                let found = contrast(variable("ink", block), tint);
                assert!(found >= 4.5, "{side}, block {block}: {found:.2}");
            }
        }
    }

    #[test]
    fn no_two_of_the_first_curves_look_alike() {
        let look = |series: usize| {
            let mut canvas = Canvas::default();
            mark(&mut canvas, series, [10.0, 10.0], 4.0);
            (colour(series), canvas.text)
        };
        let all: Vec<_> = (0..COLOURS * 2).map(look).collect();
        for (at, one) in all.iter().enumerate() {
            assert!(!all[..at].contains(one), "curve {at}");
        }
        let marks: std::collections::BTreeSet<_> = all[..COLOURS].iter().map(|(_, mark)| mark).collect();
        assert_eq!(marks.len(), COLOURS, "without colours too");
    }
}
