//! What a session is called where its id must not be seen.

use std::fmt;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hallway_core::{Error, Key, Namespace, Result};
use sha2::{Digest, Sha256};

use crate::id::SessionId;

/// What the hash is about, so that the same bytes hashed for another purpose, or in another namespace, are another hash.
const OF_SESSION: &[u8] = b"hallway session 1";
const OF_SUBJECT: &[u8] = b"hallway session subject 1";
#[cfg(any(feature = "tower-sessions", feature = "tower-sessions-014"))]
const OF_TOWER: &[u8] = b"hallway tower session 1";

/// The hash of a session's id: what the store calls the session. It cannot be turned back, so it may be shown to the user,
/// such as in the form that ends one of his sessions.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Handle([u8; 32]);

impl Handle {
    /// SHA-256 of purpose, namespace and id, each part after its length.
    pub(crate) fn of(namespace: &Namespace, id: &SessionId) -> Self {
        Self(hash(OF_SESSION, namespace, id.bytes()))
    }

    /// The same for an id of tower-sessions.
    #[cfg(any(feature = "tower-sessions", feature = "tower-sessions-014"))]
    pub(crate) fn of_tower(namespace: &Namespace, id: &[u8; 16]) -> Self {
        Self(hash(OF_TOWER, namespace, id))
    }

    /// Reads what [`text`](Self::text) wrote.
    ///
    /// # Errors
    /// `InvalidInput` for anything else.
    pub fn parse(text: &str) -> Result<Self> {
        let mut bytes = [0; 32];
        match URL_SAFE_NO_PAD.decode_slice(text, &mut bytes) {
            Ok(32) => Ok(Self(bytes)),
            _ => Err(Error::invalid_input("no handle of a session: it has 43 characters of base64url")),
        }
    }

    /// 43 characters that are safe in a URL and in a form.
    #[must_use]
    pub fn text(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Handle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // A tag to tell two of them apart.
        write!(f, "Handle({:02x}{:02x}..)", self.0[0], self.0[1])
    }
}

/// Where the records of one set of sessions lie.
#[derive(Debug, Clone)]
pub(crate) struct Places {
    namespace: Namespace,
    subjects: Namespace,
}

impl Places {
    pub(crate) fn new(namespace: &str) -> Result<Self> {
        let namespace = Namespace::new(namespace)?;
        let subjects = Namespace::new("subject")?.within(&namespace)?;
        // 43 characters must fit behind the longer of the two.
        subjects.key(&"x".repeat(crate::id::TEXT))?;
        Ok(Self { namespace, subjects })
    }

    pub(crate) fn namespace(&self) -> &Namespace {
        &self.namespace
    }

    pub(crate) fn handle(&self, id: &SessionId) -> Handle {
        Handle::of(&self.namespace, id)
    }

    pub(crate) fn record(&self, handle: &Handle) -> Result<Key> {
        self.namespace.key(&handle.text())
    }

    /// The key of the list of a subject's sessions. Hashed, so that a subject may be anything of any length.
    pub(crate) fn index(&self, subject: &str) -> Result<Key> {
        self.subjects.key(&URL_SAFE_NO_PAD.encode(hash(OF_SUBJECT, &self.namespace, subject.as_bytes())))
    }
}

fn hash(purpose: &[u8], namespace: &Namespace, what: &[u8]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in [purpose, namespace.as_str().as_bytes(), what] {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_id_is_another_session_in_another_namespace() {
        let id = SessionId::generate().unwrap();
        let one = Places::new("session").unwrap();
        let two = Places::new("admin").unwrap();
        assert_ne!(one.handle(&id), two.handle(&id));
        assert_eq!(one.handle(&id), one.handle(&id.clone()));
    }

    #[test]
    fn a_subject_and_an_id_of_the_same_bytes_have_nothing_in_common() {
        let id = SessionId::generate().unwrap();
        let places = Places::new("session").unwrap();
        let subject = hash(OF_SUBJECT, &places.namespace, id.bytes());
        assert_ne!(places.handle(&id).bytes(), subject);
    }

    #[test]
    fn parts_cannot_be_moved_from_one_to_the_next() {
        let a = Namespace::new("a").unwrap();
        let ab = Namespace::new("ab").unwrap();
        assert_ne!(hash(OF_SESSION, &a, b"bc"), hash(OF_SESSION, &ab, b"c"));
    }

    #[test]
    fn a_namespace_without_room_for_a_handle_is_refused_at_once() {
        assert!(Places::new(&"n".repeat(500)).is_err());
        assert!(Places::new("").is_err());
    }
}
