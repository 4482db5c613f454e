//! Records that only the application can read, by XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha-03).

#[cfg(feature = "aead")]
mod keys;

use bytes::Bytes;
use hallway_core::Result;

#[cfg(feature = "aead")]
pub use self::keys::SealingKeys;
use crate::handle::Handle;
use crate::record::damaged;

/// Seals what is written and opens what is read, if the application has given keys.
#[derive(Debug, Clone, Default)]
pub(crate) struct Sealer {
    #[cfg(feature = "aead")]
    keys: Option<SealingKeys>,
}

impl Sealer {
    #[cfg(test)]
    pub(crate) fn none() -> Self {
        Self::default()
    }

    #[cfg(feature = "aead")]
    pub(crate) fn with(keys: SealingKeys) -> Self {
        Self { keys: Some(keys) }
    }

    /// The name of the key that seals what is written now.
    pub(crate) fn key_id(&self) -> Option<&str> {
        #[cfg(feature = "aead")]
        if let Some(keys) = &self.keys {
            return Some(keys.current_id());
        }
        None
    }

    /// `body`, sealed so that it opens only under this line and this handle.
    pub(crate) fn seal(&self, body: Vec<u8>, line: &[u8], handle: &Handle) -> Result<Vec<u8>> {
        #[cfg(feature = "aead")]
        if let Some(keys) = &self.keys {
            return keys.seal(body, line, handle);
        }
        let _ = (line, handle);
        Ok(body)
    }

    /// The inverse, for a record that names the key `key`.
    pub(crate) fn open(&self, body: Bytes, key: Option<&str>, line: &[u8], handle: &Handle) -> Result<Bytes> {
        #[cfg(feature = "aead")]
        if let Some(keys) = &self.keys {
            return match key {
                Some(key) => keys.open(&body, key, line, handle),
                None if keys.accepts_unsealed() => Ok(body),
                // Whoever can write to the store could otherwise put a record of his own in the place of a sealed one.
                None => Err(damaged()),
            };
        }
        let _ = (line, handle);
        if key.is_some() { Err(damaged()) } else { Ok(body) }
    }
}
