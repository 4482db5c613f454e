//! The secret that a visitor holds.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hallway_core::{Error, Result};
use subtle::ConstantTimeEq;

use crate::random::Random;

/// Bytes of an id.
const BYTES: usize = 32;

/// Characters of an id as text.
pub(crate) const TEXT: usize = 43;

/// 256 bits from the random source of the operating system: whoever knows them is the visitor.
///
/// It is shown to nobody but the visitor. Stores hold a hash of it, `Debug` shows nothing, and there is no `Display`:
/// [`reveal`](Self::reveal) is for the cookie alone. Comparing takes the same time whatever differs.
///
/// ```
/// use hallway_session::SessionId;
///
/// let id = SessionId::generate()?;
/// assert_eq!(SessionId::parse(&id.reveal())?, id);
/// assert_eq!(format!("{id:?}"), "SessionId(..)");
/// assert!(SessionId::parse("whatever a visitor makes up").is_err());
/// # Ok::<(), hallway_core::Error>(())
/// ```
#[derive(Clone)]
pub struct SessionId([u8; BYTES]);

impl SessionId {
    /// A new one.
    ///
    /// # Errors
    /// `Unavailable` if the operating system has no random bytes to give. There is no second-best source.
    pub fn generate() -> Result<Self> {
        Self::from_random(&Random::default())
    }

    pub(crate) fn from_random(random: &Random) -> Result<Self> {
        let mut bytes = [0; BYTES];
        random.fill(&mut bytes)?;
        Ok(Self(bytes))
    }

    /// Reads what a visitor sent: exactly 43 characters of base64url without padding, and of those only the one way to write
    /// the bytes. What is read is not thereby a session: only a record in the store makes it one.
    ///
    /// # Errors
    /// `InvalidInput` for anything else. The text is not quoted.
    pub fn parse(text: &str) -> Result<Self> {
        let mut bytes = [0; BYTES];
        if text.len() == TEXT && URL_SAFE_NO_PAD.decode_slice(text, &mut bytes) == Ok(BYTES) {
            return Ok(Self(bytes));
        }
        Err(Error::invalid_input("no session id: it has 43 characters of base64url").at("sessions", "parse"))
    }

    /// The text that goes into the cookie, and nowhere else.
    #[must_use]
    pub fn reveal(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl PartialEq for SessionId {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for SessionId {}

impl fmt::Debug for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionId(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_one_form_of_an_id_is_read() {
        let id = SessionId([0xff; BYTES]);
        let text = id.reveal();
        assert_eq!(text.len(), TEXT);
        assert_eq!(SessionId::parse(&text).unwrap(), id);
        // The last character carries two bits that are no part of the id.
        let other_end = format!("{}{}", &text[..TEXT - 1], '_');
        assert_ne!(other_end, text);
        for wrong in [
            "",
            "admin",
            other_end.as_str(),
            &format!("{text}="),
            &format!(" {text}"),
            &format!("{text}A"),
            &text[1..],
            &text.replace('_', "/"),
            &"\u{e9}".repeat(22)[..TEXT - 1],
            &"\0".repeat(TEXT),
        ] {
            let error = SessionId::parse(wrong).unwrap_err();
            assert_eq!(error.kind(), hallway_core::ErrorKind::InvalidInput);
            assert!(wrong.is_empty() || !error.to_string().contains(wrong));
        }
    }

    #[test]
    fn without_random_bytes_there_is_no_id() {
        let broken = Random::from_fn(|_| Err(Error::new(hallway_core::ErrorKind::Unavailable, "no entropy")));
        assert_eq!(SessionId::from_random(&broken).unwrap_err().kind(), hallway_core::ErrorKind::Unavailable);
    }
}

#[cfg(test)]
mod sample;
