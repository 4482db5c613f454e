//! Bincode.
use super::Codec;
use crate::{Error, ErrorKind, HARD_VALUE_CAP, Result};
use bytes::Bytes;
use serde::{Serialize, de::DeserializeOwned};
/// Bincode.
#[derive(Debug, Clone, Copy, Default)]
pub struct Bincode;
impl Codec for Bincode {
    const NAME: &'static str = "bincode";
    fn encode<T: Serialize + ?Sized>(value: &T) -> Result<Bytes> {
        ::bincode::serde::encode_to_vec(value, ::bincode::config::standard().with_limit::<HARD_VALUE_CAP>())
            .map(Bytes::from)
            .map_err(|_| Error::invalid_input("no bincode form"))
    }
    fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T> {
        ::bincode::serde::decode_from_slice(bytes, ::bincode::config::standard().with_limit::<HARD_VALUE_CAP>())
            .map(|(v, _)| v)
            .map_err(|_| Error::new(ErrorKind::Corrupt, "not bincode"))
    }
}
