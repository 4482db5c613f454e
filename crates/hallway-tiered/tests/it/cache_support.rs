//! What the tests of the cache share: tiers on a clock that they move, and loaders that count.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use hallway_core::{Error, ErrorKind, Result};
use hallway_moka::{MokaConfig, MokaStore};
use hallway_testkit::ManualClock;
use hallway_tiered::{Cache, CacheBuilder, TieredStore};

pub(crate) const MS: Duration = Duration::from_millis(1);
pub(crate) const SEC: Duration = Duration::from_secs(1);

/// Tiers in this process alone, on a clock that stands still.
pub(crate) fn alone() -> (TieredStore, ManualClock) {
    let clock = ManualClock::new();
    let local: MokaStore = MokaConfig::default().with_clock(Arc::new(clock.clone())).build().unwrap();
    let tiers = TieredStore::builder().local(local).seed(7).build().unwrap();
    (tiers, clock)
}

/// A cache of texts over these tiers. Its callers find the copies of what they loaded in the shared tier: time that is moved by
/// hand passes between calls, and is not to pass before a copy is written.
pub(crate) fn cache(tiers: &TieredStore, told: impl FnOnce(CacheBuilder) -> CacheBuilder) -> Cache<String> {
    told(tiers.cache("text").wait_for_fills()).build().unwrap()
}

/// A cache of texts in this process alone.
pub(crate) fn texts(told: impl FnOnce(CacheBuilder) -> CacheBuilder) -> (Cache<String>, ManualClock) {
    let (tiers, clock) = alone();
    (cache(&tiers, told), clock)
}

/// A local tier that sixteen copies fill.
pub(crate) fn sixteen(clock: &ManualClock) -> MokaStore {
    MokaConfig::default().with_max_entries(16).with_clock(Arc::new(clock.clone())).build().unwrap()
}

/// Moves both clocks: the one of the copies and the one of the timers.
pub(crate) async fn pass(clock: &ManualClock, time: Duration) {
    clock.advance(time);
    tokio::time::sleep(time).await;
}

/// A loader that counts its calls.
#[derive(Debug, Clone, Default)]
pub(crate) struct Source {
    calls: Arc<AtomicUsize>,
}

impl Source {
    pub(crate) fn calls(&self) -> usize {
        self.calls.load(Ordering::SeqCst)
    }

    /// Answers with the number of the call, at once.
    pub(crate) fn number(&self) -> impl FnOnce() -> std::future::Ready<Result<String>> + Send + 'static {
        let calls = Arc::clone(&self.calls);
        move || std::future::ready(Ok((calls.fetch_add(1, Ordering::SeqCst) + 1).to_string()))
    }

    /// The same after a while.
    pub(crate) fn slow(
        &self,
        time: Duration,
    ) -> impl FnOnce() -> std::pin::Pin<Box<dyn Future<Output = Result<String>> + Send>> + Send + 'static {
        let calls = Arc::clone(&self.calls);
        move || {
            let call = calls.fetch_add(1, Ordering::SeqCst) + 1;
            Box::pin(async move {
                tokio::time::sleep(time).await;
                Ok(call.to_string())
            })
        }
    }

    /// Fails, and counts.
    pub(crate) fn failing(&self) -> impl FnOnce() -> std::future::Ready<Result<String>> + Send + 'static {
        let calls = Arc::clone(&self.calls);
        move || {
            calls.fetch_add(1, Ordering::SeqCst);
            std::future::ready(Err(Error::new(ErrorKind::Unavailable, "the source is down")))
        }
    }
}
