//! Smaller defects, one verb each, and the clauses that each must fail.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use hallway_core::{
    BATCH_BYTES, Capabilities, Capability, Cursor, DeleteIf, Entry, Error, ErrorKind, Key, KvStore, MAX_TTL, Page,
    Prefix, Result, SetIf, SetOptions, SetOutcome, Timestamp, Ttl, ValueCap,
};
use hallway_testkit::{Fixture, ManualClock, PlainStore};

/// What one verb gets wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Slip {
    AnswersEmptyForMissing,
    ClearsEverything,
    ClockStandsStill,
    ComparesLoosely,
    CountsInDoubles,
    CountsInTwoSteps,
    CutsBatches,
    CutsLargeValues,
    DirectIsElsewhere,
    ForeverIsTenYears,
    PingFails,
    PresentMeansAlways,
    RefusesEmptyBatches,
    SaysDeletedAlways,
    ScansWithoutLimit,
    SetsIfUnchanged,
    TakesTrimmed,
    /// What a view with `ViewSaysLess` is.
    SaysLess,
    ViewIsElsewhere,
    ViewSaysLess,
    WritesCountersWithSign,
}

/// Every slip with the numbers of clauses that must fail.
pub(crate) const SLIPS: &[(Slip, &[u32])] = &[
    (Slip::AnswersEmptyForMissing, &[1, 2, 23, 59, 64]),
    (Slip::ClearsEverything, &[76]),
    (Slip::ClockStandsStill, &[91]),
    (Slip::ComparesLoosely, &[34, 39]),
    (Slip::CountsInDoubles, &[49]),
    (Slip::CountsInTwoSteps, &[81]),
    (Slip::CutsBatches, &[65]),
    (Slip::CutsLargeValues, &[8, 9, 10]),
    (Slip::DirectIsElsewhere, &[89]),
    (Slip::ForeverIsTenYears, &[17, 20, 46]),
    (Slip::PingFails, &[92]),
    (Slip::PresentMeansAlways, &[27, 32, 37, 84]),
    (Slip::RefusesEmptyBatches, &[60]),
    (Slip::SaysDeletedAlways, &[26, 38, 39, 64, 80]),
    (Slip::ScansWithoutLimit, &[68]),
    (Slip::SetsIfUnchanged, &[83]),
    (Slip::TakesTrimmed, &[5, 41, 42, 52]),
    (Slip::ViewIsElsewhere, &[96]),
    (Slip::ViewSaysLess, &[86]),
    (Slip::WritesCountersWithSign, &[47, 52]),
];

pub(crate) async fn fixture(slip: Slip) -> Fixture {
    let clock = ManualClock::new();
    let inner = PlainStore::new().with_clock(Arc::new(clock.clone()));
    Fixture::new(Slipped { inner, slip }).with_clock(clock)
}

#[derive(Clone)]
struct Slipped {
    inner: PlainStore,
    slip: Slip,
}

impl Slipped {
    fn is(&self, slip: Slip) -> bool {
        self.slip == slip
    }

    fn bent(&self, ttl: Ttl) -> Ttl {
        if self.is(Slip::ForeverIsTenYears) && ttl.is_forever() { Ttl::After(MAX_TTL) } else { ttl }
    }

    /// The bytes that count as `expected` here.
    async fn loosely(&self, key: &Key, expected: Bytes) -> Result<Bytes> {
        let found = self.inner.get(key).await?;
        let same = found.filter(|found| self.is(Slip::ComparesLoosely) && found.eq_ignore_ascii_case(&expected));
        Ok(same.unwrap_or(expected))
    }
}

#[async_trait]
impl KvStore for Slipped {
    fn capabilities(&self) -> Capabilities {
        let all = self.inner.capabilities();
        if self.is(Slip::SaysLess) { all.without(Capability::Touch) } else { all }
    }

    async fn get_entry(&self, key: &Key) -> Result<Option<Entry>> {
        self.inner.get_entry(key).await
    }

    async fn set(&self, key: &Key, mut value: Bytes, mut opts: SetOptions) -> Result<SetOutcome> {
        if self.is(Slip::CutsLargeValues) {
            value.truncate(ValueCap::default().bytes());
        }
        opts.ttl = self.bent(opts.ttl);
        opts.condition = match opts.condition {
            SetIf::Present if self.is(Slip::PresentMeansAlways) => SetIf::Always,
            SetIf::Always if self.is(Slip::SetsIfUnchanged) => {
                let seen = self.inner.get(key).await?;
                tokio::time::sleep(Duration::from_millis(1)).await;
                opts.condition = seen.map_or(SetIf::Absent, SetIf::Equals);
                self.inner.set(key, value, opts).await?;
                return Ok(SetOutcome::Written);
            }
            SetIf::Equals(expected) => SetIf::Equals(self.loosely(key, expected).await?),
            condition => condition,
        };
        self.inner.set(key, value, opts).await
    }

    async fn delete_if(&self, key: &Key, when: DeleteIf) -> Result<bool> {
        let when = match when {
            DeleteIf::Equals(expected) => DeleteIf::Equals(self.loosely(key, expected).await?),
            DeleteIf::Always => DeleteIf::Always,
        };
        Ok(self.inner.delete_if(key, when).await? || self.is(Slip::SaysDeletedAlways))
    }

    async fn touch(&self, key: &Key, ttl: Ttl) -> Result<bool> {
        self.inner.touch(key, self.bent(ttl)).await
    }

    async fn scan(&self, prefix: &Prefix, after: Option<Cursor>, limit: usize) -> Result<Page> {
        let limit = if self.is(Slip::ScansWithoutLimit) { limit.max(1) } else { limit };
        self.inner.scan(prefix, after, limit).await
    }

    async fn time(&self) -> Result<Timestamp> {
        if self.is(Slip::ClockStandsStill) {
            return Ok(Timestamp::from_unix_micros(1));
        }
        self.inner.time().await
    }

    fn with_deadline(&self, _: Duration) -> Arc<dyn KvStore> {
        match self.slip {
            Slip::ViewIsElsewhere => Arc::new(PlainStore::new()),
            Slip::ViewSaysLess => Arc::new(Self { slip: Slip::SaysLess, ..self.clone() }),
            _ => Arc::new(self.clone()),
        }
    }

    fn direct(&self) -> Option<Arc<dyn KvStore>> {
        Some(if self.is(Slip::DirectIsElsewhere) { Arc::new(PlainStore::new()) } else { Arc::new(self.clone()) })
    }

    async fn take(&self, key: &Key) -> Result<Option<Bytes>> {
        let taken = self.inner.take(key).await?;
        Ok(taken.map(|value| if self.is(Slip::TakesTrimmed) { value.slice(1.min(value.len())..) } else { value }))
    }

    async fn increment(&self, key: &Key, by: i64, ttl: Ttl) -> Result<i64> {
        if self.is(Slip::CountsInTwoSteps) {
            let old: i64 = self.inner.get(key).await?.map_or(0, |text| String::from_utf8_lossy(&text).parse().unwrap());
            tokio::time::sleep(Duration::from_millis(1)).await;
            self.inner.set(key, (old + by).to_string().into(), SetOptions::new(ttl)).await?;
            return Ok(old + by);
        }
        let sum = self.inner.increment(key, by, self.bent(ttl)).await?;
        match self.slip {
            Slip::CountsInDoubles => return Ok(sum as f64 as i64),
            Slip::WritesCountersWithSign => {
                self.inner.set(key, format!("{sum:+}").into(), SetOptions::new(ttl)).await?;
            }
            _ => {}
        }
        Ok(sum)
    }

    async fn get_many(&self, keys: &[Key]) -> Result<Vec<Option<Bytes>>> {
        if self.is(Slip::RefusesEmptyBatches) && keys.is_empty() {
            return Err(Error::invalid_input("there must be a key"));
        }
        let mut values = self.inner.get_many(keys).await?;
        if self.is(Slip::AnswersEmptyForMissing) {
            values = values.into_iter().map(|value| Some(value.unwrap_or_default())).collect();
        }
        Ok(values)
    }

    async fn set_many(&self, items: &[(Key, Bytes, Ttl)]) -> Result<()> {
        for (_, _, ttl) in items {
            ttl.whole_millis()?;
        }
        let mut bytes = 0;
        for (key, value, ttl) in items {
            bytes += value.len();
            if bytes > BATCH_BYTES && self.is(Slip::CutsBatches) {
                break;
            }
            self.set(key, value.clone(), SetOptions::new(*ttl)).await?;
        }
        Ok(())
    }

    async fn clear(&self, prefix: &Prefix) -> Result<u64> {
        if !self.is(Slip::ClearsEverything) {
            return self.inner.clear(prefix).await;
        }
        let page = self.inner.scan(prefix, None, 10_000).await?;
        self.inner.delete_many(&page.keys).await
    }

    async fn ping(&self) -> Result<()> {
        if self.is(Slip::PingFails) {
            return Err(Error::new(ErrorKind::Unavailable, "nobody there"));
        }
        self.inner.ping().await
    }
}

impl fmt::Debug for Slipped {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Slipped").field("slip", &self.slip).finish_non_exhaustive()
    }
}
