//! What the store holds of a session: a line for programs and people, a line about whose it is, and the data.
//!
//! ```text
//! S1 json rev=3 made=1764143367123456 ends=1764186567123456 crc=1a2b3c4d created=2026-11-26T07:49:27Z
//! subject=42 label=Firefox%20on%20Linux
//! {"name":"Ada"}
//! ```
//! `made` and `ends` are microseconds on the store's clock. The checksum (CRC-32C) covers the handle, everything before it
//! and everything after the first line, so a record that was damaged, or copied to another key, is noticed. `created` is
//! for people. A sealed record says `key=<id>` before the checksum and is unreadable from the second line on.

use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use bytes::Bytes;
use hallway_core::{Error, ErrorKind, Result, Timestamp};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use crate::handle::Handle;
use crate::seal::Sealer;

const VERSION: &str = "S1";

/// The longest first line that is looked at.
const MAX_LINE: usize = 256;

/// The last second that the date for people can show: of the year 9999. A store's clock may say anything.
const LAST_DATE: Duration = Duration::from_secs(253_402_300_799);

/// What stays as it is in subject and label.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'@');

/// A session as it is written.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Record {
    pub(crate) codec: String,
    /// Counts the writes, so that no two contents of one record are the same bytes.
    pub(crate) revision: u64,
    pub(crate) made: Timestamp,
    /// The absolute timeout.
    pub(crate) ends: Timestamp,
    pub(crate) subject: Option<Arc<str>>,
    pub(crate) label: Option<Arc<str>>,
    pub(crate) payload: Bytes,
}

impl Record {
    /// The bytes for the store.
    pub(crate) fn write(&self, handle: &Handle, sealer: &Sealer) -> Result<Bytes> {
        let mut line = format!(
            "{VERSION} {} rev={} made={} ends={}",
            self.codec,
            self.revision,
            self.made.unix_micros(),
            self.ends.unix_micros()
        );
        if let Some(key) = sealer.key_id() {
            line.push_str(" key=");
            line.push_str(key);
        }
        let mut body = Vec::with_capacity(64 + self.payload.len());
        for (name, text) in [("subject=", &self.subject), (" label=", &self.label)] {
            body.extend_from_slice(name.as_bytes());
            for part in utf8_percent_encode(text.as_deref().unwrap_or_default(), PLAIN) {
                body.extend_from_slice(part.as_bytes());
            }
        }
        body.push(b'\n');
        body.extend_from_slice(&self.payload);
        let body = sealer.seal(body, line.as_bytes(), handle)?;
        let crc = checksum(handle, line.as_bytes(), &body);
        let created = humantime::format_rfc3339_seconds(UNIX_EPOCH + since_epoch(self.made).min(LAST_DATE));
        let line = format!("{line} crc={crc:08x} created={created}\n");
        let mut bytes = Vec::with_capacity(line.len() + body.len());
        bytes.extend_from_slice(line.as_bytes());
        bytes.extend_from_slice(&body);
        Ok(bytes.into())
    }

    /// Reads the bytes back.
    ///
    /// # Errors
    /// `Corrupt`, without quoting them.
    pub(crate) fn read(bytes: &Bytes, handle: &Handle, sealer: &Sealer) -> Result<Self> {
        let end = bytes.iter().take(MAX_LINE).position(|byte| *byte == b'\n').ok_or_else(damaged)?;
        let body = bytes.slice(end + 1..);
        let line = std::str::from_utf8(&bytes[..end]).map_err(|_| damaged())?;
        let (covered, rest) = line.split_once(" crc=").ok_or_else(damaged)?;
        let crc = rest.get(..8).ok_or_else(damaged)?;
        if !rest[8..].starts_with(" created=") || crc != format!("{:08x}", checksum(handle, covered.as_bytes(), &body))
        {
            return Err(damaged());
        }
        let mut words = covered.split(' ');
        if words.next() != Some(VERSION) {
            return Err(damaged());
        }
        let codec = words.next().ok_or_else(damaged)?.to_owned();
        let mut number = |name: &str| -> Result<i64> {
            let word = words.next().and_then(|word| word.strip_prefix(name)).ok_or_else(damaged)?;
            word.parse().map_err(|_| damaged())
        };
        let revision = u64::try_from(number("rev=")?).map_err(|_| damaged())?;
        let made = Timestamp::from_unix_micros(number("made=")?);
        let ends = Timestamp::from_unix_micros(number("ends=")?);
        let key = match words.next() {
            Some(word) => Some(word.strip_prefix("key=").ok_or_else(damaged)?),
            None => None,
        };
        let body = sealer.open(body, key, covered.as_bytes(), handle)?;
        let end = body.iter().position(|byte| *byte == b'\n').ok_or_else(damaged)?;
        let whose = std::str::from_utf8(&body[..end]).map_err(|_| damaged())?;
        let (subject, label) =
            whose.strip_prefix("subject=").and_then(|rest| rest.split_once(" label=")).ok_or_else(damaged)?;
        Ok(Self {
            codec,
            revision,
            made,
            ends,
            subject: unescape(subject)?,
            label: unescape(label)?,
            payload: body.slice(end + 1..),
        })
    }
}

fn unescape(text: &str) -> Result<Option<Arc<str>>> {
    if text.is_empty() {
        return Ok(None);
    }
    percent_decode_str(text).decode_utf8().map(|text| Some(text.into())).map_err(|_| damaged())
}

fn checksum(handle: &Handle, line: &[u8], body: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c_append(crc32c::crc32c(handle.bytes()), line), body)
}

fn since_epoch(instant: Timestamp) -> Duration {
    instant.saturating_since(Timestamp::from_unix_micros(0))
}

/// Of a record that is whole and that another version of the application wrote.
pub(crate) fn other_shape() -> Error {
    Error::new(ErrorKind::Corrupt, "another version of the application wrote this session; see Loaded::Incompatible")
}

pub(crate) fn damaged() -> Error {
    Error::new(ErrorKind::Corrupt, "this is no record of a session").at("sessions", "read")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id::SessionId;
    use hallway_core::Namespace;

    fn record() -> Record {
        Record {
            codec: "json".into(),
            revision: 3,
            made: Timestamp::from_unix_micros(1_764_143_367_123_456),
            ends: Timestamp::from_unix_micros(1_764_186_567_123_456),
            subject: Some("user 42\n=".into()),
            label: Some("Firefox on Linux".into()),
            payload: Bytes::from_static(b"{\"name\":\"Ada\"}"),
        }
    }

    fn handle(byte: u8) -> Handle {
        let id =
            SessionId::parse(&base64::Engine::encode(&base64::engine::general_purpose::URL_SAFE_NO_PAD, [byte; 32]));
        Handle::of(&Namespace::new("session").unwrap(), &id.unwrap())
    }

    #[test]
    fn what_is_written_can_be_read() {
        let nobody = Record { subject: None, label: None, payload: Bytes::new(), ..record() };
        let lines = Record { payload: Bytes::from_static(b"\n\n crc= \n"), ..record() };
        for record in [record(), nobody, lines] {
            let bytes = record.write(&handle(1), &Sealer::none()).unwrap();
            assert!(Record::read(&bytes, &handle(1), &Sealer::none()).unwrap() == record);
        }
    }

    #[test]
    fn any_flipped_bit_is_noticed_but_in_the_date_for_people() {
        let bytes = record().write(&handle(1), &Sealer::none()).unwrap();
        let date = bytes.windows(9).position(|word| word == b" created=").unwrap() + 9;
        let line = bytes.iter().position(|byte| *byte == b'\n').unwrap();
        for at in 0..bytes.len() {
            for bit in 0..8 {
                let mut flipped = bytes.to_vec();
                flipped[at] ^= 1 << bit;
                let read = Record::read(&flipped.into(), &handle(1), &Sealer::none());
                match read {
                    Ok(read) => assert!((date..line).contains(&at) && read == record(), "bit {bit} of byte {at}"),
                    Err(error) => assert_eq!(error.kind(), ErrorKind::Corrupt),
                }
            }
        }
    }

    #[test]
    fn a_record_under_the_key_of_another_session_is_none() {
        let bytes = record().write(&handle(1), &Sealer::none()).unwrap();
        assert!(Record::read(&bytes, &handle(2), &Sealer::none()).is_err());
    }

    #[test]
    fn garbage_is_corrupt_and_never_quoted() {
        let long = vec![b'S'; 100_000];
        let texts: [&[u8]; 7] = [
            b"",
            b"S1",
            b"S1 json rev=1 made=1 ends=1 crc=00000000 created=\nsecret",
            b"S1 crc=\n",
            b"V1 json rev=1 made=1 ends=1 crc=00000000 created=x\n",
            &[0xff; 100],
            &long,
        ];
        for text in texts {
            let error = match Record::read(&Bytes::copy_from_slice(text), &handle(1), &Sealer::none()) {
                Ok(_) => panic!("read garbage"),
                Err(error) => error,
            };
            assert_eq!(error.kind(), ErrorKind::Corrupt);
            assert!(!format!("{error:?} {error}").contains("secret"));
        }
    }

    #[test]
    fn a_date_beyond_all_dates_is_written_as_any_other() {
        for micros in [i64::MAX, i64::MIN, -1] {
            let odd = Record { made: Timestamp::from_unix_micros(micros), ..record() };
            let bytes = odd.write(&handle(1), &Sealer::none()).unwrap();
            assert!(Record::read(&bytes, &handle(1), &Sealer::none()).unwrap() == odd);
        }
    }

    #[test]
    fn the_first_released_form_is_read_for_ever() {
        let golden = Bytes::from_static(include_bytes!("../testdata/record-v1.txt"));
        assert!(Record::read(&golden, &handle(1), &Sealer::none()).unwrap() == record());
    }
}
