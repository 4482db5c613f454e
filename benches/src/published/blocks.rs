//! Blocks of documents: found by their markers and filled anew.

use crate::Result;

const BEGIN: &str = "<!-- bench-tables: ";
const CLOSE: &str = " -->";
const END: &str = "<!-- end -->";

/// The document with the text of every block in the place of what stood between its markers.
///
/// # Errors
/// If a block has no end, begins within another, or `text_of` does not know its name.
pub(super) fn fill(document: &str, mut text_of: impl FnMut(&str) -> Result<String>) -> Result<String> {
    let mut filled = String::with_capacity(document.len());
    let mut lines = document.split_inclusive('\n');
    while let Some(line) = lines.next() {
        filled.push_str(line);
        let Some(name) = name(line) else {
            if line.trim_end() == END {
                return Err(format!("`{END}` ends no block").into());
            }
            continue;
        };
        loop {
            match lines.next() {
                Some(line) if line.trim_end() == END => {
                    filled.push_str(&format!("\n{}\n\n{line}", text_of(name)?.trim()));
                    break;
                }
                Some(line) if self::name(line).is_none() => {}
                _ => return Err(format!("the block `{name}` has no `{END}`").into()),
            }
        }
    }
    Ok(filled)
}

fn name(line: &str) -> Option<&str> {
    line.trim_end().strip_prefix(BEGIN)?.strip_suffix(CLOSE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_stands_between_the_markers_is_replaced() {
        let document =
            "a\n<!-- bench-tables: one -->\nold\n\nold\n<!-- end -->\nb\n<!-- bench-tables: two -->\n<!-- end -->\n";
        let filled = fill(document, |name| Ok(format!("new {name}\n"))).unwrap();
        let wanted = "a\n<!-- bench-tables: one -->\n\nnew one\n\n<!-- end -->\nb\n<!-- bench-tables: two -->\n\nnew two\n\n<!-- end -->\n";
        assert_eq!(filled, wanted);
        assert_eq!(fill(&filled, |name| Ok(format!("new {name}\n"))).unwrap(), wanted);
    }

    #[test]
    fn a_block_without_an_end_is_an_error() {
        let known = |_: &str| Ok(String::new());
        for document in [
            "<!-- bench-tables: a -->\nx\n",
            "<!-- bench-tables: a -->\n<!-- bench-tables: b -->\n<!-- end -->\n",
            "x\n<!-- end -->\n",
        ] {
            fill(document, known).unwrap_err();
        }
        fill("<!-- bench-tables: a -->\n<!-- end -->\n", |_| Err("unknown".into())).unwrap_err();
    }
}
