//! Typed values to bytes and back.

#[cfg(feature = "bincode")]
mod bincode;
#[cfg(any(feature = "json", feature = "postcard", feature = "bincode"))]
mod bounds;
#[cfg(any(feature = "json", feature = "postcard", feature = "bincode"))]
mod depth;
#[cfg(feature = "json")]
mod json;
#[cfg(feature = "postcard")]
mod postcard;

#[cfg(any(feature = "json", feature = "postcard", feature = "bincode"))]
use bytes::Bytes;

#[cfg(feature = "bincode")]
pub use self::bincode::Bincode;
#[cfg(feature = "json")]
pub use self::json::Json;
#[cfg(feature = "postcard")]
pub use self::postcard::Postcard;

/// A way to write typed values as bytes, chosen by type parameter.
///
/// Every codec here refuses, with an error, without large allocations and without quoting the data: more than
/// [`HARD_VALUE_CAP`](crate::HARD_VALUE_CAP) bytes, more than 100 levels of nesting in either direction, lengths that
/// the bytes do not bear out, and bytes left over after the value.
pub trait Codec: Send + Sync + 'static {
    /// The name in headers and messages.
    const NAME: &'static str;

    /// Writes a value.
    ///
    /// # Errors
    /// `InvalidInput` if the value has no form in this codec, `TooLarge` over the cap.
    #[cfg(any(feature = "json", feature = "postcard", feature = "bincode"))]
    fn encode<T: serde::Serialize + ?Sized>(value: &T) -> crate::Result<Bytes>;

    /// Writes a value and hands out what was written, for a caller who copies it to a place of his own.
    ///
    /// ```
    /// # #[cfg(feature = "json")] {
    /// use hallway_core::{Codec, Json};
    ///
    /// assert_eq!(Json::encode_with(&[1, 2, 3], |text| text.len()).unwrap(), "[1,2,3]".len());
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`encode`](Self::encode).
    #[cfg(any(feature = "json", feature = "postcard", feature = "bincode"))]
    fn encode_with<T: serde::Serialize + ?Sized, R>(value: &T, with: impl FnOnce(&[u8]) -> R) -> crate::Result<R> {
        Self::encode(value).map(|encoded| with(&encoded))
    }

    /// Reads a value.
    ///
    /// # Errors
    /// `Corrupt` if the bytes are not exactly one `T`, `TooLarge` over the cap.
    #[cfg(any(feature = "json", feature = "postcard", feature = "bincode"))]
    fn decode<T: serde::de::DeserializeOwned>(bytes: &[u8]) -> crate::Result<T>;
}
