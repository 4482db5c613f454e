//! The work that a caller does in its own task, and how it leaves that task when others depend on it.

use std::future::Future;
use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::Context;

/// Serves batch after batch on one connection.
pub(super) type Serve = Pin<Box<dyn Future<Output = ()> + Send>>;

/// Where a leading caller leaves its work between two polls.
///
/// Nobody can make a caller poll its future again, so whoever comes to depend on the work takes it out of here and
/// gives it a task of its own.
#[derive(Default)]
pub(super) struct Slot(Mutex<Held>);

#[derive(Default)]
enum Held {
    /// The caller does not lead, or not any more.
    #[default]
    Nothing,
    /// The caller is at it. Whether somebody wants it to go on elsewhere.
    Polled {
        wanted: bool,
    },
    Resting(Serve),
}

impl Slot {
    /// From now on the caller leads; its work comes with [`rest`](Self::rest).
    pub(super) fn begin(&self) {
        *self.lock() = Held::Polled { wanted: false };
    }

    pub(super) fn leads(&self) -> bool {
        !matches!(*self.lock(), Held::Nothing)
    }

    pub(super) fn rest(&self, serve: Serve) {
        let mut held = self.lock();
        if matches!(*held, Held::Polled { wanted: true }) {
            *held = Held::Nothing;
            drop(held);
            spawn(serve);
        } else {
            *held = Held::Resting(serve);
        }
    }

    /// Goes on with the work, if it is still here.
    pub(super) fn poll(&self, context: &mut Context<'_>) {
        let mut held = self.lock();
        let mut serve = match std::mem::replace(&mut *held, Held::Polled { wanted: false }) {
            Held::Resting(serve) => serve,
            other => {
                *held = other;
                return;
            }
        };
        // Not under the lock: the work answers callers and looks for more.
        drop(held);
        if serve.as_mut().poll(context).is_ready() {
            *self.lock() = Held::Nothing;
        } else {
            self.rest(serve);
        }
    }

    /// Gives the work a task of its own.
    pub(super) fn hand_over(&self) {
        let mut held = self.lock();
        match std::mem::take(&mut *held) {
            Held::Nothing => {}
            Held::Polled { .. } => *held = Held::Polled { wanted: true },
            Held::Resting(serve) => {
                drop(held);
                spawn(serve);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Held> {
        // Nothing that runs under the lock can leave it half-changed.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

pub(super) fn spawn(future: impl Future<Output = ()> + Send + 'static) {
    // Without a runtime nothing can go on; dropping the future gives the connection up, and `Busy` notes it.
    if let Ok(runtime) = tokio::runtime::Handle::try_current() {
        runtime.spawn(future);
    }
}
