//! Operations in words. The keys and values are the model's own, so they may be shown.

use std::fmt;

use hallway_core::{Key, Ttl};

use super::operation::{Guess, Item, KEYS, Operation, PREFIXES, When};

impl fmt::Display for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Advance(by) => write!(f, "let {by:?} pass"),
            Self::AdvanceTo(key, off) => write!(f, "wait until the deadline of {} {off:+} us", name(*key)),
            Self::Clear(prefix) => write!(f, "clear({:?})", PREFIXES[*prefix]),
            Self::Delete(key) => write!(f, "delete({})", name(*key)),
            Self::DeleteIf(key, guess) => write!(f, "delete_if({}, {guess})", name(*key)),
            Self::DeleteMany(keys) => write!(f, "delete_many({})", names(keys)),
            Self::Get(key) => write!(f, "get({})", name(*key)),
            Self::GetBurst(keys) => write!(f, "at once get {}", names(keys)),
            Self::GetEntry(key) => write!(f, "get_entry({})", name(*key)),
            Self::GetMany(keys) => write!(f, "get_many({})", names(keys)),
            Self::Increment(key, by, ttl) => write!(f, "increment({}, {by}, {})", name(*key), life(*ttl)),
            Self::Ping => f.write_str("ping, time"),
            Self::Scan(prefix, limit) => write!(f, "scan({:?}, limit {limit})", PREFIXES[*prefix]),
            Self::Set(key, value, ttl, when) => {
                write!(f, "set({}, {}, {}", name(*key), bytes(value), life(*ttl))?;
                match when {
                    When::Absent => f.write_str(", if absent)"),
                    When::Always => f.write_str(")"),
                    When::Equals(guess) => write!(f, ", if {guess})"),
                    When::Present => f.write_str(", if present)"),
                }
            }
            Self::SetBurst(items) => write!(f, "at once set {}", list(items)),
            Self::SetMany(items) => write!(f, "set_many({})", list(items)),
            Self::StepDate(by) => write!(f, "let the date jump by {by} s"),
            Self::Take(key) => write!(f, "take({})", name(*key)),
            Self::Touch(key, ttl) => write!(f, "touch({}, {})", name(*key), life(*ttl)),
            Self::TryGet(key) => write!(f, "try_get({})", name(*key)),
        }
    }
}

impl fmt::Display for Guess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Almost => f.write_str("equals almost what is there"),
            Self::Current => f.write_str("equals what is there"),
            Self::Other(value) => write!(f, "equals {}", bytes(value)),
        }
    }
}

pub(super) fn name(key: usize) -> String {
    let (namespace, id) = KEYS[key];
    let mut id: String = id.chars().take(24).collect();
    if !namespace.is_empty() {
        id = format!("{namespace}:{id}");
    }
    format!("`{id}`")
}

/// A key that the store returned and the model does not know, whole: it is not the model's.
pub(super) fn foreign(key: &Key) -> String {
    format!("`{}`", key.as_str())
}

pub(super) fn bytes(value: &[u8]) -> String {
    const SHOWN: usize = 24;
    let shown = value[..value.len().min(SHOWN)].escape_ascii();
    if value.len() > SHOWN { format!("\"{shown}…\" ({} bytes)", value.len()) } else { format!("\"{shown}\"") }
}

pub(super) fn maybe(value: Option<&[u8]>) -> String {
    value.map_or_else(|| "None".to_owned(), bytes)
}

fn names(keys: &[usize]) -> String {
    let names: Vec<String> = keys.iter().map(|key| name(*key)).collect();
    format!("[{}]", names.join(", "))
}

fn list(items: &[Item]) -> String {
    let items: Vec<String> =
        items.iter().map(|(key, value, ttl)| format!("{} = {} for {}", name(*key), bytes(value), life(*ttl))).collect();
    format!("[{}]", items.join(", "))
}

fn life(ttl: Ttl) -> String {
    ttl.duration().map_or_else(|| "forever".to_owned(), |life| format!("{life:?}"))
}
