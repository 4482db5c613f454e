//! The one trait.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::Bytes;

use crate::{
    AuthorityTier, Capabilities, Capability, Counted, Cursor, DeleteIf, Entry, Error, ErrorKind, Key, LocalTier, Page,
    Prefix, Result, SetOptions, SetOutcome, SharedTier, TierName, Timestamp, Ttl, ValueCap, parse_canonical_i64,
};

/// How often the default bodies of `take` and `increment` try again when another writer comes between.
const ATTEMPTS: usize = 128;

/// Keys that the default body of `clear` deletes at a time.
const CLEAR_PAGE: usize = 1_000;

/// A flat map from [`Key`] to bytes in which any entry may expire.
///
/// # Contract
/// Numbered in `docs/contract.md`; every clause has a conformance test of the same name. In short:
/// - A missing or expired key is `Ok(None)`, never an error; a failed backend is an error, never `None`.
/// - Reading returns exactly the bytes that were set. Nothing is readable after its deadline.
/// - `set` replaces value and TTL together; conditions are atomic; one not met is an outcome, not an error.
/// - What the store cannot do is absent from [`capabilities`](Self::capabilities) and answers `Unsupported`.
/// - Every call ends by its deadline: a read is then `Unavailable`, a write `Indeterminate`.
///
/// # Errors
/// By kind: `InvalidInput` and `TooLarge` before anything is sent; `Unavailable`, `Unauthorized`, `Overloaded`,
/// `OutOfMemory` when nothing was done; `Indeterminate` when a write may have been; `Corrupt` when a key of a
/// foreign type stands in the way of a write.
///
/// # Cancel safety
/// Dropping a future is safe. A dropped write has an unknown outcome and no other effect.
///
/// # Cloning
/// Stores are handles, shared as `Arc<dyn KvStore>`; a handle is never a copy of the data.
#[async_trait]
pub trait KvStore: fmt::Debug + Send + Sync + 'static {
    /// What the store can do. Static: never depends on a server.
    fn capabilities(&self) -> Capabilities;

    /// The value and the rest of its life, read atomically.
    async fn get_entry(&self, key: &Key) -> Result<Option<Entry>>;

    /// Writes value and TTL together, under a condition checked atomically.
    async fn set(&self, key: &Key, value: Bytes, opts: SetOptions) -> Result<SetOutcome>;

    /// Deletes under a condition checked atomically; says whether a live entry was deleted.
    async fn delete_if(&self, key: &Key, when: DeleteIf) -> Result<bool>;

    /// Gives a live entry a new TTL, its value untouched; says whether there was one.
    async fn touch(&self, key: &Key, ttl: Ttl) -> Result<bool>;

    /// Up to `limit` live keys below `prefix`. Every key present throughout the scan is returned at least once.
    ///
    /// A page may be shorter than `limit`, even empty, and still have a cursor. `limit` 0 is `InvalidInput`; a
    /// page has at most [`MAX_PAGE`](crate::MAX_PAGE) keys.
    async fn scan(&self, prefix: &Prefix, after: Option<Cursor>, limit: usize) -> Result<Page>;

    /// The clock that decides expiry here. It reaches the backend.
    async fn time(&self) -> Result<Timestamp>;

    /// The same store with another deadline for each call.
    ///
    /// The backend owns the timer, because it alone knows whether bytes have left. A zero duration gives a view
    /// whose calls that would have to wait fail at once.
    fn with_deadline(&self, per_call: Duration) -> Arc<dyn KvStore>;

    /// A hit in this process, without waiting; `None` says nothing about the entry. Never reaches a server.
    fn try_get(&self, key: &Key) -> Option<Bytes> {
        let _ = key;
        None
    }

    /// A view that never answers from a copy, where this store may.
    fn direct(&self) -> Option<Arc<dyn KvStore>> {
        None
    }

    /// One tier alone, where this store is made of tiers and has that one: its keys are the tier's own, without copies and
    /// without the tiers' promises. For data that must live in one place, such as sessions. `None` also from a store that
    /// is not made of tiers.
    fn tier(&self, name: TierName) -> Option<Arc<dyn KvStore>> {
        let _ = name;
        None
    }

    /// This store as a local tier, if it can be one.
    fn as_local(&self) -> Option<&dyn LocalTier> {
        None
    }

    /// This store as a shared tier, if it can be one.
    fn as_shared(&self) -> Option<&dyn SharedTier> {
        None
    }

    /// This store as an authority with an outbox, if it can be one.
    fn as_authority(&self) -> Option<&dyn AuthorityTier> {
        None
    }

    /// What this store counts, for whoever publishes it.
    fn as_counted(&self) -> Option<&dyn Counted> {
        None
    }

    /// The value.
    async fn get(&self, key: &Key) -> Result<Option<Bytes>> {
        Ok(self.get_entry(key).await?.map(|entry| entry.value))
    }

    /// Deletes whatever is there; says whether a live entry was deleted.
    async fn delete(&self, key: &Key) -> Result<bool> {
        self.delete_if(key, DeleteIf::Always).await
    }

    /// Reads and deletes atomically: of any number of concurrent callers one gets the value.
    async fn take(&self, key: &Key) -> Result<Option<Bytes>> {
        for _ in 0..ATTEMPTS {
            let Some(entry) = self.get_entry(key).await? else { return Ok(None) };
            if self.delete_if(key, DeleteIf::Equals(entry.value.clone())).await? {
                return Ok(Some(entry.value));
            }
        }
        Err(contended("take", key))
    }

    /// Adds to a counter stored as canonical decimal text and returns the sum. `ttl` applies on creation only.
    ///
    /// The default body states the rest of the entry's life again on each step, less the time since it was read; so the
    /// deadline may move by the time that one write takes. In the last millisecond before it the counter starts anew.
    async fn increment(&self, key: &Key, by: i64, ttl: Ttl) -> Result<i64> {
        ttl.whole_millis()?;
        for _ in 0..ATTEMPTS {
            let asked = Instant::now();
            let (sum, opts) = match self.get_entry(key).await? {
                None => (by, SetOptions::new(ttl).if_absent()),
                Some(entry) => {
                    let old = parse_canonical_i64(&entry.value)?;
                    // Down to whole milliseconds, because `set` rounds up.
                    let (sum, rest) = match entry.remaining {
                        Ttl::Forever => (old.checked_add(by), Ttl::Forever),
                        Ttl::After(rest) => match rest.saturating_sub(asked.elapsed()).as_millis() {
                            // No TTL is short enough to keep this deadline, and a longer one would keep a busy counter
                            // alive for ever: it counts as expired.
                            0 => (Some(by), ttl),
                            rest => (old.checked_add(by), Ttl::After(Duration::from_millis(rest as u64))),
                        },
                    };
                    (sum.ok_or_else(overflow)?, SetOptions::new(rest).if_equals(entry.value))
                }
            };
            if self.set(key, Bytes::from(sum.to_string()), opts).await?.is_written() {
                return Ok(sum);
            }
        }
        Err(contended("increment", key))
    }

    /// The values in the order of the keys; a key may stand there twice.
    async fn get_many(&self, keys: &[Key]) -> Result<Vec<Option<Bytes>>> {
        let mut values = Vec::with_capacity(keys.len());
        for key in keys {
            values.push(self.get(key).await?);
        }
        Ok(values)
    }

    /// Values with the rest of their lives, in the order of the keys; each pair is read atomically. For whoever copies many
    /// entries elsewhere.
    async fn get_entries(&self, keys: &[Key]) -> Result<Vec<Option<Entry>>> {
        let mut entries = Vec::with_capacity(keys.len());
        for key in keys {
            entries.push(self.get_entry(key).await?);
        }
        Ok(entries)
    }

    /// Writes all items; of two with the same key the last wins. Not atomic as a whole.
    ///
    /// Input is checked before anything is written. After any other error a part may be written: `Indeterminate`
    /// unless certainly nothing was.
    async fn set_many(&self, items: &[(Key, Bytes, Ttl)]) -> Result<()> {
        let forever = self.capabilities().has(Capability::Forever);
        for (_, value, ttl) in items {
            ttl.whole_millis()?;
            ValueCap::HARD.check(value.len())?;
            if ttl.is_forever() && !forever {
                return Err(Error::unsupported("this store has no Ttl::Forever; state a duration"));
            }
        }
        for (done, (key, value, ttl)) in items.iter().enumerate() {
            self.set(key, value.clone(), SetOptions::new(*ttl)).await.map_err(|error| partly(error, done as u64))?;
        }
        Ok(())
    }

    /// Deletes all keys; says how many live entries were deleted. Not atomic as a whole: after an error a part may be
    /// deleted, which is `Indeterminate` unless certainly nothing was.
    async fn delete_many(&self, keys: &[Key]) -> Result<u64> {
        let mut deleted = 0;
        for key in keys {
            deleted += u64::from(self.delete(key).await.map_err(|error| partly(error, deleted))?);
        }
        Ok(deleted)
    }

    /// Deletes every entry below `prefix` and says how many. The root prefix is `InvalidInput`.
    ///
    /// Entries written meanwhile may stay.
    async fn clear(&self, prefix: &Prefix) -> Result<u64> {
        if prefix.is_root() {
            return Err(Error::invalid_input("clear needs a prefix; it never empties a whole store"));
        }
        let mut cleared = 0;
        let mut after = None;
        loop {
            let page = self.scan(prefix, after.clone(), CLEAR_PAGE).await.map_err(|error| partly(error, cleared))?;
            cleared += self.delete_many(&page.keys).await.map_err(|error| partly(error, cleared))?;
            match page.next {
                // A backend whose cursor stands still would otherwise keep us here for ever.
                Some(next) if after.as_ref() != Some(&next) => after = Some(next),
                _ => return Ok(cleared),
            }
        }
    }

    /// Whether the backend answers, connecting if need be.
    async fn ping(&self) -> Result<()> {
        self.time().await.map(drop)
    }
}

/// A failure after a part was done: nobody may read it as "nothing happened".
fn partly(error: Error, done: u64) -> Error {
    if done == 0 { error } else { error.with_kind(ErrorKind::Indeterminate) }
}

fn contended(operation: &'static str, key: &Key) -> Error {
    Error::new(ErrorKind::Conflict, format!("other writers came between {ATTEMPTS} times"))
        .at("store", operation)
        .with_key(key)
}

fn overflow() -> Error {
    Error::invalid_input("the sum does not fit a 64-bit integer; the counter keeps its value")
}
