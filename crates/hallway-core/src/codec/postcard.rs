//! Postcard: small and fast, with a published format.

use std::marker::PhantomData;

use bytes::Bytes;
use serde::Serialize;
use serde::de::{DeserializeOwned, DeserializeSeed};

use super::depth::{Guard, Seed, Value};
use super::{Codec, bounds};
use crate::Result;

/// [Postcard](https://postcard.jamesmunns.com): compact bytes that carry no field names, so a changed type needs a
/// changed namespace. Types that must ask the data what it is (`serde_json::Value`, untagged or flattened enums) have
/// no form in it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Postcard;

impl Codec for Postcard {
    const NAME: &'static str = "postcard";

    fn encode<T: Serialize + ?Sized>(value: &T) -> Result<Bytes> {
        Self::encode_with(value, Bytes::copy_from_slice)
    }

    fn encode_with<T: Serialize + ?Sized, R>(value: &T, with: impl FnOnce(&[u8]) -> R) -> Result<R> {
        let guard = Guard::encoding();
        bounds::encode(
            Self::NAME,
            &guard,
            |sink| postcard::to_io(&Value::new(value, &guard, None), sink).map(drop),
            with,
        )
    }

    fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T> {
        let guard = bounds::guard(bytes)?;
        let mut postcard = postcard::Deserializer::from_bytes(bytes);
        let value = Seed::new(PhantomData::<T>, &guard)
            .deserialize(&mut postcard)
            .map_err(|_| bounds::corrupt(Self::NAME, &guard))?;
        match postcard.finalize() {
            Ok([]) => Ok(value),
            _ => Err(bounds::trailing(Self::NAME)),
        }
    }
}
