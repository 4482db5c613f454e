//! The keys that seal and open.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{KeyInit, XChaCha20Poly1305, XNonce};
use hallway_core::{Error, ErrorKind, Result};

use crate::handle::Handle;
use crate::random::Random;
use crate::record::damaged;

const NONCE: usize = 24;

/// The longest name of a key.
const MAX_ID: usize = 32;

/// Keys of 256 bits with names: one seals what is written, it and the older ones open what is read.
///
/// To change keys, give the new one with the one before as [older](Self::with_older), and take the old one out when the
/// absolute timeout has passed. A record whose key is not among them is no session. The names are readable in the store.
///
/// ```
/// use hallway_session::SealingKeys;
///
/// # let (fresh, previous) = ([1; 32], [2; 32]);
/// let keys = SealingKeys::new("2026-11", fresh)?.with_older("2026-05", previous)?;
/// assert!(!format!("{keys:?}").contains('['));
/// # Ok::<(), hallway_core::Error>(())
/// ```
#[derive(Clone)]
pub struct SealingKeys {
    // The first one seals.
    keys: Arc<Vec<(String, XChaCha20Poly1305)>>,
    random: Random,
    accepts_unsealed: bool,
}

impl SealingKeys {
    /// The key that seals.
    ///
    /// # Errors
    /// `InvalidConfig` unless the name has 1 to 32 of the characters `a-z`, `A-Z`, `0-9`, `-`, `_`, `.`.
    pub fn new(id: &str, key: [u8; 32]) -> Result<Self> {
        let keys = Arc::new(vec![(checked(id)?, XChaCha20Poly1305::new(&key.into()))]);
        Ok(Self { keys, random: Random::default(), accepts_unsealed: false })
    }

    /// A key that opens what was sealed by it.
    ///
    /// # Errors
    /// As for [`new`](Self::new), and for a name that is given already.
    pub fn with_older(mut self, id: &str, key: [u8; 32]) -> Result<Self> {
        if self.keys.iter().any(|(known, _)| known == id) {
            return Err(Error::invalid_config("two sealing keys have the same name"));
        }
        Arc::make_mut(&mut self.keys).push((checked(id)?, XChaCha20Poly1305::new(&key.into())));
        Ok(self)
    }

    /// Takes records that are not sealed as well: for the time after sealing is switched on, until the absolute timeout has
    /// passed. As long as it is on, whoever can write to the store can make records up. Default: off.
    #[must_use]
    pub fn accept_unsealed(mut self) -> Self {
        self.accepts_unsealed = true;
        self
    }

    pub(super) fn accepts_unsealed(&self) -> bool {
        self.accepts_unsealed
    }

    pub(super) fn current_id(&self) -> &str {
        &self.keys[0].0
    }

    pub(super) fn seal(&self, body: Vec<u8>, line: &[u8], handle: &Handle) -> Result<Vec<u8>> {
        // 192 random bits: no two records share them in practice, which this cipher needs.
        let mut nonce = [0; NONCE];
        self.random.fill(&mut nonce)?;
        let aad = bound_to(line, handle);
        let sealed = self.keys[0]
            .1
            .encrypt(&XNonce::from(nonce), Payload { msg: &body, aad: &aad })
            .map_err(|_| Error::new(ErrorKind::TooLarge, "a session of this size cannot be sealed"))?;
        Ok([&nonce[..], &sealed].concat())
    }

    pub(super) fn open(&self, body: &Bytes, id: &str, line: &[u8], handle: &Handle) -> Result<Bytes> {
        let (_, key) = self.keys.iter().find(|(known, _)| known == id).ok_or_else(damaged)?;
        let (nonce, sealed) = body.split_first_chunk::<NONCE>().ok_or_else(damaged)?;
        let aad = bound_to(line, handle);
        let opened = key.decrypt(&XNonce::from(*nonce), Payload { msg: sealed, aad: &aad }).map_err(|_| damaged())?;
        Ok(opened.into())
    }
}

/// The handle hashes namespace and id; the line says format, codec, key and timeouts.
fn bound_to(line: &[u8], handle: &Handle) -> Vec<u8> {
    [handle.bytes(), line].concat()
}

fn checked(id: &str) -> Result<String> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    if id.is_empty() || id.len() > MAX_ID || !id.bytes().all(plain) {
        return Err(Error::invalid_config(
            "the name of a sealing key has 1 to 32 characters of a-z, A-Z, 0-9, `-`, `_` and `.`",
        ));
    }
    Ok(id.to_owned())
}

/// Shows names only.
impl fmt::Debug for SealingKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.keys.iter().map(|(id, _)| id.as_str()).collect();
        write!(f, "SealingKeys({}", names.join(", "))?;
        f.write_str(if self.accepts_unsealed { "; unsealed too)" } else { ")" })
    }
}
