//! Running a loader: bounded in number and in time, and its panics caught.

use std::error::Error as StdError;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use hallway_core::{Error, ErrorKind, Result};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::Instant;

use super::core::Core;
use super::outcome::{IntoLoad, Load, of_loader};
use crate::observe;
use crate::settings::micros;

/// A loader of any type. It is called when this is first polled.
pub(super) type Loader<V> = BoxFuture<'static, Result<Load<V>>>;

pub(super) fn boxed<V, L, E, F, Fut>(loader: F) -> Loader<V>
where
    L: IntoLoad<V>,
    E: Into<Box<dyn StdError + Send + Sync>>,
    F: FnOnce() -> Fut + Send + 'static,
    Fut: Future<Output = Result<L, E>> + Send + 'static,
{
    async move { loader().await.map(L::into_load).map_err(of_loader) }.boxed()
}

/// The loaders that run.
#[derive(Debug)]
pub(super) struct Loads(Semaphore);

impl Loads {
    pub(super) fn new(most: usize) -> Self {
        Self(Semaphore::new(most))
    }
}

impl<V: Send + Sync + 'static> Core<V> {
    /// Runs a loader, and says how long it took.
    ///
    /// # Errors
    /// The loader's own; `Unavailable` if it panicked or did not end by the hard timeout; `Overloaded` if too many others
    /// run.
    pub(super) async fn run<T>(&self, load: impl Future<Output = Result<T>> + Send) -> Result<(T, Duration)> {
        let _permit = match self.loads.0.try_acquire() {
            Ok(permit) => permit,
            // In a box: as a rule there is room.
            Err(_) => Box::pin(self.queue()).await?,
        };
        self.counters.loads.one();
        self.engine.counters.loads.one();
        let began = Instant::now();
        let limit = self.options.hard_timeout;
        let ended = tokio::time::timeout(limit, AssertUnwindSafe(load).catch_unwind()).map(|ended| match ended {
            Ok(Ok(result)) => result,
            Ok(Err(_)) => Err(self.error(ErrorKind::Unavailable, "the loader panicked")),
            Err(_) => Err(self.error(ErrorKind::Unavailable, format!("the loader did not end within {limit:?}"))),
        });
        let result = observe::traced(observe::of_loader(self.namespace.as_str()), ended).await;
        let cost = began.elapsed();
        observe::loaded(&self.rules.label, cost, result.as_ref().err());
        self.counters.load_micros.add(micros(cost));
        match result {
            Ok(loaded) => Ok((loaded, cost)),
            Err(error) => {
                self.counters.failed_loads.one();
                Err(error.with_namespace(&self.namespace))
            }
        }
    }

    /// Waits for another loader to end.
    async fn queue(&self) -> Result<SemaphorePermit<'_>> {
        let wait = self.options.queue_max;
        // The semaphore is never closed.
        match tokio::time::timeout(wait, self.loads.0.acquire()).await {
            Ok(Ok(permit)) => Ok(permit),
            Ok(Err(_)) | Err(_) => {
                self.counters.overloaded.one();
                let most = self.options.max_loads;
                Err(self.error(
                    ErrorKind::Overloaded,
                    format!("{most} loaders run, and none ended within {wait:?}: shed load"),
                ))
            }
        }
    }

    pub(super) fn error(&self, kind: ErrorKind, message: impl Into<std::borrow::Cow<'static, str>>) -> Error {
        Error::new(kind, message).at("cache", "load").with_namespace(&self.namespace)
    }
}
