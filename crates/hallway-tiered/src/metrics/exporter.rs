//! Reading the counts of tiers, caches and others, and handing them over.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use hallway_core::{Count, Counted, Error, Result};
use metrics::{Unit, counter, describe_counter};

use super::reporting::Reporting;
use super::{catalogue, samples};
use crate::engine::Engine;
use crate::health::Health;
use crate::observe::Label;
use crate::{Bound, Cache, CacheStats, TieredStore};

/// Hands what a [`TieredStore`] and its caches have counted, and how the tiers are, to the recorder of the application.
///
/// The stores of its tiers tell what they count as well. It keeps neither tiers nor caches alive. One exporter is for one
/// store: of two stores in one process, tell only one, or give each a recorder of its own.
///
/// ```
/// # use std::time::Duration;
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> hallway_core::Result<()> {
/// use hallway_moka::MokaStore;
/// use hallway_tiered::metrics::Exporter;
/// use hallway_tiered::{Cache, TieredStore};
///
/// let tiers = TieredStore::builder().local(MokaStore::builder().build()?).build()?;
/// let names: Cache<String> = tiers.cache("user:name").build()?;
///
/// // The application has installed a recorder before, such as that of `metrics-exporter-prometheus`.
/// let exporter = Exporter::new(&tiers).with_cache(&names);
/// exporter.report();    // when somebody asks for `/metrics`, or else
/// let _reporting = exporter.every(Duration::from_secs(5))?;    // until this is dropped
/// # Ok(())
/// # }
/// ```
pub struct Exporter {
    tiers: Weak<Engine>,
    // Reports do not overlap: a count must not go back to what an earlier report has read.
    watched: Mutex<Watched>,
    others: Vec<Box<dyn Counted>>,
    described: AtomicBool,
}

/// What one cache has counted, and what it promises; `None` once it has ended.
type Read = Box<dyn Fn() -> Option<(CacheStats, Bound)> + Send>;

#[derive(Default)]
struct Watched {
    caches: Vec<One>,
    /// Of caches that have ended.
    ended: BTreeMap<Label, CacheStats>,
}

struct One {
    label: Label,
    read: Read,
    last: CacheStats,
}

impl Exporter {
    /// An exporter of this store.
    #[must_use]
    pub fn new(tiers: &TieredStore) -> Self {
        Self {
            tiers: Arc::downgrade(tiers.engine()),
            watched: Mutex::default(),
            others: Vec::new(),
            described: AtomicBool::new(false),
        }
    }

    /// Tells of a cache as well. Caches of one namespace are told of together.
    #[must_use]
    pub fn with_cache<V: Send + Sync + 'static>(self, cache: &Cache<V>) -> Self {
        let (label, read) = cache.watch();
        let one = One { label, read: Box::new(read), last: CacheStats::default() };
        self.lock().caches.push(one);
        self
    }

    /// Tells of what else counts: the sessions of the application, a store beside the tiers. It is kept alive.
    ///
    /// Counts of one name and namespace are added up, as those of two stores of one kind. So add each once: a clone counts
    /// what the other counts, and the stores of the tiers are told of already.
    #[must_use]
    pub fn with_counted(mut self, counted: impl Counted) -> Self {
        self.others.push(Box::new(counted));
        self
    }

    /// Hands over everything as it stands now. Says whether the tiers are still there.
    pub fn report(&self) -> bool {
        let describes = !self.described.swap(true, Ordering::Relaxed);
        if describes {
            catalogue::describe();
        }
        let mut watched = self.lock();
        watched.report();
        let engine = self.tiers.upgrade();
        let mut sums = Sums { engine: engine.as_deref(), describes, counts: BTreeMap::new() };
        for counted in &self.others {
            sums.add(&**counted);
        }
        for tier in engine.iter().flat_map(|engine| [&engine.local, &engine.shared, &engine.consistent]).flatten() {
            if let Some(counted) = tier.as_counted() {
                sums.add(counted);
            }
        }
        sums.tell();
        let Some(engine) = engine else { return false };
        samples::tell_tiers(&engine.stats());
        samples::tell_health(&Health::of(&engine));
        true
    }

    /// Reports at this pace in the background, until what is returned is dropped or the tiers end.
    ///
    /// # Errors
    /// `InvalidConfig` for a pace of 0, and outside of a runtime.
    pub fn every(self, pace: Duration) -> Result<Reporting> {
        if pace.is_zero() {
            return Err(Error::invalid_config("the pace of reports must be longer than 0"));
        }
        Reporting::start(self, pace)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Watched> {
        // Caches are added and removed whole.
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What others count, each name and namespace once: a recorder that is told two counts of one series keeps the larger.
struct Sums<'a> {
    /// It bounds the names of namespaces.
    engine: Option<&'a Engine>,
    describes: bool,
    counts: BTreeMap<(&'static str, Option<Label>), u64>,
}

impl Sums<'_> {
    fn add(&mut self, counted: &dyn Counted) {
        counted.tell(&mut |Count { name, help, namespace, value, .. }| {
            if self.describes {
                describe_counter!(name, Unit::Count, help);
            }
            let label = match (namespace, self.engine) {
                (None, _) => None,
                (Some(namespace), Some(engine)) => Some(engine.settings.labels.of(namespace)),
                // Who would bound the names is gone.
                (Some(_), None) => return,
            };
            *self.counts.entry((name, label)).or_default() += value;
        });
    }

    fn tell(self) {
        for ((name, label), count) in self.counts {
            match label {
                Some(label) => counter!(name, "namespace" => label.shared()).absolute(count),
                None => counter!(name).absolute(count),
            }
        }
    }
}

impl Watched {
    fn report(&mut self) {
        let ended = &mut self.ended;
        let mut bounds = BTreeMap::new();
        self.caches.retain_mut(|one| match (one.read)() {
            Some((stats, bound)) => {
                one.last = stats;
                bounds.insert(one.label.clone(), bound);
                true
            }
            None => {
                ended.entry(one.label.clone()).or_default().add(&one.last);
                false
            }
        });
        let mut sums = self.ended.clone();
        for one in &self.caches {
            sums.entry(one.label.clone()).or_default().add(&one.last);
        }
        for (label, stats) in &sums {
            samples::tell_cache(label, stats);
        }
        for (label, bound) in &bounds {
            samples::tell_bound(label, bound);
        }
    }
}

impl fmt::Debug for Exporter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let caches = self.lock().caches.len();
        f.debug_struct("Exporter").field("caches", &caches).field("others", &self.others.len()).finish_non_exhaustive()
    }
}
