//! A sound store with one twist, for tests of what should notice it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use hallway_core::{
    Bytes, Capabilities, Capability, Cursor, DeleteIf, Entry, Error, ErrorKind, Key, KvStore, MAX_TTL, Page, Prefix,
    Result, SetIf, SetOptions, SetOutcome, Timestamp, Ttl,
};
use hallway_testkit::PlainStore;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Twist {
    /// An expired entry still counts as present for `IfAbsent`, for a while.
    AbsentSeesDead,
    /// `clear` of a namespace takes its namesakes (`app`, `app2`) with it.
    ClearTakesNamesakes,
    /// Deletes without looking at the expected value when it is empty.
    EmptyEqualsAnything,
    /// An error that no contract knows, once in a while.
    FailsAtTimes,
    /// `get_many` answers a repeated key once only.
    ForgetsDuplicates,
    /// `increment` re-creates the counter with the TTL of the call.
    IncrementRestatesTtl,
    /// No twist, and hits without waiting.
    LocalReads,
    /// No twist, and nothing beyond get, set and delete.
    Minimal,
    /// `scan` skips the first key of every page but the first.
    ScanSkips,
    /// The first of two duplicates wins in `set_many`.
    SetManyFirstWins,
    /// `touch` writes the value anew, cut to one byte.
    TouchCutsValue,
    /// `touch` makes a dead entry live again by saying so.
    TouchSaysYes,
    /// Entries live 40 ms longer than they were given.
    TtlTooLong,
    /// Entries live half of what they were given.
    TtlTooShort,
}

#[derive(Debug, Clone)]
pub(crate) struct Twisted {
    inner: PlainStore,
    twist: Twist,
    calls: Arc<AtomicU64>,
    dead: Arc<std::sync::Mutex<Option<Key>>>,
}

impl Twisted {
    pub(crate) fn new(inner: PlainStore, twist: Twist) -> Self {
        Self { inner, twist, calls: Arc::default(), dead: Arc::default() }
    }

    fn bend(&self, ttl: Ttl) -> Ttl {
        // What no store accepts stays so.
        match (self.twist, ttl) {
            _ if ttl.whole_millis().is_err() => ttl,
            (Twist::TtlTooLong, Ttl::After(life)) => Ttl::After((life + Duration::from_millis(40)).min(MAX_TTL)),
            (Twist::TtlTooShort, Ttl::After(life)) => Ttl::After(life / 2),
            _ => ttl,
        }
    }

    fn refuse(&self, unless: Capability) -> Result<()> {
        if self.capabilities().has(unless) { Ok(()) } else { Err(Error::unsupported("this store is minimal")) }
    }
}

#[async_trait]
impl KvStore for Twisted {
    fn capabilities(&self) -> Capabilities {
        match self.twist {
            Twist::LocalReads => self.inner.capabilities().with(Capability::LocalRead),
            Twist::Minimal => Capabilities::none(),
            _ => self.inner.capabilities(),
        }
    }
    async fn get_entry(&self, key: &Key) -> Result<Option<Entry>> {
        if self.twist == Twist::FailsAtTimes && self.calls.fetch_add(1, Ordering::SeqCst) % 500 == 499 {
            return Err(Error::new(ErrorKind::Unavailable, "a hiccup"));
        }
        let entry = self.inner.get_entry(key).await?;
        if entry.is_none() {
            *self.dead.lock().unwrap() = Some(key.clone());
        }
        Ok(entry)
    }
    async fn set(&self, key: &Key, value: Bytes, opts: SetOptions) -> Result<SetOutcome> {
        if opts.condition != SetIf::Always {
            self.refuse(Capability::ConditionalSet)?;
        }
        if opts.ttl.is_forever() {
            self.refuse(Capability::Forever)?;
        }
        if self.twist == Twist::AbsentSeesDead
            && opts.condition == SetIf::Absent
            && self.dead.lock().unwrap().take().is_some_and(|dead| dead == *key)
        {
            return Ok(SetOutcome::ConditionNotMet);
        }
        let mut bent = SetOptions::new(self.bend(opts.ttl));
        bent.condition = opts.condition;
        self.inner.set(key, value, bent).await
    }
    async fn delete_if(&self, key: &Key, when: DeleteIf) -> Result<bool> {
        match when {
            DeleteIf::Equals(_) => self.refuse(Capability::ConditionalDelete)?,
            DeleteIf::Always => {}
        }
        match when {
            DeleteIf::Equals(expected) if self.twist == Twist::EmptyEqualsAnything && expected.is_empty() => {
                self.inner.delete(key).await
            }
            when => self.inner.delete_if(key, when).await,
        }
    }
    async fn touch(&self, key: &Key, ttl: Ttl) -> Result<bool> {
        self.refuse(Capability::Touch)?;
        let touched = self.inner.touch(key, self.bend(ttl)).await?;
        match self.twist {
            Twist::TouchSaysYes => Ok(true),
            Twist::TouchCutsValue if touched => {
                let value = self.inner.get(key).await?.unwrap_or_default();
                let cut = value.slice(..value.len().min(1));
                self.inner.set(key, cut, SetOptions::new(ttl)).await.map(SetOutcome::is_written)
            }
            _ => Ok(touched),
        }
    }
    async fn scan(&self, prefix: &Prefix, after: Option<Cursor>, limit: usize) -> Result<Page> {
        self.refuse(Capability::Scan)?;
        let later = after.is_some();
        let mut page = self.inner.scan(prefix, after, limit).await?;
        if self.twist == Twist::ScanSkips && later && !page.keys.is_empty() {
            page.keys.remove(0);
        }
        Ok(page)
    }
    async fn time(&self) -> Result<Timestamp> {
        self.inner.time().await
    }
    fn with_deadline(&self, _: Duration) -> Arc<dyn KvStore> {
        Arc::new(self.clone())
    }
    fn try_get(&self, key: &Key) -> Option<Bytes> {
        use futures_util::FutureExt;
        // The store inside never waits.
        (self.twist == Twist::LocalReads).then(|| self.inner.get(key).now_or_never()?.ok()?)?
    }
    async fn increment(&self, key: &Key, by: i64, ttl: Ttl) -> Result<i64> {
        self.refuse(Capability::ConditionalSet)?;
        let sum = self.inner.increment(key, by, ttl).await?;
        if self.twist == Twist::IncrementRestatesTtl {
            self.inner.touch(key, ttl).await?;
        }
        Ok(sum)
    }
    async fn get_many(&self, keys: &[Key]) -> Result<Vec<Option<Bytes>>> {
        let mut values = self.inner.get_many(keys).await?;
        if self.twist == Twist::ForgetsDuplicates {
            for i in 0..keys.len() {
                if keys[..i].contains(&keys[i]) {
                    values[i] = None;
                }
            }
        }
        Ok(values)
    }
    async fn set_many(&self, items: &[(Key, Bytes, Ttl)]) -> Result<()> {
        for (_, _, ttl) in items.iter().filter(|(_, _, ttl)| ttl.is_forever()) {
            let _ = ttl;
            self.refuse(Capability::Forever)?;
        }
        let mut items: Vec<_> =
            items.iter().map(|(key, value, ttl)| (key.clone(), value.clone(), self.bend(*ttl))).collect();
        if self.twist == Twist::SetManyFirstWins {
            items.reverse();
        }
        self.inner.set_many(&items).await
    }
    async fn clear(&self, prefix: &Prefix) -> Result<u64> {
        self.refuse(Capability::Scan)?;
        let mut cleared = self.inner.clear(prefix).await?;
        if self.twist == Twist::ClearTakesNamesakes {
            let all = self.inner.scan(&Prefix::root(), None, 10_000).await?;
            let start = prefix.namespace().as_str();
            let namesakes: Vec<Key> = all.keys.into_iter().filter(|key| key.as_str().starts_with(start)).collect();
            cleared += self.inner.delete_many(&namesakes).await?;
        }
        Ok(cleared)
    }
}
