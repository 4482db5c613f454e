//! Running a loader: bounded in number and in time, and its panics caught.

use std::error::Error as StdError;
use std::future::{Future, poll_fn};
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::task::Poll;
use std::time::Duration;

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use hallway_core::{Error, ErrorKind, Result};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::task::coop::unconstrained;
use tokio::time::{Instant, Sleep, sleep_until};

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

/// What `load` yields, or nothing once the deadline has passed. What does not wait has no timer made for it.
async fn within<F: Future>(deadline: Option<Instant>, load: F) -> Option<F::Output> {
    let mut load = pin!(load);
    let mut timer = pin!(None::<Sleep>);
    poll_fn(|cx| {
        if let Poll::Ready(output) = load.as_mut().poll(cx) {
            return Poll::Ready(Some(output));
        }
        if timer.is_none() {
            timer.set(deadline.map(sleep_until));
        }
        match timer.as_mut().as_pin_mut() {
            // Also where the load uses up its task's turn each time, or it would never be told to end.
            Some(timer) => pin!(unconstrained(timer)).poll(cx).map(|()| None),
            None => Poll::Pending,
        }
    })
    .await
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
        let load = within(began.checked_add(limit), AssertUnwindSafe(load).catch_unwind());
        let ended = load.map(|ended| match ended {
            Some(Ok(result)) => result,
            Some(Err(_)) => Err(self.error(ErrorKind::Unavailable, "the loader panicked")),
            None => Err(self.error(ErrorKind::Unavailable, format!("the loader did not end within {limit:?}"))),
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

#[cfg(test)]
mod tests {
    use std::future::{pending, ready};

    use super::*;

    #[test]
    fn what_does_not_wait_needs_no_timer() {
        let without_timers = tokio::runtime::Builder::new_current_thread().build().unwrap();
        assert_eq!(without_timers.block_on(within(Some(Instant::now()), ready(7))), Some(7));
    }

    #[tokio::test(start_paused = true)]
    async fn what_waits_has_until_its_deadline_and_without_one_for_ever() {
        let (began, second) = (Instant::now(), Duration::from_secs(1));
        assert_eq!(within(Some(began + second), pending::<()>()).await, None);
        assert_eq!(began.elapsed(), second);
        let slow = || tokio::time::sleep(second);
        assert_eq!(within(Some(Instant::now() + second * 2), slow()).await, Some(()));
        assert_eq!(within(None, slow()).await, Some(()));
    }

    #[tokio::test]
    async fn what_uses_up_its_turn_each_time_is_cut_as_well() {
        let greedy = async {
            loop {
                tokio::task::coop::consume_budget().await;
            }
        };
        let limit = Instant::now() + Duration::from_millis(10);
        let cut = tokio::spawn(within(Some(limit), greedy));
        let cut = tokio::time::timeout(Duration::from_secs(10), cut).await;
        assert_eq!(cut.expect("it is cut").unwrap(), None::<()>);
    }
}
