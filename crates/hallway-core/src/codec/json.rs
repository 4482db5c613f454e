//! JSON: readable in the store, tolerant of added fields.

use std::marker::PhantomData;

use bytes::Bytes;
use serde::Serialize;
use serde::de::{DeserializeOwned, DeserializeSeed};

use super::depth::{Guard, Seed, Value};
use super::{Codec, bounds};
use crate::Result;

/// JSON by `serde_json`: a person can read it in the store, and fields may be added or removed later.
///
/// Infinite numbers and NaN have no form in JSON and are refused instead of written as `null`.
#[derive(Debug, Clone, Copy, Default)]
pub struct Json;

impl Codec for Json {
    const NAME: &'static str = "json";

    fn encode<T: Serialize + ?Sized>(value: &T) -> Result<Bytes> {
        Self::encode_with(value, Bytes::copy_from_slice)
    }

    fn encode_with<T: Serialize + ?Sized, R>(value: &T, with: impl FnOnce(&[u8]) -> R) -> Result<R> {
        let guard = Guard::encoding_finite();
        let run = |sink: &bounds::Sink| serde_json::to_writer(sink, &Value::new(value, &guard, Some(sink)));
        bounds::encode(Self::NAME, &guard, run, with)
    }

    fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T> {
        let guard = bounds::guard(bytes)?;
        let mut json = serde_json::Deserializer::from_slice(bytes);
        let value = Seed::new(PhantomData::<T>, &guard)
            .deserialize(&mut json)
            .map_err(|_| bounds::corrupt(Self::NAME, &guard))?;
        json.end().map_err(|_| bounds::trailing(Self::NAME))?;
        Ok(value)
    }
}
