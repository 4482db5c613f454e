//! Counters are canonical decimal text.

use crate::{Error, Result};

/// Reads the canonical decimal text of an `i64`: no sign but `-`, no leading zero, no space.
///
/// Counters are stored as this text everywhere, so that Redis' own `INCRBY` and a person can read them.
///
/// # Errors
/// `InvalidInput` for everything else, including ` 7`, `+7`, `007` and `-0`.
pub fn parse_canonical_i64(text: &[u8]) -> Result<i64> {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    let canonical = match digits {
        [b'0'] => text.len() == 1,
        [b'1'..=b'9', rest @ ..] => rest.iter().all(u8::is_ascii_digit),
        _ => false,
    };
    canonical
        .then(|| std::str::from_utf8(text).ok()?.parse().ok())
        .flatten()
        .ok_or_else(|| Error::invalid_input("the value is not the decimal text of a 64-bit integer"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_canonical_text_is_a_number() {
        for good in [0, 1, -1, 10, i64::MAX, i64::MIN] {
            assert_eq!(parse_canonical_i64(good.to_string().as_bytes()).unwrap(), good);
        }
        for bad in ["", " 7", "7 ", "+7", "007", "-0", "-", "--1", "1.0", "1e3", "9223372036854775808", "١"] {
            assert!(parse_canonical_i64(bad.as_bytes()).is_err(), "{bad:?}");
        }
    }
}
