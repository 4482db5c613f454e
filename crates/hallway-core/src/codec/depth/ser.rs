//! A serializer that counts.

use std::fmt::Display;

use serde::ser::{
    Error, Serialize, SerializeMap, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
    SerializeTupleStruct, SerializeTupleVariant, Serializer,
};

use super::super::bounds::Sink;
use super::{Guard, Level, NOT_FINITE, TOO_DEEP};

/// From here on a string is looked through before it is handed to JSON.
const LONG: usize = 32;

/// Whether JSON writes this string as it is: no control characters, quotes or backslashes.
fn is_plain(text: &str) -> bool {
    // A block at a time and without leaving it, so that many bytes are looked at in one step.
    let block =
        |bytes: &[u8]| bytes.iter().fold(true, |plain, byte| plain & (*byte >= 0x20) & !matches!(byte, b'"' | b'\\'));
    text.as_bytes().chunks(64).all(block)
}

/// A value that serializes through the counting serializer.
pub(in crate::codec) struct Value<'g, 'v, T: ?Sized> {
    value: &'v T,
    run: Run<'g>,
    level: Level,
}

impl<'g, 'v, T: ?Sized> Value<'g, 'v, T> {
    /// `json` is where the format writes, if it writes JSON without spaces.
    pub(in crate::codec) fn new(value: &'v T, guard: &'g Guard, json: Option<&'g Sink>) -> Self {
        Self { value, run: Run { guard, json }, level: Level::TOP }
    }
}

/// What the whole value has in common.
#[derive(Clone, Copy)]
struct Run<'g> {
    guard: &'g Guard,
    /// Where JSON is written.
    json: Option<&'g Sink>,
}

impl<T: Serialize + ?Sized> Serialize for Value<'_, '_, T> {
    fn serialize<S: Serializer>(&self, inner: S) -> Result<S::Ok, S::Error> {
        self.value.serialize(Counting { inner, run: self.run, level: self.level })
    }
}

/// Wraps a serializer, or one of its compound states, so that all nesting is seen.
struct Counting<'g, S> {
    inner: S,
    run: Run<'g>,
    level: Level,
}

impl<'g, S> Counting<'g, S> {
    fn value<'v, T: ?Sized>(&self, value: &'v T) -> Value<'g, 'v, T> {
        Value { value, run: self.run, level: self.level }
    }

    fn container<E: Error>(&self) -> Result<Level, E> {
        self.level.container().ok_or_else(|| self.run.guard.refuse(TOO_DEEP, E::custom))
    }

    /// Reading a variant with fields back meets two levels, the enum and its fields, so writing it counts two: what can be
    /// written can be read.
    fn variant<E: Error>(&self) -> Result<Level, E> {
        self.container().and_then(|level| level.container().ok_or_else(|| self.run.guard.refuse(TOO_DEEP, E::custom)))
    }

    fn transparent<E: Error>(&self) -> Result<Level, E> {
        self.level.transparent().ok_or_else(|| self.run.guard.refuse(TOO_DEEP, E::custom))
    }

    fn finite<E: Error>(&self, is_finite: bool) -> Result<(), E> {
        if self.run.guard.finite_only && !is_finite {
            return Err(self.run.guard.refuse(NOT_FINITE, E::custom));
        }
        Ok(())
    }
}

macro_rules! forward {
    ($($method:ident($($argument:ident: $kind:ty),*);)+) => {$(
        fn $method(self, $($argument: $kind),*) -> Result<S::Ok, S::Error> {
            self.inner.$method($($argument),*)
        }
    )+};
}

macro_rules! open {
    ($($method:ident($($argument:ident: $kind:ty),*) -> $compound:ident by $levels:ident;)+) => {$(
        fn $method(self, $($argument: $kind),*) -> Result<Self::$compound, S::Error> {
            let level = self.$levels()?;
            Ok(Counting { inner: self.inner.$method($($argument),*)?, run: self.run, level })
        }
    )+};
}

impl<'g, S: Serializer> Serializer for Counting<'g, S> {
    type Ok = S::Ok;
    type Error = S::Error;
    type SerializeSeq = Counting<'g, S::SerializeSeq>;
    type SerializeTuple = Counting<'g, S::SerializeTuple>;
    type SerializeTupleStruct = Counting<'g, S::SerializeTupleStruct>;
    type SerializeTupleVariant = Counting<'g, S::SerializeTupleVariant>;
    type SerializeMap = Counting<'g, S::SerializeMap>;
    type SerializeStruct = Counting<'g, S::SerializeStruct>;
    type SerializeStructVariant = Counting<'g, S::SerializeStructVariant>;

    forward! {
        serialize_bool(value: bool);
        serialize_i8(value: i8);
        serialize_i16(value: i16);
        serialize_i32(value: i32);
        serialize_i64(value: i64);
        serialize_i128(value: i128);
        serialize_u8(value: u8);
        serialize_u16(value: u16);
        serialize_u32(value: u32);
        serialize_u64(value: u64);
        serialize_u128(value: u128);
        serialize_char(value: char);
        serialize_bytes(value: &[u8]);
        serialize_none();
        serialize_unit();
        serialize_unit_struct(name: &'static str);
    }

    open! {
        serialize_seq(len: Option<usize>) -> SerializeSeq by container;
        serialize_tuple(len: usize) -> SerializeTuple by container;
        serialize_tuple_struct(name: &'static str, len: usize) -> SerializeTupleStruct by container;
        serialize_tuple_variant(name: &'static str, index: u32, variant: &'static str, len: usize) -> SerializeTupleVariant by variant;
        serialize_map(len: Option<usize>) -> SerializeMap by container;
        serialize_struct(name: &'static str, len: usize) -> SerializeStruct by container;
        serialize_struct_variant(name: &'static str, index: u32, variant: &'static str, len: usize) -> SerializeStructVariant by variant;
    }

    fn serialize_str(self, value: &str) -> Result<S::Ok, S::Error> {
        match self.run.json {
            // `serde_json` looks at each byte by itself, which takes longer than all the rest. Text that needs no escapes goes
            // between the quotes of an empty string; or in their stead, where text stands for a number or is JSON already.
            Some(sink) if value.len() >= LONG && is_plain(value) => {
                let start = sink.len();
                let written = self.inner.serialize_str("")?;
                sink.write_between(start, value.as_bytes()).map_err(S::Error::custom)?;
                Ok(written)
            }
            _ => self.inner.serialize_str(value),
        }
    }

    fn serialize_f32(self, value: f32) -> Result<S::Ok, S::Error> {
        self.finite(value.is_finite())?;
        self.inner.serialize_f32(value)
    }

    fn serialize_f64(self, value: f64) -> Result<S::Ok, S::Error> {
        self.finite(value.is_finite())?;
        self.inner.serialize_f64(value)
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<S::Ok, S::Error> {
        let level = self.transparent()?;
        self.inner.serialize_some(&Value { value, run: self.run, level })
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, name: &'static str, value: &T) -> Result<S::Ok, S::Error> {
        let level = self.transparent()?;
        self.inner.serialize_newtype_struct(name, &Value { value, run: self.run, level })
    }

    fn serialize_unit_variant(self, name: &'static str, index: u32, variant: &'static str) -> Result<S::Ok, S::Error> {
        self.container()?;
        self.inner.serialize_unit_variant(name, index, variant)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<S::Ok, S::Error> {
        let level = self.container()?;
        self.inner.serialize_newtype_variant(name, index, variant, &Value { value, run: self.run, level })
    }

    fn collect_str<T: Display + ?Sized>(self, value: &T) -> Result<S::Ok, S::Error> {
        self.inner.collect_str(value)
    }

    fn is_human_readable(&self) -> bool {
        self.inner.is_human_readable()
    }
}

macro_rules! elements {
    ($($compound:ident::$method:ident;)+) => {$(
        impl<C: $compound> $compound for Counting<'_, C> {
            type Ok = C::Ok;
            type Error = C::Error;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), C::Error> {
                let value = self.value(value);
                self.inner.$method(&value)
            }

            fn end(self) -> Result<C::Ok, C::Error> {
                self.inner.end()
            }
        }
    )+};
}

elements! {
    SerializeSeq::serialize_element;
    SerializeTuple::serialize_element;
    SerializeTupleStruct::serialize_field;
    SerializeTupleVariant::serialize_field;
}

macro_rules! fields {
    ($($compound:ident),+) => {$(
        impl<C: $compound> $compound for Counting<'_, C> {
            type Ok = C::Ok;
            type Error = C::Error;

            fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<(), C::Error> {
                let value = self.value(value);
                self.inner.serialize_field(name, &value)
            }

            fn skip_field(&mut self, name: &'static str) -> Result<(), C::Error> {
                self.inner.skip_field(name)
            }

            fn end(self) -> Result<C::Ok, C::Error> {
                self.inner.end()
            }
        }
    )+};
}

fields!(SerializeStruct, SerializeStructVariant);

impl<C: SerializeMap> SerializeMap for Counting<'_, C> {
    type Ok = C::Ok;
    type Error = C::Error;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), C::Error> {
        let key = self.value(key);
        self.inner.serialize_key(&key)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), C::Error> {
        let value = self.value(value);
        self.inner.serialize_value(&value)
    }

    fn end(self) -> Result<C::Ok, C::Error> {
        self.inner.end()
    }
}
