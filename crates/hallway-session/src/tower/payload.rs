//! What a record holds of a session of tower-sessions.
//!
//! ```text
//! {"expires":"2026-11-26T08:19:27.123456789Z","data":{"visits":3}}
//! ```
//! `expires` is the date that the application gave, by its own clock: for people, and for the application to read again.
//! What ends the session is the TTL in the store. A session that slides has none.

use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use hallway_core::{Codec, Json, Result};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::record::damaged;

/// The codec that such a record names, so that nobody takes it for a session of his own.
pub(super) const CODEC: &str = "tower-json";

/// 9999-12-31T23:59:59Z, the last second that has a date of this form; the first is the epoch.
const LAST: Duration = Duration::from_secs(253_402_300_799);

/// What an application keeps in a session.
pub(super) type Data = HashMap<String, Value>;

#[derive(Serialize)]
struct Written<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    expires: Option<String>,
    // Sorted, so that equal data are equal bytes.
    data: BTreeMap<&'a str, &'a Value>,
}

#[derive(Deserialize)]
struct Read {
    expires: Option<String>,
    data: Data,
}

/// # Errors
/// `InvalidInput` and `TooLarge` for data that no store takes.
pub(super) fn encode(data: &Data, expires: Option<SystemTime>) -> Result<Bytes> {
    let date = |at: SystemTime| humantime::format_rfc3339_nanos(at.clamp(UNIX_EPOCH, UNIX_EPOCH + LAST)).to_string();
    let data = data.iter().map(|(name, value)| (name.as_str(), value)).collect();
    Json::encode(&Written { expires: expires.map(date), data }).map_err(|error| error.at(CODEC, "encode"))
}

/// # Errors
/// `Corrupt` if these are no such bytes.
pub(super) fn decode(bytes: &[u8]) -> Result<(Data, Option<SystemTime>)> {
    let read: Read = Json::decode(bytes)?;
    let date = |text: String| humantime::parse_rfc3339(&text).map_err(|_| damaged());
    Ok((read.data, read.expires.map(date).transpose()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn data() -> Data {
        [("visits", Value::from(3)), ("cart", Value::from(vec!["apple"])), ("pi", Value::from(0.1 + 0.2))]
            .map(|(name, value)| (name.to_owned(), value))
            .into()
    }

    #[test]
    fn what_is_written_can_be_read() {
        let date = UNIX_EPOCH + Duration::new(1_764_145_167, 123_456_789);
        for expires in [None, Some(date), Some(UNIX_EPOCH + LAST)] {
            assert_eq!(decode(&encode(&data(), expires).unwrap()).unwrap(), (data(), expires));
        }
    }

    #[test]
    fn people_can_read_it_and_equal_data_are_equal_bytes() {
        let text = r#"{"expires":"2025-11-26T08:19:27.123456789Z","data":{"cart":["apple"],"pi":0.30000000000000004,"visits":3}}"#;
        for _ in 0..16 {
            let date = UNIX_EPOCH + Duration::new(1_764_145_167, 123_456_789);
            assert_eq!(encode(&data(), Some(date)).unwrap(), text);
        }
    }

    #[test]
    fn a_date_without_a_form_is_the_nearest_that_has_one() {
        for (given, kept) in [(UNIX_EPOCH + LAST * 2, UNIX_EPOCH + LAST), (UNIX_EPOCH - LAST, UNIX_EPOCH)] {
            let (_, expires) = decode(&encode(&data(), Some(given)).unwrap()).unwrap();
            assert_eq!(expires, Some(kept));
        }
    }

    #[test]
    fn anything_else_is_corrupt() {
        for text in ["", "{}", "[]", r#"{"data":3}"#, r#"{"expires":"soon","data":{}}"#, r#"{"expires":7,"data":{}}"#] {
            assert_eq!(decode(text.as_bytes()).unwrap_err().kind(), hallway_core::ErrorKind::Corrupt, "{text}");
        }
    }
}
