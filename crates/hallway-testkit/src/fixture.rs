//! What the conformance suite needs to know about one store.

use std::any::Any;
use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use hallway_core::{Capability, KvStore, MAX_KEY_BYTES, Namespace, PrefixStore, ValueCap};

use crate::ManualClock;

type Opener = Arc<dyn Fn() -> BoxFuture<'static, Arc<dyn KvStore>> + Send + Sync>;
type Step = Arc<dyn Fn(Duration) + Send + Sync>;

/// One store on a fresh keyspace, and how the suite may treat it.
///
/// A backend hands one to each test:
///
/// ```
/// use hallway_testkit::{Fixture, PlainStore};
///
/// async fn fixture() -> Fixture {
///     Fixture::new(PlainStore::new())
/// }
/// ```
///
/// Give the store a deadline of a few seconds: the suite asks what it answers, not how fast, and other tests keep the
/// machine busy meanwhile. A store that is [`Durable`](Capability::Durable) or [`Shared`](Capability::Shared) also says how to open it again
/// ([`with_reopen`](Self::with_reopen)) and how it looks when its backend is gone
/// ([`with_failed`](Self::with_failed)); without them the clauses that need them fail.
pub struct Fixture {
    store: Arc<dyn KvStore>,
    max_value: usize,
    longest_key: usize,
    staleness: Duration,
    step: Option<Step>,
    reopen: Option<Opener>,
    failed: Option<Opener>,
    // Dropped last: servers and folders outlive the handles that use them.
    guards: Vec<Box<dyn Any + Send + Sync>>,
}

impl Fixture {
    /// A fixture of a store on a keyspace that nobody else uses.
    pub fn new(store: impl KvStore) -> Self {
        Self {
            store: Arc::new(store),
            max_value: ValueCap::default().bytes(),
            longest_key: MAX_KEY_BYTES,
            staleness: Duration::ZERO,
            step: None,
            reopen: None,
            failed: None,
            guards: Vec::new(),
        }
    }

    /// Keeps a server, a temporary folder or the like until the test ends.
    #[must_use]
    pub fn keep(mut self, guard: impl Any + Send + Sync) -> Self {
        self.guards.push(Box::new(guard));
        self
    }

    /// The cap on values that the store was built with. Default: 1 MiB, as everywhere.
    #[must_use]
    pub fn with_max_value(mut self, bytes: usize) -> Self {
        self.max_value = bytes;
        self
    }

    /// The clock the store was built with, which the suite steps instead of waiting.
    #[must_use]
    pub fn with_clock(self, clock: ManualClock) -> Self {
        self.with_step(move |span| clock.advance(span))
    }

    /// How to step the store's clock, if it is no [`ManualClock`]. Default: time passes by itself and the suite waits.
    #[must_use]
    pub fn with_step(mut self, step: impl Fn(Duration) + Send + Sync + 'static) -> Self {
        self.step = Some(Arc::new(step));
        self
    }

    /// How to get another handle onto the same data, as another process would.
    #[must_use]
    pub fn with_reopen<F, O, S>(mut self, reopen: F) -> Self
    where
        F: Fn() -> O + Send + Sync + 'static,
        O: Future<Output = S> + Send + 'static,
        S: KvStore,
    {
        self.reopen = Some(opener(reopen));
        self
    }

    /// How old an answer of one handle may be after another handle has written: the bound of a store that answers from
    /// copies. Default: 0.
    #[must_use]
    pub fn with_staleness(mut self, bound: Duration) -> Self {
        self.staleness = bound;
        self
    }

    /// How to get a handle whose backend has failed: a port where nobody listens, a proxy that was cut, a folder
    /// where the file should be.
    ///
    /// It is called only by the clauses about failure, so it may be expensive.
    #[must_use]
    pub fn with_failed<F, O, S>(mut self, failed: F) -> Self
    where
        F: Fn() -> O + Send + Sync + 'static,
        O: Future<Output = S> + Send + 'static,
        S: KvStore,
    {
        self.failed = Some(opener(failed));
        self
    }

    /// The same fixture with its store seen through a [`PrefixStore`], for servers that tests share.
    #[must_use]
    pub fn prefixed(mut self, namespace: Namespace) -> Self {
        self.longest_key = self.longest_key.saturating_sub(namespace.as_str().len() + 1);
        self.map(move |store| Arc::new(PrefixStore::new(store, namespace.clone())))
    }

    /// The same fixture with its store behind one more `Arc<dyn KvStore>`.
    #[must_use]
    pub fn dynamic(self) -> Self {
        self.map(|store| Arc::new(store))
    }

    /// The same fixture with every handle, reopened and failed ones too, wrapped by `wrap`.
    #[must_use]
    pub fn map(mut self, wrap: impl Fn(Arc<dyn KvStore>) -> Arc<dyn KvStore> + Send + Sync + 'static) -> Self {
        let wrap = Arc::new(wrap);
        let around = |open: Opener| -> Opener {
            let wrap = wrap.clone();
            Arc::new(move || {
                let (opening, wrap) = (open(), wrap.clone());
                Box::pin(async move { wrap(opening.await) })
            })
        };
        self.reopen = self.reopen.map(&around);
        self.failed = self.failed.map(&around);
        self.store = wrap(self.store);
        self
    }

    /// The store.
    #[must_use]
    pub fn store(&self) -> &Arc<dyn KvStore> {
        &self.store
    }

    /// Whether the store says that it can do this.
    #[must_use]
    pub fn can(&self, capability: Capability) -> bool {
        self.store.capabilities().has(capability)
    }

    /// The cap on values in bytes.
    #[must_use]
    pub fn max_value(&self) -> usize {
        self.max_value
    }

    /// The longest physical key in bytes that fits this view of the store.
    #[must_use]
    pub fn longest_key(&self) -> usize {
        self.longest_key
    }

    /// Lets `span` pass on the store's clock.
    pub async fn pass(&self, span: Duration) {
        match &self.step {
            Some(step) => step(span),
            None => tokio::time::sleep(span).await,
        }
    }

    /// Lets the bound pass after which this store's handles see what another has written.
    pub async fn catch_up(&self) {
        if !self.staleness.is_zero() {
            self.pass(self.staleness).await;
        }
    }

    /// Whether the clock of the store stands still unless [`pass`](Self::pass) steps it.
    #[must_use]
    pub fn has_stepped_clock(&self) -> bool {
        self.step.is_some()
    }

    /// Another handle onto the same data, if the fixture knows how.
    pub async fn reopen(&self) -> Option<Arc<dyn KvStore>> {
        Some(self.reopen.as_ref()?().await)
    }

    /// A handle whose backend has failed, if the fixture knows how.
    pub async fn failed(&self) -> Option<Arc<dyn KvStore>> {
        Some(self.failed.as_ref()?().await)
    }
}

impl fmt::Debug for Fixture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fixture")
            .field("store", &self.store)
            .field("max_value", &self.max_value)
            .field("longest_key", &self.longest_key)
            .field("staleness", &self.staleness)
            .field("stepped_clock", &self.step.is_some())
            .field("reopens", &self.reopen.is_some())
            .field("fails", &self.failed.is_some())
            .field("guards", &self.guards.len())
            .finish()
    }
}

fn opener<F, O, S>(open: F) -> Opener
where
    F: Fn() -> O + Send + Sync + 'static,
    O: Future<Output = S> + Send + 'static,
    S: KvStore,
{
    Arc::new(move || {
        let opening = open();
        Box::pin(async move { Arc::new(opening.await) as Arc<dyn KvStore> })
    })
}
