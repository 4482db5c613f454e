//! Pieces of a page: a figure, a table, a list.

use std::fmt::Write as _;

use crate::chart;
use crate::markup::escape;
use crate::report::{Figure, Table};

/// A figure with its caption, which leads to a question if one is given: where, and its name.
pub(super) fn figure(figure: &Figure, question: Option<(&str, &str)>) -> String {
    let link =
        question.map_or_else(String::new, |(to, name)| format!("<a href=\"#{}\">{}</a> ", escape(to), escape(name)));
    let id = if question.is_some() { String::new() } else { format!(" id=\"{}\"", escape(&figure.name)) };
    let (picture, caption) = (chart::inline(&figure.chart), escape(&figure.caption));
    format!("<figure{id}>\n{picture}<figcaption>{link}{caption}</figcaption>\n</figure>\n")
}

/// A table that scrolls within itself where it is too wide.
pub(super) fn table(table: &Table) -> String {
    let rows: Vec<Vec<String>> = table.rows.iter().map(|row| row.iter().map(|cell| escape(cell)).collect()).collect();
    grid(&escape(&table.caption), &table.columns.iter().map(String::as_str).collect::<Vec<_>>(), &rows)
}

/// A table of cells that are markup already, with its caption above it.
pub(super) fn grid(caption: &str, columns: &[&str], rows: &[Vec<String>]) -> String {
    format!("<p class=\"caption\">{caption}</p>\n{}", bare(caption, columns, rows))
}

/// The same, where the caption is to be seen elsewhere; figures stand at the right.
pub(super) fn bare(caption: &str, columns: &[&str], rows: &[Vec<String>]) -> String {
    let begins_as_number =
        |cell: &String| cell.trim_start_matches(['-', '~']).starts_with(|c: char| c.is_ascii_digit());
    let is_number = |column: usize| {
        let mut cells = rows.iter().filter_map(|row| row.get(column)).filter(|cell| !cell.is_empty()).peekable();
        cells.peek().is_some() && cells.all(begins_as_number)
    };
    let classes: Vec<_> =
        (0..columns.len()).map(|column| if is_number(column) { " class=\"number\"" } else { "" }).collect();
    // The box is focusable, so that it scrolls by keys too.
    let mut text = format!("<div class=\"scroll\" tabindex=\"0\"><table aria-label=\"{caption}\">\n<thead><tr>");
    for (column, class) in columns.iter().zip(&classes) {
        let _never_fails = write!(text, "<th scope=\"col\"{class}>{}</th>", escape(column));
    }
    text.push_str("</tr></thead>\n<tbody>\n");
    for row in rows {
        text.push_str("<tr>");
        for (at, cell) in row.iter().enumerate() {
            let class = classes.get(at).copied().unwrap_or_default();
            let _never_fails = write!(text, "<td{class}>{cell}</td>");
        }
        text.push_str("</tr>\n");
    }
    text.push_str("</tbody>\n</table></div>\n");
    text
}

/// A list of sentences.
pub(super) fn list(class: &str, sentences: &[String]) -> String {
    if sentences.is_empty() {
        return String::new();
    }
    let mut text = format!("<ul class=\"{class}\">\n");
    for sentence in sentences {
        let _never_fails = writeln!(text, "<li>{}</li>", escape(sentence));
    }
    text.push_str("</ul>\n");
    text
}

/// The name of a question as the target of a link.
pub(super) fn anchor(id: &str) -> String {
    id.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase()
}
