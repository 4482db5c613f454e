//! Times to live as people write them, and times of day as they read them.

use std::time::{Duration, UNIX_EPOCH};

use hallway::{MAX_TTL, Timestamp, Ttl};

/// Reads `5m`, `90s`, `1h 30m`, `250ms` or `forever`.
pub(crate) fn parse(text: &str) -> Result<Ttl, String> {
    let text = text.trim();
    if text == "forever" {
        return Ok(Ttl::Forever);
    }
    if text.starts_with('-') {
        return Err("a TTL must be longer than 0".to_owned());
    }
    if !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit()) {
        return Err(format!("a TTL needs a unit, such as {text}s; or `forever`"));
    }
    let duration: Duration = humantime::parse_duration(text)
        .map_err(|_| "a TTL is a duration with a unit, such as 5m, 90s or 250ms; or `forever`".to_owned())?;
    let ttl = Ttl::After(duration);
    if duration > MAX_TTL {
        return Err("a TTL is at most 10 years; or `forever`".to_owned());
    }
    // The same limits as in every store, said before one is opened.
    ttl.whole_millis().map(|_| ttl).map_err(|error| error.message().to_owned())
}

/// `2026-01-31T12:00:00.000Z`
pub(crate) fn rfc3339(at: Timestamp) -> String {
    let since = Duration::from_micros(u64::try_from(at.unix_micros()).unwrap_or(0));
    // No marker and no clock is that far away; one that claims to be must not end the command.
    UNIX_EPOCH
        .checked_add(since.min(Duration::from_secs(253_402_300_799)))
        .map_or_else(String::new, |at| humantime::format_rfc3339_millis(at).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str, words: &str) {
        let message = parse(text).unwrap_err();
        assert!(message.contains(words), "{text}: {message}");
    }

    #[test]
    fn reads_durations_with_a_unit() {
        assert_eq!(parse("5m"), Ok(Ttl::After(Duration::from_secs(300))));
        assert_eq!(parse("1h 30m"), Ok(Ttl::After(Duration::from_secs(5_400))));
        assert_eq!(parse("250ms"), Ok(Ttl::After(Duration::from_millis(250))));
        assert_eq!(parse("10us"), Ok(Ttl::After(Duration::from_micros(10))));
        assert_eq!(parse("forever"), Ok(Ttl::Forever));
    }

    #[test]
    fn refuses_what_no_store_takes() {
        refused("0s", "longer than 0");
        refused("-5m", "longer than 0");
        refused("11years", "at most 10 years");
        refused("300", "300s");
        refused("", "duration with a unit");
        refused("soon", "duration with a unit");
    }
}
