//! Standard output: text for people, one JSON document for programs, and no panic when the reader leaves.

use std::io::{self, Write as _};

use serde::Serialize;

use crate::failure::Failure;

/// How answers are written.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Output {
    pub(crate) json: bool,
}

impl Output {
    /// Writes the JSON form or the text, whichever was asked for.
    pub(crate) fn answer(self, json: &impl Serialize, text: impl FnOnce() -> String) -> Result<(), Failure> {
        if self.json { self.json(json) } else { self.line(&text()) }
    }

    pub(crate) fn json(self, document: &impl Serialize) -> Result<(), Failure> {
        let text =
            serde_json::to_string(document).map_err(|error| Failure::local("cannot write JSON", error.into()))?;
        self.line(&text)
    }

    /// Writes a line; nothing at all for an empty text.
    pub(crate) fn line(self, text: &str) -> Result<(), Failure> {
        if text.is_empty() {
            return Ok(());
        }
        self.bytes(format!("{text}\n").as_bytes())
    }

    /// Writes bytes as they are.
    pub(crate) fn bytes(self, bytes: &[u8]) -> Result<(), Failure> {
        let mut stdout = io::stdout().lock();
        stdout
            .write_all(bytes)
            .and_then(|()| stdout.flush())
            .map_err(|error| Failure::local("cannot write to standard output", error))
    }
}

/// A line for people on standard error; nobody listening is no failure.
pub(crate) fn note(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}
