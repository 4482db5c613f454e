//! The last guard against secrets on the terminal.
//!
//! Errors of stores are clean already. The command-line parser is not: it quotes the argument that it does not
//! understand, and that may be a URL in the wrong place.

use std::borrow::Cow;
use std::io::{self, Write as _};
use std::process::ExitCode;

/// Prints what the parser has to say, help and version included.
pub(crate) fn report_usage(error: &clap::Error) -> ExitCode {
    if !error.use_stderr() {
        // Help and version quote no argument, only our own examples.
        drop(error.print());
        return ExitCode::SUCCESS;
    }
    let text = error.render();
    let plain = text.to_string();
    match secrets(&plain) {
        // Nothing to hide: keep the colours.
        Cow::Borrowed(_) => drop(error.print()),
        Cow::Owned(hidden) => drop(write!(io::stderr(), "{hidden}")),
    }
    ExitCode::from(2)
}

/// Hides user names and passwords: what stands between `://` and `@`, and what follows `password=`.
pub(crate) fn secrets(text: &str) -> Cow<'_, str> {
    match user_info(text) {
        Cow::Borrowed(text) => options(text),
        Cow::Owned(text) => Cow::Owned(options(&text).into_owned()),
    }
}

fn options(text: &str) -> Cow<'_, str> {
    const NAME: &str = "password=";
    let Some(first) = text.find(NAME) else { return Cow::Borrowed(text) };
    let mut out = text[..first].to_owned();
    for part in text[first..].split(NAME).skip(1) {
        let end = part.find(|c: char| c.is_whitespace() || c == '&' || c == '\'').unwrap_or(part.len());
        out.push_str(NAME);
        out.push_str("***");
        out.push_str(&part[end..]);
    }
    Cow::Owned(out)
}

fn user_info(text: &str) -> Cow<'_, str> {
    let mut out = String::new();
    let mut rest = text;
    while let Some(start) = rest.find("://").map(|at| at + 3) {
        // Passwords may hold anything, even a slash that should have been escaped, but no white space.
        let end = rest[start..].find(char::is_whitespace).map_or(rest.len(), |at| start + at);
        match rest[start..end].rfind('@') {
            Some(at) => {
                out.push_str(&rest[..start]);
                out.push_str("***");
                rest = &rest[start + at..];
            }
            None => {
                out.push_str(&rest[..end]);
                rest = &rest[end..];
            }
        }
    }
    if out.is_empty() || !out.contains("***") {
        return Cow::Borrowed(text);
    }
    out.push_str(rest);
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        assert_eq!(secrets(text), expected);
    }

    #[test]
    fn hides_user_and_password_of_every_url() {
        check("plain", "plain");
        check("redis://host/0 and http://other", "redis://host/0 and http://other");
        check("'redis://u:p@host/0' found", "'redis://***@host/0' found");
        check("a://p@h b://c d://x/y@z@h", "a://***@h b://c d://***@h");
        check("redis://:ha#s?h/@host", "redis://***@host");
        check("'redis+unix:///s?password=p&db=1' password=q", "'redis+unix:///s?password=***&db=1' password=***");
    }
}
