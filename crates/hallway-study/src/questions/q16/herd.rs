//! A hot key: many readers, one source, with and without single flight over the same store.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use hallway::{Bytes, Cache, Key, KvStore, Namespace, SetOptions, TieredStore, Ttl};
use tokio::sync::{Barrier, Semaphore};

use crate::load::contenders::tiers;
use crate::load::{Page, Workload};
use crate::rounds::Cell;
use crate::study::BYTES;
use crate::{Failure, Result};

const TTL: Duration = Duration::from_secs(3_600);
const ENTRIES: u64 = 10_000;

/// How a reader gets what is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    /// `Cache::get_or_load`: one loads, the others wait for it.
    SingleFlight,
    /// Look, load, set: the code that everybody writes first.
    Plain,
}

impl Way {
    pub(super) const ALL: [Self; 2] = [Self::SingleFlight, Self::Plain];

    /// As it stands in ids.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::SingleFlight => "single-flight",
            Self::Plain => "look-load-set",
        }
    }
}

/// Where values come from.
#[derive(Debug, Clone)]
pub(super) struct Source {
    from: From,
    loads: Arc<AtomicU64>,
    nanos: Arc<AtomicU64>,
}

#[derive(Debug, Clone)]
enum From {
    /// A value of a database.
    Store(Arc<dyn KvStore>, Key),
    /// A value after a while; so many at a time, if that is limited.
    Slow(Bytes, Duration, Option<Arc<Semaphore>>),
}

impl Source {
    /// The database itself, asked for one key.
    pub(super) fn store(store: Arc<dyn KvStore>, key: Key) -> Self {
        Self::of(From::Store(store, key))
    }

    /// A source that takes a while and serves so many at a time.
    pub(super) fn slow(value: Bytes, takes: Duration, at_a_time: Option<usize>) -> Self {
        Self::of(From::Slow(value, takes, at_a_time.map(|places| Arc::new(Semaphore::new(places)))))
    }

    fn of(from: From) -> Self {
        Self { from, loads: Arc::default(), nanos: Arc::default() }
    }

    /// How often it was asked.
    pub(super) fn loads(&self) -> u64 {
        self.loads.load(Ordering::Relaxed)
    }

    /// What a load takes, on average.
    pub(super) fn mean_ns(&self) -> f64 {
        self.nanos.load(Ordering::Relaxed) as f64 / self.loads().max(1) as f64
    }

    async fn load(&self) -> Result<Bytes> {
        self.loads.fetch_add(1, Ordering::Relaxed);
        let start = Instant::now();
        let value = match &self.from {
            From::Store(store, key) => store.get(key).await?.ok_or("the database has lost the hot key")?,
            From::Slow(value, takes, places) => {
                let _place = match places {
                    Some(places) => Some(places.acquire().await?),
                    None => None,
                };
                tokio::time::sleep(*takes).await;
                value.clone()
            }
        };
        self.nanos.fetch_add(start.elapsed().as_nanos() as u64, Ordering::Relaxed);
        Ok(value)
    }
}

/// Readers of one process over its local tier. A clone is the same.
#[derive(Debug, Clone)]
pub(super) struct Herd {
    store: TieredStore,
    cache: Cache<Page>,
    namespace: Namespace,
    pub(super) workload: Arc<Workload>,
}

impl Herd {
    /// A cache, and a store for those who do without one, over one local tier.
    pub(super) async fn open() -> Result<Self> {
        let store = tiers(ENTRIES, None).await?;
        let cache = store.cache("hot:cache").ttl(TTL).local_ttl(TTL).build()?;
        let workload = Arc::new(Workload::new(1, BYTES, 1));
        Ok(Self { store, cache, namespace: Namespace::new("hot:plain")?, workload })
    }

    /// Nobody has a copy any more.
    pub(super) async fn forget(&self, way: Way, id: &str) -> Result<()> {
        match way {
            Way::SingleFlight => self.cache.invalidate(id).await?,
            Way::Plain => drop(self.store.delete(&self.namespace.key(id)?).await?),
        }
        Ok(())
    }

    /// What one reader does.
    ///
    /// # Errors
    /// If the value is not the one of the source.
    pub(super) async fn ask(&self, way: Way, id: &str, source: &Source) -> Result<()> {
        match way {
            Way::SingleFlight => {
                let source = source.clone();
                let load = move || async move { source.load().await.map(Page::new) };
                let page = self.cache.get_or_load(id, load).await?;
                self.workload.check(0, Some((*page).as_ref()))
            }
            Way::Plain => {
                let key = self.namespace.key(id)?;
                let value = match self.store.get(&key).await? {
                    Some(value) => value,
                    None => {
                        let value = source.load().await?;
                        self.store.set(&key, value.clone(), SetOptions::new(Ttl::After(TTL))).await?;
                        value
                    }
                };
                self.workload.check(0, Some(&value))
            }
        }
    }

    /// So many readers at once of a key that nobody has: from the start to the last answer, and what each waited.
    pub(super) async fn burst(&self, way: Way, tasks: usize, source: &Source) -> Result<(Duration, Vec<u64>)> {
        const ID: &str = "burst";
        self.forget(way, ID).await?;
        let barrier = Arc::new(Barrier::new(tasks));
        let readers: Vec<_> = (0..tasks)
            .map(|_| {
                let (this, source, barrier) = (self.clone(), source.clone(), Arc::clone(&barrier));
                tokio::spawn(async move {
                    barrier.wait().await;
                    let start = Instant::now();
                    this.ask(way, ID, &source).await?;
                    Ok::<_, Failure>((start, Instant::now()))
                })
            })
            .collect();
        let mut times = Vec::with_capacity(tasks);
        for reader in readers {
            times.push(reader.await??);
        }
        let first = times.iter().map(|(start, _)| *start).min();
        let last = times.iter().map(|(_, end)| *end).max();
        let took = first.zip(last).map_or(Duration::ZERO, |(first, last)| last.duration_since(first));
        Ok((took, times.iter().map(|(start, end)| end.duration_since(*start).as_nanos() as u64).collect()))
    }

    /// Bursts one after the other, timed without what is between them.
    pub(super) fn bursts(&self, way: Way, tasks: usize, source: &Source) -> Cell {
        let (this, source) = (self.clone(), source.clone());
        Cell::new(move |iterations| {
            let (this, source) = (this.clone(), source.clone());
            async move {
                tokio::spawn(async move {
                    let mut took = Duration::ZERO;
                    for _ in 0..iterations {
                        took += this.burst(way, tasks, &source).await?.0;
                    }
                    Ok(took)
                })
                .await?
            }
        })
    }
}
