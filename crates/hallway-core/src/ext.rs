//! Conveniences built on the trait alone.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

#[cfg(any(feature = "json", feature = "postcard", feature = "bincode"))]
use crate::Codec;
use crate::{Error, ErrorKind, Key, KvStore, Namespace, PrefixStore, Result, SetOptions, Ttl};

/// How often [`KvStoreExt::update`] tries again before it answers `Conflict`.
const UPDATE_ATTEMPTS: usize = 16;

/// What every store can do on top of [`KvStore`]. Implemented for all of them, `dyn KvStore` included.
#[async_trait]
pub trait KvStoreExt: KvStore {
    /// Writes where no live entry is; says whether it did. Atomic.
    ///
    /// # Errors
    /// As [`KvStore::set`]; `Unsupported` without conditional writes.
    async fn insert_if_absent(&self, key: &Key, value: Bytes, ttl: Ttl) -> Result<bool> {
        Ok(self.set(key, value, SetOptions::new(ttl).if_absent()).await?.is_written())
    }

    /// Writes `new` where the live entry has exactly the bytes `expected`, or where none is for `None`. Atomic.
    ///
    /// # Errors
    /// As [`KvStore::set`]; `Unsupported` without conditional writes.
    async fn compare_and_set(&self, key: &Key, expected: Option<Bytes>, new: Bytes, ttl: Ttl) -> Result<bool> {
        let opts = match expected {
            Some(expected) => SetOptions::new(ttl).if_equals(expected),
            None => SetOptions::new(ttl).if_absent(),
        };
        Ok(self.set(key, new, opts).await?.is_written())
    }

    /// Replaces the value by what `change` makes of it, by compare-and-set, and returns the new value.
    ///
    /// `change` may run several times and must have no other effect. `None` leaves the entry as it is.
    ///
    /// # Errors
    /// `Conflict` when other writers came between 16 times; else as [`KvStore::set`]. An error of `change` ends the
    /// loop and is returned.
    async fn update<F>(&self, key: &Key, ttl: Ttl, mut change: F) -> Result<Option<Bytes>>
    where
        F: FnMut(Option<Bytes>) -> Result<Option<Bytes>> + Send,
    {
        for _ in 0..UPDATE_ATTEMPTS {
            let seen = self.get(key).await?;
            let Some(new) = change(seen.clone())? else { return Ok(seen) };
            if self.compare_and_set(key, seen, new.clone(), ttl).await? {
                return Ok(Some(new));
            }
        }
        Err(Error::new(ErrorKind::Conflict, format!("other writers came between {UPDATE_ATTEMPTS} times"))
            .at("store", "update")
            .with_key(key))
    }

    /// Reads a typed value.
    ///
    /// # Errors
    /// `Corrupt` if the bytes are not a `T` in this codec; else as [`KvStore::get`].
    #[cfg(any(feature = "json", feature = "postcard", feature = "bincode"))]
    async fn get_as<C: Codec, T: serde::de::DeserializeOwned + Send>(&self, key: &Key) -> Result<Option<T>> {
        match self.get(key).await? {
            Some(bytes) => C::decode(&bytes).map(Some).map_err(|error| error.at(C::NAME, "decode").with_key(key)),
            None => Ok(None),
        }
    }

    /// Writes a typed value.
    ///
    /// # Errors
    /// `InvalidInput` if the value cannot be encoded; else as [`KvStore::set`].
    #[cfg(any(feature = "json", feature = "postcard", feature = "bincode"))]
    async fn set_as<C: Codec, T: serde::Serialize + Sync>(
        &self,
        key: &Key,
        value: &T,
        opts: SetOptions,
    ) -> Result<crate::SetOutcome> {
        let bytes = C::encode(value).map_err(|error| error.at(C::NAME, "encode").with_key(key))?;
        self.set(key, bytes, opts).await
    }

    /// The same store with another deadline for each call. An alias of [`KvStore::with_deadline`] that reads well.
    fn with_timeout(&self, per_call: Duration) -> Arc<dyn KvStore> {
        self.with_deadline(per_call)
    }

    /// A view of this store below a namespace.
    fn prefixed(self, namespace: Namespace) -> PrefixStore<Self>
    where
        Self: Sized,
    {
        PrefixStore::new(self, namespace)
    }
}

impl<S: KvStore + ?Sized> KvStoreExt for S {}
