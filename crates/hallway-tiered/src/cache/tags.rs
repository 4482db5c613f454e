//! Names of tags, in keys and in headers.

use std::sync::Arc;

use hallway_core::{Error, Result};

use crate::engine::{Engine, Generation};
use crate::header::MAX_TAGS;

/// The longest tag in bytes.
const MAX_BYTES: usize = 128;

/// What all tags of a value may take in its header.
const MAX_WORDS: usize = 6 << 10;

/// The generations of these tags.
///
/// # Errors
/// `InvalidInput` for too many tags, and for a tag that is empty, too long or has control characters.
pub(super) fn generations(engine: &Engine, tags: &[String], own: bool) -> Result<Vec<Arc<Generation>>> {
    let mut names: Vec<&str> = tags.iter().map(String::as_str).collect();
    names.sort_unstable();
    names.dedup();
    if names.len() > MAX_TAGS {
        return Err(Error::invalid_input(format!("a value has at most {MAX_TAGS} tags")));
    }
    let generations = names.into_iter().map(|tag| generation(engine, tag, own)).collect::<Result<Vec<_>>>()?;
    // Name, colon, 16 digits, comma.
    if generations.iter().map(|generation| word(generation).len() + 18).sum::<usize>() > MAX_WORDS {
        return Err(Error::invalid_input(format!("the tags of a value take at most {MAX_WORDS} bytes")));
    }
    Ok(generations)
}

/// The generation of a tag.
///
/// # Errors
/// As [`generations`].
pub(super) fn generation(engine: &Engine, tag: &str, own: bool) -> Result<Arc<Generation>> {
    if tag.len() > MAX_BYTES {
        return Err(Error::invalid_input(format!("a tag has at most {MAX_BYTES} bytes")));
    }
    engine.generations.of_tag(tag, own)
}

/// The name in a header: as in the key, and without what separates words there.
pub(super) fn word(generation: &Generation) -> String {
    let physical = generation.key.as_str();
    let escaped = physical.rsplit(':').next().unwrap_or_default();
    escaped.replace(' ', "%20").replace(',', "%2C")
}

/// The generation that a word of a header names; `None` if it names none.
pub(super) fn of_word(engine: &Engine, word: &str, own: bool) -> Option<Arc<Generation>> {
    let escaped = word.replace("%20", " ").replace("%2C", ",");
    // Back through a key, which undoes the rest.
    let key = hallway_core::Key::from_physical(&escaped).ok()?;
    generation(engine, &key.id(), own).ok()
}
