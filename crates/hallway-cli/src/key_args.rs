//! Keys and prefixes as typed: in their physical form, the one that `redis-cli` and `psql` show.

use hallway::{Key, Namespace, Prefix};

use crate::failure::Failure;

pub(crate) const KEY_HELP: &str = "Key as stored, such as user:profile:42; write %25, %3A, %7B and %7D for a percent sign, a colon inside a segment and braces";

pub(crate) fn key(text: &str) -> Result<Key, Failure> {
    if text.is_empty() {
        return Err(Failure::usage("a key must not be empty"));
    }
    Ok(Key::from_physical(text)?)
}

/// `app` and `app:` are the same prefix.
pub(crate) fn prefix(text: &str) -> Result<Prefix, Failure> {
    let text = text.strip_suffix(':').unwrap_or(text);
    // A prefix in physical form is the namespace of any key below it.
    let below: Namespace = Key::from_physical(&format!("{text}:x"))?.namespace();
    Ok(below.prefix())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes_are_physical() {
        assert_eq!(prefix("app").unwrap().to_physical(), "app:");
        assert_eq!(prefix("app:").unwrap().to_physical(), "app:");
        assert_eq!(prefix("a%3Ab:c").unwrap().to_physical(), "a%3Ab:c:");
        for bad in ["", ":", "a::b", "a%b", "a\tb"] {
            assert!(prefix(bad).is_err(), "{bad}");
        }
    }
}
