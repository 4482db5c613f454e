//! Times to live as people write them.

use std::time::Duration;

use hallway::{MAX_TTL, Ttl};

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
