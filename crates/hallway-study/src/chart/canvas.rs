//! SVG elements as text, and how much room text takes.

use std::fmt::Write as _;

use crate::markup::escape;

/// What is drawn so far.
#[derive(Debug, Default)]
pub(super) struct Canvas {
    pub(super) text: String,
}

/// Which end of a text stands at its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Anchor {
    End,
    Middle,
    Start,
}

impl Canvas {
    pub(super) fn open(&mut self, class: &str) {
        let _never_fails = write!(self.text, "<g class=\"{class}\">");
    }

    pub(super) fn close(&mut self) {
        self.text.push_str("</g>\n");
    }

    pub(super) fn line(&mut self, class: &str, from: [f64; 2], to: [f64; 2]) {
        let [x1, y1, x2, y2] = [from[0], from[1], to[0], to[1]].map(number);
        let _never_fails =
            writeln!(self.text, "<line class=\"{class}\" x1=\"{x1}\" y1=\"{y1}\" x2=\"{x2}\" y2=\"{y2}\"/>");
    }

    pub(super) fn rect(&mut self, class: &str, corner: [f64; 2], size: [f64; 2]) {
        let [x, y, width, height] = [corner[0], corner[1], size[0].max(0.0), size[1].max(0.0)].map(number);
        let _never_fails =
            writeln!(self.text, "<rect class=\"{class}\" x=\"{x}\" y=\"{y}\" width=\"{width}\" height=\"{height}\"/>");
    }

    pub(super) fn path(&mut self, class: &str, path: &str) {
        if !path.is_empty() {
            let _never_fails = writeln!(self.text, "<path class=\"{class}\" d=\"{path}\"/>");
        }
    }

    pub(super) fn words(&mut self, class: &str, at: [f64; 2], anchor: Anchor, words: &str) {
        let anchor = match anchor {
            Anchor::End => " text-anchor=\"end\"",
            Anchor::Middle => " text-anchor=\"middle\"",
            Anchor::Start => "",
        };
        let ([x, y], words) = (at.map(number), escape(words));
        let _never_fails = writeln!(self.text, "<text class=\"{class}\" x=\"{x}\" y=\"{y}\"{anchor}>{words}</text>");
    }
}

/// A line through these places.
pub(super) fn through(places: &[[f64; 2]]) -> String {
    let mut path = String::new();
    for (at, [x, y]) in places.iter().enumerate() {
        let verb = if at == 0 { 'M' } else { 'L' };
        let _never_fails = write!(path, "{verb}{} {}", number(*x), number(*y));
    }
    path
}

/// To a tenth, which is finer than can be seen, and the same on every machine.
pub(super) fn number(value: f64) -> String {
    let tenths = (value * 10.0).round();
    if tenths == 0.0 {
        "0".into()
    } else if tenths % 10.0 == 0.0 {
        format!("{:.0}", tenths / 10.0)
    } else {
        format!("{:.1}", tenths / 10.0)
    }
}

/// How much wider bold letters are.
pub(super) const BOLD: f64 = 1.12;

/// About how wide a text is in a wide sans-serif font: rather more than less.
pub(super) fn width(text: &str, size: f64) -> f64 {
    let of = |c: char| match c {
        'i' | 'j' | 'l' | '.' | ',' | ':' | ';' | '|' | '!' | '\'' | ' ' => 0.33,
        '(' | ')' | '[' | ']' | 'f' | 't' | 'r' | '-' | '/' | 'I' => 0.41,
        'm' | 'w' | 'M' | 'W' | '@' | '%' => 0.97,
        '←' | '→' | '↑' | '=' | '<' | '>' | '+' => 0.84,
        c if c.is_ascii_uppercase() => 0.72,
        c if (c as u32) >= 0x2e80 => 1.05,
        _ => 0.63,
    };
    text.chars().map(of).sum::<f64>() * size
}

/// The text in at most so many lines of this width; what does not fit ends with dots.
pub(super) fn wrap(text: &str, size: f64, room: f64, most: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for piece in text.split_inclusive([' ', '-', '/']) {
        let line = lines.last_mut().expect("there is one");
        if line.is_empty() || width(&format!("{line}{}", piece.trim_end()), size) <= room {
            line.push_str(piece);
        } else {
            lines.push(piece.to_owned());
        }
    }
    let cut = lines.len() > most;
    lines.truncate(most);
    let last = lines.len() - 1;
    for (at, line) in lines.iter_mut().enumerate() {
        *line = line.trim_end().to_owned();
        if width(line, size) > room || (cut && at == last) {
            while !line.is_empty() && width(&format!("{line}…"), size) > room {
                line.pop();
            }
            *line = format!("{}…", line.trim_end());
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        assert_eq!([12.0, 12.34, -0.01, 0.06, -3.25].map(number), ["12", "12.3", "0", "0.1", "-3.3"]);
    }

    #[test]
    fn long_words_are_broken_or_cut_to_fit() {
        assert_eq!(wrap("redis", 10.0, 100.0, 2), ["redis"]);
        assert_eq!(wrap("postgres-unlogged", 10.0, 60.0, 2), ["postgres-", "unlogged"]);
        let cut = wrap("one two three four five six", 10.0, 50.0, 2);
        assert_eq!(cut.len(), 2);
        assert!(cut[1].ends_with('…') && cut.iter().all(|line| width(line, 10.0) <= 55.0), "{cut:?}");
        assert_eq!(wrap("", 10.0, 50.0, 2), [""]);
        assert_eq!(wrap("unbreakableunbreakable", 10.0, 50.0, 1).len(), 1);
    }
}
