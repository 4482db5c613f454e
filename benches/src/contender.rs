//! A store used in one way.

use std::future::Future;

use bytes::Bytes;

/// Whatever went wrong; a measurement with a failure in it is void.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;

/// What a contender answers.
pub type Result<T> = std::result::Result<T, Failure>;

/// A store used in one way. Each task works on a clone of its own, so a connection handle can be part of it.
///
/// Static dispatch: the loop around an in-process hit must not cost more than the hit.
pub trait Contender: Clone + Send + Sync + 'static {
    /// How this contender wants its keys; built before anything is timed.
    type Key: Send + Sync + 'static;
    /// What a read returns.
    type Value: AsRef<[u8]> + Send;

    /// Builds a key.
    ///
    /// # Errors
    /// If the text is no key here.
    fn key(&self, text: &str) -> Result<Self::Key>;

    /// Reads one value.
    fn get(&mut self, key: &Self::Key) -> impl Future<Output = Result<Option<Self::Value>>> + Send;

    /// Writes one value.
    fn set(&mut self, key: &Self::Key, value: &Bytes) -> impl Future<Output = Result<()>> + Send;

    /// Reads many values in the order of the keys.
    fn get_many(&mut self, keys: &[Self::Key]) -> impl Future<Output = Result<Vec<Option<Self::Value>>>> + Send;
}
