//! `Cache`: values from the application's own loader, kept in the tiers.

mod batch;
mod builder;
mod core;
mod fill;
mod flight;
mod front;
mod loader;
mod many;
mod odds;
mod options;
mod outcome;
mod read;
mod stats;
mod tags;
mod throttle;
mod write;

use std::error::Error as StdError;
use std::fmt;
use std::future::Future;
use std::sync::Arc;

use hallway_core::{Key, Namespace, Result};

pub use self::builder::CacheBuilder;
use self::core::{Answer, Core};
pub(crate) use self::front::Fronts;
use self::front::Quick;
pub use self::outcome::{IntoLoad, Load, Loaded, NotWritten, ServedBy};
pub use self::stats::CacheStats;
#[cfg(feature = "metrics")]
use crate::observe::Label;
use crate::{Bound, TieredStore};

/// Values of one type behind a loader: a database query, a call to another service, anything slow.
///
/// A read is answered by this process, else by the shared tier, else by the loader, which runs once however many ask: in
/// this process by a load in a task of its own that all callers wait for, among processes by a lease in the shared tier.
/// The loader is the authority: nothing is ever written to the consistent tier.
///
/// # Errors
/// Of reads: the loader's own error, as the source of an `Unavailable` unless it is a hallway [`Error`](hallway_core::Error)
/// already, the same for all who waited; `Unavailable` for a loader that panicked or did not end by the hard timeout;
/// `Overloaded` when too many loads go on; `InvalidInput` for an id that is no key. A shared tier that fails, and a value
/// that could not be kept, never fail a read, unless the cache was told to [`fail_fast`](CacheBuilder::fail_fast).
///
/// # Cancel safety
/// Dropping a future never stops a load or a write that has begun.
///
/// # Consistency
/// A value is at least as new as every write through the cache, and every invalidation, that was acknowledged the
/// [`bound`](Self::bound) before the read began; a caller finds what he has himself written or invalidated. What changes
/// behind the cache's back it learns at the end of the TTL.
///
/// # Cloning
/// A clone is another handle to the same cache. Two caches of one namespace share its copies, but not their loads.
///
/// # Examples
/// ```
/// # use std::sync::Arc;
/// # use std::time::Duration;
/// # use serde::{Deserialize, Serialize};
/// # #[derive(Debug, Serialize, Deserialize)]
/// # struct Profile { name: String }
/// # #[derive(Clone)]
/// # struct Db;
/// # impl Db {
/// #     async fn profile(&self, id: u64) -> Result<Profile, std::io::Error> {
/// #         Ok(Profile { name: format!("Ada {id}") })
/// #     }
/// #     async fn rename(&self, _id: u64, _name: String) -> Result<(), std::io::Error> { Ok(()) }
/// # }
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let db = Db;
/// use hallway_moka::MokaStore;
/// use hallway_tiered::{Cache, TieredStore};
///
/// let tiers = TieredStore::builder().local(MokaStore::builder().build()?).build()?;
/// let profiles: Cache<Profile> = tiers.cache("user:profile").ttl(Duration::from_secs(600)).build()?;
///
/// let loader = db.clone();
/// let ada: Arc<Profile> = profiles.get_or_load("42", move || async move { loader.profile(42).await }).await?;
/// let again = profiles.get("42").await?.expect("it has just been loaded");
/// assert!(Arc::ptr_eq(&ada, &again), "a hit shares the value, and decodes nothing");
///
/// profiles.write("42", move || async move { db.rename(42, "Grace".into()).await }).await?;
/// assert!(profiles.get("42").await?.is_none());
/// # Ok(())
/// # }
/// ```
pub struct Cache<V> {
    core: Arc<Core<V>>,
}

impl<V> Clone for Cache<V> {
    fn clone(&self) -> Self {
        Self { core: Arc::clone(&self.core) }
    }
}

impl<V> fmt::Debug for Cache<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.core.fmt(f)
    }
}

impl TieredStore {
    /// Settings of a cache whose keys lie in this namespace.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # fn main() -> hallway_core::Result<()> {
    /// use hallway_moka::MokaStore;
    /// use hallway_tiered::{Cache, TieredStore};
    ///
    /// let tiers = TieredStore::builder().local(MokaStore::builder().build()?).build()?;
    /// let names: Cache<String> = tiers.cache("user:name").ttl(Duration::from_secs(60)).build()?;
    /// # let _ = names;
    /// # Ok(())
    /// # }
    /// ```
    pub fn cache(&self, namespace: &str) -> CacheBuilder {
        CacheBuilder::new(Arc::clone(self.engine()), namespace, self.floor())
    }
}

impl<V: Send + Sync + 'static> Cache<V> {
    fn from_core(core: Arc<Core<V>>) -> Self {
        Self { core }
    }

    /// The value, if a copy of it is at hand; nothing is loaded, and no load in progress is waited for.
    ///
    /// `None` also for what is known not to exist; [`lookup`](Self::lookup) tells the two apart.
    ///
    /// # Errors
    /// That of the shared tier if it had to be asked and gave no answer; `InvalidInput` for an id that is no key.
    pub async fn get(&self, id: &str) -> Result<Option<Arc<V>>> {
        let near = match self.core.fast(id, |copy, _| copy.value.clone()) {
            Quick::Hit(value) => return Ok(value),
            Quick::Closer => true,
            Quick::Nothing => false,
        };
        Ok(self.core.look(id, near, false).await?.and_then(|answer| answer.value))
    }

    /// The value, if a copy in this process may answer at once: no waiting, no decoding, and for a copy read often no
    /// allocation and no lock that anybody waits for. `None` says nothing; [`get`](Self::get) knows more.
    ///
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use hallway_moka::MokaStore;
    /// # use hallway_tiered::{Cache, TieredStore};
    /// # let tiers = TieredStore::builder().local(MokaStore::builder().build()?).build()?;
    /// let names: Cache<String> = tiers.cache("name").build()?;
    /// assert!(names.try_get("1").is_none());
    /// names.get_or_load("1", || async { Ok::<_, std::io::Error>("Ada".to_owned()) }).await?;
    /// assert_eq!(names.try_get("1").as_deref().map(String::as_str), Some("Ada"));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn try_get(&self, id: &str) -> Option<Arc<V>> {
        match self.core.fast(id, |copy, _| copy.value.clone()) {
            Quick::Hit(value) => value,
            Quick::Closer | Quick::Nothing => None,
        }
    }

    /// As [`get`](Self::get), with where the copy was found and how old it is. A copy whose value is `None` says that the
    /// loader found nothing.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    pub async fn lookup(&self, id: &str) -> Result<Option<Loaded<Option<Arc<V>>>>> {
        let answer = self.core.look(id, true, true).await?;
        Ok(answer.map(|answer| self.loaded(&answer, answer.value.clone())))
    }

    /// The value, loaded if no copy of it may answer.
    ///
    /// The loader returns `V`, `Option<V>` or a [`Load<V>`]; the answer is an `Arc<V>` or an `Option<Arc<V>>` accordingly.
    /// What `Option` and `Load` say not to exist is remembered for the not-found TTL.
    ///
    /// The answer is there as soon as the loader has it. Its copy for other processes is written after that, unless the cache
    /// was told to [`wait_for_fills`](CacheBuilder::wait_for_fills).
    ///
    /// # Errors
    /// As told at [`Cache`].
    ///
    /// # Cancel safety
    /// Dropping the future leaves the load running for other waiters and for the next reader.
    ///
    /// # Examples
    /// ```
    /// # use std::time::Duration;
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use hallway_moka::MokaStore;
    /// # use hallway_tiered::TieredStore;
    /// # let tiers = TieredStore::builder().local(MokaStore::builder().build()?).build()?;
    /// use std::io;
    /// use hallway_tiered::{Cache, Load};
    ///
    /// let names: Cache<String> = tiers.cache("name").build()?;
    /// let name = names.get_or_load("1", || async { Ok::<_, io::Error>("Ada".to_owned()) }).await?;
    /// assert_eq!(*name, "Ada");
    ///
    /// let nobody = names.get_or_load("2", || async { Ok::<_, io::Error>(None) }).await?;
    /// assert!(nobody.is_none());
    ///
    /// let short = || async { Ok::<_, io::Error>(Load::store("Eve".to_owned()).with_ttl(Duration::from_secs(5))) };
    /// assert_eq!(names.get_or_load("3", short).await?.as_deref().map(String::as_str), Some("Eve"));
    /// # Ok(())
    /// # }
    /// ```
    pub async fn get_or_load<L, E, F, Fut>(&self, id: &str, loader: F) -> Result<L::Answer>
    where
        L: IntoLoad<V>,
        E: Into<Box<dyn StdError + Send + Sync>>,
        F: FnOnce() -> Fut + Send + 'static,
        Fut: Future<Output = Result<L, E>> + Send + 'static,
    {
        let near = match self.core.fast(id, |copy, _| copy.value.clone()) {
            Quick::Hit(value) => match L::answer(value) {
                Some(answer) => return Ok(answer),
                None => true,
            },
            Quick::Closer => true,
            Quick::Nothing => false,
        };
        let answer = self.core.fetch(id, loader::boxed(loader), L::TAKES_NOTHING, near, false).await?;
        L::answer(answer.value).ok_or_else(|| self.core.lost())
    }

    /// As [`get_or_load`](Self::get_or_load), with who answered, how old the value is, and whether it is stale.
    ///
    /// # Errors
    /// As told at [`Cache`].
    pub async fn load<L, E, F, Fut>(&self, id: &str, loader: F) -> Result<Loaded<L::Answer>>
    where
        L: IntoLoad<V>,
        E: Into<Box<dyn StdError + Send + Sync>>,
        F: FnOnce() -> Fut + Send + 'static,
        Fut: Future<Output = Result<L, E>> + Send + 'static,
    {
        if let Quick::Hit(answer) = self.core.fast(id, |copy, now| Answer::of(copy, ServedBy::Local, now))
            && let Some(value) = L::answer(answer.value.clone())
        {
            return Ok(self.loaded(&answer, value));
        }
        let answer = self.core.fetch(id, loader::boxed(loader), L::TAKES_NOTHING, true, true).await?;
        let value = L::answer(answer.value.clone()).ok_or_else(|| self.core.lost())?;
        Ok(self.loaded(&answer, value))
    }

    /// The values of these ids in their order, with one call of the loader for all that are missing.
    ///
    /// The loader gets the missing ids and returns pairs of id and value, such as a `HashMap`; an id that it leaves out does
    /// not exist, which is remembered. What another caller is loading already is waited for and not asked for again. What
    /// is past its TTL counts as missing.
    ///
    /// # Errors
    /// As told at [`Cache`]: an error of the loader is that of the whole call, unless stale values may answer.
    ///
    /// # Cancel safety
    /// Dropping the future leaves the load running.
    ///
    /// # Examples
    /// ```
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # use hallway_moka::MokaStore;
    /// # use hallway_tiered::TieredStore;
    /// # let tiers = TieredStore::builder().local(MokaStore::builder().build()?).build()?;
    /// use std::collections::HashMap;
    /// use hallway_tiered::Cache;
    ///
    /// async fn lengths(words: Vec<String>) -> Result<HashMap<String, usize>, std::io::Error> {
    ///     Ok(words.into_iter().filter(|word| word != "nobody").map(|word| (word.clone(), word.len())).collect())
    /// }
    ///
    /// let cache: Cache<usize> = tiers.cache("length").build()?;
    /// let found = cache.get_or_load_many(["ada", "nobody", "grace"], lengths).await?;
    /// assert_eq!(found.iter().map(|length| length.as_deref().copied()).collect::<Vec<_>>(), [Some(3), None, Some(5)]);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn get_or_load_many<I, L, M, E, F, Fut>(
        &self,
        ids: impl IntoIterator<Item = I>,
        loader: F,
    ) -> Result<Vec<Option<Arc<V>>>>
    where
        I: Into<String>,
        L: IntoLoad<V>,
        M: IntoIterator<Item = (String, L)>,
        E: Into<Box<dyn StdError + Send + Sync>>,
        F: FnOnce(Vec<String>) -> Fut + Send + 'static,
        Fut: Future<Output = Result<M, E>> + Send + 'static,
    {
        self.core.fetch_many(ids.into_iter().map(Into::into).collect(), many::boxed(loader)).await
    }

    /// Runs your write of a value while nobody can read or keep a copy of what it replaces; afterwards the next read loads
    /// what was written.
    ///
    /// A marker stands in the shared tier while the write runs, is renewed for as long as that takes, and outlives this
    /// process by 10 s at most. Everybody's reads go to their loaders meanwhile.
    ///
    /// An error of the write is an unknown outcome: its answer may have got lost after the commit. Copies then stay away
    /// until that can no longer be ([`settle`](CacheBuilder::settle)), and the error is `Indeterminate`. A hallway error says by its kind whether the outcome
    /// is known; any other that is certain is wrapped in [`NotWritten`].
    ///
    /// # Errors
    /// Your write's, as told above; `Indeterminate` if it panicked or did not end by the
    /// [`write_deadline`](CacheBuilder::write_deadline), in which case it goes on; `Unavailable`, before it has begun, if
    /// the shared tier cannot be told and the cache was told to refuse that.
    ///
    /// # Cancel safety
    /// Dropping the future leaves the write running.
    pub async fn write<T, E, F, Fut>(&self, id: &str, write: F) -> Result<T>
    where
        T: Send + 'static,
        E: Into<Box<dyn StdError + Send + Sync>>,
        F: FnOnce() -> Fut + Send + 'static,
        Fut: Future<Output = Result<T, E>> + Send + 'static,
    {
        self.core.write(id, write).await
    }

    /// Makes the copies of a value unusable, everywhere: the next read loads it. Loads in progress are not kept.
    ///
    /// # Errors
    /// `Unavailable` if the shared tier could not be told and the cache refuses that ([`OnSharedDown::Fail`]); copies of
    /// this process are gone all the same, and it is tried again in the background. Under
    /// [`OnSharedDown::Proceed`] that is no error: other processes may find the old value until it is repaired.
    ///
    /// # Cancel safety
    /// Dropping the future leaves the invalidation going on.
    ///
    /// [`OnSharedDown::Fail`]: crate::OnSharedDown::Fail
    /// [`OnSharedDown::Proceed`]: crate::OnSharedDown::Proceed
    pub async fn invalidate(&self, id: &str) -> Result<()> {
        self.core.invalidate(vec![self.core.key(id)?]).await
    }

    /// As [`invalidate`](Self::invalidate) for many values in one round trip.
    ///
    /// # Errors
    /// As [`invalidate`](Self::invalidate); nothing is done if an id is no key.
    pub async fn invalidate_many<I: AsRef<str>>(&self, ids: impl IntoIterator<Item = I>) -> Result<()> {
        let keys = ids.into_iter().map(|id| self.core.key(id.as_ref())).collect::<Result<Vec<Key>>>()?;
        self.core.invalidate(keys).await
    }

    /// Makes unusable every value that was kept under this tag ([`Load::with_tags`]), however many: one counter is
    /// replaced. Tags are shared by all caches whose copies are in the shared tier, and by all that keep theirs in this
    /// process alone.
    ///
    /// # Errors
    /// As [`invalidate`](Self::invalidate); `InvalidInput` for a tag that is empty, longer than 128 bytes or has control
    /// characters.
    pub async fn invalidate_tag(&self, tag: &str) -> Result<()> {
        let generation = tags::generation(&self.core.engine, tag, !self.core.is_linked())?;
        self.core.bump(generation).await
    }

    /// Makes every value of the namespace unusable, however many: one counter is replaced.
    ///
    /// # Errors
    /// As [`invalidate`](Self::invalidate).
    pub async fn clear(&self) -> Result<()> {
        self.core.bump(Arc::clone(&self.core.generation)).await
    }

    /// Ends the life of a value softly: it is loaded anew by the next read, but answers while that goes on
    /// ([`stale_while_revalidate`](CacheBuilder::stale_while_revalidate)) and if that fails
    /// ([`stale_if_error`](CacheBuilder::stale_if_error)). A cache that serves nothing stale invalidates it.
    ///
    /// # Errors
    /// As [`invalidate`](Self::invalidate).
    pub async fn expire(&self, id: &str) -> Result<()> {
        self.core.expire(id).await
    }

    /// Loads a value anew and keeps it, whatever copy there is; others are answered by that meanwhile.
    ///
    /// It waits for no other load and no other process, so that it is as new as this call.
    ///
    /// # Errors
    /// As told at [`Cache`]; nothing stale is answered instead.
    ///
    /// # Cancel safety
    /// Dropping the future leaves the load running.
    pub async fn refresh<L, E, F, Fut>(&self, id: &str, loader: F) -> Result<L::Answer>
    where
        L: IntoLoad<V>,
        E: Into<Box<dyn StdError + Send + Sync>>,
        F: FnOnce() -> Fut + Send + 'static,
        Fut: Future<Output = Result<L, E>> + Send + 'static,
    {
        let answer = self.core.refresh(id, loader::boxed(loader)).await?;
        L::answer(answer.value).ok_or_else(|| self.core.lost())
    }

    /// Where the keys of this cache lie.
    #[must_use]
    pub fn namespace(&self) -> &Namespace {
        &self.core.namespace
    }

    /// What is promised about staleness.
    #[must_use]
    pub fn bound(&self) -> Bound {
        Bound::of(&self.core.engine, &self.core.rules)
    }

    /// What has been counted since the cache was built.
    #[must_use]
    pub fn stats(&self) -> CacheStats {
        self.core.counters.snapshot()
    }

    /// What the cache is called in metrics, and how to ask it for as long as it lives.
    #[cfg(feature = "metrics")]
    pub(crate) fn watch(&self) -> (Label, impl Fn() -> Option<(CacheStats, Bound)> + Send + use<V>) {
        let core = Arc::downgrade(&self.core);
        let read = move || {
            let core = core.upgrade()?;
            Some((core.counters.snapshot(), Bound::of(&core.engine, &core.rules)))
        };
        (self.core.rules.label.clone(), read)
    }

    #[cfg(test)]
    fn core(&self) -> &Arc<Core<V>> {
        &self.core
    }

    fn loaded<T>(&self, answer: &Answer<V>, value: T) -> Loaded<T> {
        Loaded { value, tier: answer.tier, age: answer.age(self.core.now()), stale: answer.stale }
    }
}
