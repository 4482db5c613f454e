//! What a source file must have and must not have.

use crate::tidy::{Finding, SourceFile};

/// More lines than this and a file probably holds two ideas.
const LONG: usize = 600;

/// Where a person audited the only dynamic SQL text of the workspace.
const SQL_CRATE: &str = "crates/hallway-sql/src/";

/// Words that a library must never send to a server: they empty it, or stop it for seconds.
const SERVER_WIDE: [&str; 4] = ["FLUSHALL", "FLUSHDB", "\"KEYS\"", "'KEYS'"];

/// Findings over all files.
pub(super) fn check(files: &[SourceFile]) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut dynamic_sql = Vec::new();
    for file in files {
        findings.extend(machine_paths(file));
        if !file.path.ends_with(".rs") {
            continue;
        }
        findings.extend(doc_line(file));
        findings.extend(unfinished(file));
        if is_library(&file.path) {
            findings.extend(server_wide(file));
        }
        if code_lines(&file.text).any(|(_, line)| line.contains(concat!("AssertSql", "Safe"))) {
            dynamic_sql.push(file.path.as_str());
        }
    }
    if dynamic_sql.len() > 1 || dynamic_sql.iter().any(|path| !path.starts_with(SQL_CRATE)) {
        findings.push(format!(
            "unchecked SQL text belongs in one audited file of {SQL_CRATE}; it is in {}",
            dynamic_sql.join(", ")
        ));
    }
    findings
}

/// Files that have grown long.
pub(super) fn long_files(files: &[SourceFile]) -> Vec<Finding> {
    let rust = files.iter().filter(|file| file.path.ends_with(".rs"));
    rust.map(|file| (file, file.text.lines().count()))
        .filter(|(_, lines)| *lines > LONG)
        .map(|(file, lines)| format!("{} has {lines} lines; does it hold two ideas?", file.path))
        .collect()
}

fn is_library(path: &str) -> bool {
    path.starts_with("crates/") && path.contains("/src/") && !path.starts_with("crates/hallway-testkit/")
}

fn doc_line(file: &SourceFile) -> Option<Finding> {
    let has_doc =
        file.text.lines().next().is_some_and(|line| line.strip_prefix("//! ").is_some_and(|doc| !doc.is_empty()));
    (!has_doc).then(|| format!("{}: the first line must be a `//!` line that says what the file is for", file.path))
}

fn unfinished(file: &SourceFile) -> Vec<Finding> {
    // Put together so that this file does not find itself.
    let marks = [concat!("#[", "ignore"), concat!("todo", "!("), concat!("unimplemented", "!(")];
    let hits = code_lines(&file.text).filter(|(_, line)| marks.iter().any(|mark| line.contains(mark)));
    hits.map(|(number, line)| format!("{}:{number}: unfinished or switched off: {}", file.path, line.trim())).collect()
}

fn server_wide(file: &SourceFile) -> Vec<Finding> {
    let hits = code_lines(&file.text).filter(|(_, line)| SERVER_WIDE.iter().any(|word| line.contains(word)));
    hits.map(|(number, line)| {
        format!("{}:{number}: a command that concerns the whole server: {}", file.path, line.trim())
    })
    .collect()
}

fn machine_paths(file: &SourceFile) -> Vec<Finding> {
    let roots = [concat!("/wo", "rk/"), concat!("/ro", "ot/"), concat!("/ho", "me/"), concat!("/t", "mp/")];
    let mut findings = Vec::new();
    for (index, line) in file.text.lines().enumerate() {
        let starts_here = |at: usize| !line[..at].ends_with(|c: char| c.is_alphanumeric() || "._-~}$)".contains(c));
        if roots.iter().any(|root| line.match_indices(root).any(|(at, _)| starts_here(at))) {
            findings.push(format!("{}:{}: a path of somebody's machine: {}", file.path, index + 1, line.trim()));
        }
    }
    findings
}

/// Lines with their numbers, comments cut off. A `//` behind a `:` is a URL, not a comment.
fn code_lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines().enumerate().map(|(index, line)| {
        let comment = line.match_indices("//").find(|(at, _)| !line[..*at].ends_with(':'));
        (index + 1, comment.map_or(line, |(at, _)| &line[..at]))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_one(path: &str, text: &str, findings: usize) {
        let found = check(&[SourceFile { path: path.into(), text: text.into() }]);
        assert_eq!(found.len(), findings, "{path}: {text}\n{found:?}");
    }

    #[test]
    fn a_file_starts_by_saying_what_it_is_for() {
        check_one("xtask/src/a.rs", "//! Something.\n", 0);
        check_one("xtask/src/a.rs", "use std::fmt;\n", 1);
        check_one("xtask/src/a.rs", "//!\n", 1);
    }

    #[test]
    fn nothing_is_unfinished_or_switched_off() {
        check_one("a.rs", concat!("//! A.\n#[", "ignore]\nfn a() {}\n"), 1);
        check_one("a.rs", concat!("//! A.\nfn a() { todo", "!() }\n"), 1);
        check_one("a.rs", concat!("//! A.\n// a todo", "!() in words\n"), 0);
    }

    #[test]
    fn library_code_leaves_the_server_alone() {
        check_one("crates/hallway-redis/src/a.rs", "//! A.\nfn a() { cmd(\"FLUSHDB\") }\n", 1);
        check_one("crates/hallway-redis/src/a.rs", "//! A.\n/// Never `FLUSHDB`.\nfn a() { cmd(\"KEYS\") }\n", 1);
        check_one("crates/hallway-redis/src/a.rs", "//! A.\nconst S: &str = \"redis.call('GET', KEYS[1])\";\n", 0);
        check_one("crates/hallway-redis/tests/it/a.rs", "//! A.\nfn a() { cmd(\"FLUSHDB\") }\n", 0);
    }

    #[test]
    fn no_path_of_a_machine() {
        check_one("docs/a.md", concat!("see /ro", "ot/x"), 1);
        check_one("docs/a.md", concat!("see frame/wo", "rk/x and target/t", "mp/x"), 0);
    }

    #[test]
    fn unchecked_sql_stands_in_one_file() {
        let file = |path: &str| SourceFile {
            path: path.into(),
            text: concat!("//! A.\nquery(AssertSql", "Safe(text))\n").into(),
        };
        assert!(check(&[file("crates/hallway-sql/src/a.rs")]).is_empty());
        assert_eq!(check(&[file("crates/hallway-sql/src/a.rs"), file("crates/hallway-sql/src/b.rs")]).len(), 1);
        assert_eq!(check(&[file("benches/src/a.rs")]).len(), 1);
    }

    #[test]
    fn comments_end_a_line_and_urls_do_not() {
        let lines: Vec<_> = code_lines("a // b\n\"redis://x\" // c").map(|(_, line)| line).collect();
        assert_eq!(lines, ["a ", "\"redis://x\" "]);
    }
}
