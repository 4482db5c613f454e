//! JSON: readable in the store, tolerant of added fields.

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Codec, depth};
use crate::{Error, ErrorKind, HARD_VALUE_CAP, Result, ValueCap};

/// JSON by `serde_json`.
#[derive(Debug, Clone, Copy, Default)]
pub struct Json;

impl Codec for Json {
    const NAME: &'static str = "json";

    fn encode<T: Serialize + ?Sized>(value: &T) -> Result<Bytes> {
        serde_json::to_vec(value).map(Bytes::from).map_err(|_| Error::invalid_input("the value has no JSON form"))
    }

    fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T> {
        let _ = (HARD_VALUE_CAP, ValueCap::default(), depth::MAX_DEPTH);
        serde_json::from_slice(bytes).map_err(|_| Error::new(ErrorKind::Corrupt, "not the JSON of the type asked for"))
    }
}
