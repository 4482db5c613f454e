//! Asking the shared tier: breaker, health, and what the link reports.

use std::future::Future;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Weak};
use std::time::Duration;

use hallway_core::{Error, ErrorKind, LinkState, Result};

use super::Engine;
use crate::breaker::{Permit, is_outage};

/// How often a tier that gave no answers is asked whether it is back.
const PROBE: Duration = Duration::from_millis(300);

/// Whether the shared tier can be used, as local hits need to know it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum LinkHealth {
    /// No connection, or calls go unanswered.
    Down = 0,
    /// Connected, and the server tells of changes.
    Up = 1,
    /// Connected, but the server tells of no changes.
    Untracked = 2,
}

impl LinkHealth {
    fn from_u8(value: u8) -> Self {
        match value {
            1 => Self::Up,
            2 => Self::Untracked,
            _ => Self::Down,
        }
    }
}

/// Ends a probe whatever becomes of its caller.
struct Probe<'a> {
    engine: &'a Engine,
    alive: bool,
}

impl Drop for Probe<'_> {
    fn drop(&mut self) {
        self.engine.breaker.probed(self.alive);
        self.engine.judge_health();
    }
}

impl Engine {
    pub(crate) fn health(&self) -> LinkHealth {
        LinkHealth::from_u8(self.health.load(Ordering::Acquire))
    }

    /// A call to the shared tier, unless it is known to give no answers.
    pub(crate) async fn ask<T>(&self, call: impl Future<Output = Result<T>>) -> Result<T> {
        let permit = self.breaker.permit();
        if permit == Permit::Refuse {
            self.counters.shared_refusals.one();
            return Err(Error::new(
                ErrorKind::Unavailable,
                "the shared tier gives no answers; it is asked again in the background",
            )
            .at("shared", "call"));
        }
        let mut probe = (permit == Permit::Probe).then(|| Probe { engine: self, alive: false });
        let answer = call.await;
        let outage = answer.as_ref().is_err_and(|error| is_outage(error.kind()));
        if outage {
            self.counters.shared_failures.one();
            if self.breaker.failed() {
                tracing::warn!("the shared tier gives no answers: reads go to the authority until it does");
                self.judge_health();
                self.probe_in_background();
            }
        } else {
            self.breaker.succeeded();
            if let Some(probe) = &mut probe {
                probe.alive = true;
            }
        }
        answer
    }

    /// What the link says about itself. Called in the connection's task.
    pub(super) fn link_changed(&self, state: LinkState) {
        let health = match state {
            LinkState::Down => LinkHealth::Down,
            LinkState::Tracked => LinkHealth::Up,
            LinkState::Untracked => LinkHealth::Untracked,
        };
        self.link_state.store(health as u8, Ordering::Release);
        if state != LinkState::Down {
            // It has just answered.
            self.breaker.close();
            self.wake.notify_one();
        }
        self.judge_health();
    }

    fn judge_health(&self) {
        let refused = !matches!(self.breaker.state(), crate::BreakerState::Closed);
        let health = if refused { LinkHealth::Down as u8 } else { self.link_state.load(Ordering::Acquire) };
        self.health.store(health, Ordering::Release);
    }

    fn probe_in_background(&self) {
        let Some(engine) = self.me.get().and_then(Weak::upgrade) else { return };
        if tokio::runtime::Handle::try_current().is_err() {
            return;
        }
        let weak = Arc::downgrade(&engine);
        drop(engine);
        self.spawn(async move {
            loop {
                tokio::time::sleep(PROBE).await;
                let Some(engine) = weak.upgrade() else { return };
                if engine.is_closing() || engine.breaker.state() == crate::BreakerState::Closed {
                    engine.judge_health();
                    return;
                }
                let Some(link) = engine.link() else { return };
                if link.ping(engine.settings.shared_deadline).await.is_ok() {
                    engine.breaker.close();
                    engine.judge_health();
                    engine.wake.notify_one();
                    tracing::info!("the shared tier answers again");
                    return;
                }
            }
        });
    }
}
