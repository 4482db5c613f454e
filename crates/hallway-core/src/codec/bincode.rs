//! Bincode, for those who have data in it.

use std::marker::PhantomData;

use bincode::config::{Config, standard};
use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::depth::{Guard, Seed, Value};
use super::{Codec, bounds};
use crate::{HARD_VALUE_CAP, Result};

/// Bincode 2 in its standard configuration (little endian, variable-length integers), with a limit.
///
/// It is unmaintained upstream since 2.0.1 (RUSTSEC-2025-0141): prefer another codec for new data. Like every format
/// without field names, it needs a new namespace for a changed type.
#[derive(Debug, Clone, Copy, Default)]
pub struct Bincode;

/// bincode counts what it has decoded at full width: an integer of 16 bytes that was written as one counts 16. With 16
/// times the cap everything that fits the cap can be read back. Nothing is allocated by this figure: strings and bytes
/// are borrowed from the input first, and collections reserve by the length of the input.
const LIMIT: usize = 16 * HARD_VALUE_CAP;

fn config() -> impl Config {
    standard().with_limit::<LIMIT>()
}

impl Codec for Bincode {
    const NAME: &'static str = "bincode";

    fn encode<T: Serialize + ?Sized>(value: &T) -> Result<Bytes> {
        Self::encode_with(value, Bytes::copy_from_slice)
    }

    fn encode_with<T: Serialize + ?Sized, R>(value: &T, with: impl FnOnce(&[u8]) -> R) -> Result<R> {
        let guard = Guard::encoding();
        let run = |mut sink: &bounds::Sink| {
            bincode::serde::encode_into_std_write(Value::new(value, &guard, None), &mut sink, config()).map(drop)
        };
        bounds::encode(Self::NAME, &guard, run, with)
    }

    fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T> {
        let guard = bounds::guard(bytes)?;
        let seed = Seed::new(PhantomData::<T>, &guard);
        match bincode::serde::seed_decode_from_slice(seed, bytes, config()) {
            Ok((value, read)) if read == bytes.len() => Ok(value),
            Ok(_) => Err(bounds::trailing(Self::NAME)),
            Err(_) => Err(bounds::corrupt(Self::NAME, &guard)),
        }
    }
}
