//! Postcard.
use super::Codec;
use crate::{Error, ErrorKind, Result};
use bytes::Bytes;
use serde::{Serialize, de::DeserializeOwned};
/// Postcard.
#[derive(Debug, Clone, Copy, Default)]
pub struct Postcard;
impl Codec for Postcard {
    const NAME: &'static str = "postcard";
    fn encode<T: Serialize + ?Sized>(value: &T) -> Result<Bytes> {
        ::postcard::to_stdvec(value).map(Bytes::from).map_err(|_| Error::invalid_input("no postcard form"))
    }
    fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T> {
        ::postcard::from_bytes(bytes).map_err(|_| Error::new(ErrorKind::Corrupt, "not postcard"))
    }
}
