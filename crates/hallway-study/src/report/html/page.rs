//! The frame of a page, and a small page for a figure that belongs to no study.

use std::fmt::Write as _;

use crate::chart::STYLE;
use crate::markup::escape;
use crate::report::html::parts;
use crate::report::{Figure, Table};

const PAGE_STYLE: &str = include_str!("style.css");

/// A page of its own with figures and tables, without scripts or other files: what `hallway curve` shows.
///
/// The lead is one sentence under the title: what was measured, and from what.
#[must_use]
pub fn page(title: &str, lead: &str, figures: &[Figure], tables: &[Table]) -> String {
    let mut body = format!(
        "<header>\n<p class=\"eyebrow\">hallway</p>\n<h1>{}</h1>\n<p class=\"lede\">{}</p>\n</header>\n<main>\n<section>\n",
        escape(title),
        escape(lead)
    );
    for figure in figures {
        body.push_str(&parts::figure(figure, None));
    }
    for table in tables {
        body.push_str(&parts::table(table));
    }
    body.push_str("</section>\n</main>\n");
    document(title, &body)
}

/// A whole document, which is well-formed XML too. Its policy forbids whatever would need a network or run.
pub(super) fn document(title: &str, body: &str) -> String {
    let mut text = String::new();
    let _never_fails = write!(
        text,
        "<!DOCTYPE html>\n<html lang=\"en\" xmlns=\"http://www.w3.org/1999/xhtml\">\n<head>\n<meta charset=\"utf-8\"/>\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n\
         <meta name=\"color-scheme\" content=\"light dark\"/>\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; img-src \
         data:\"/>\n\
         <link rel=\"icon\" href=\"data:,\"/>\n\
         <title>{}</title>\n<style>\n{PAGE_STYLE}{STYLE}</style>\n</head>\n<body>\n{body}</body>\n</html>\n",
        escape(title)
    );
    text
}
