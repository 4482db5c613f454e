//! What becomes of one call.

use std::future::Future;
use std::time::Duration;

use hallway_core::{Error, ErrorKind, Result};
use tokio::time::{Instant, sleep_until, timeout_at};

use super::{Access, Effect, Faults};

/// A call as the faults in force let it go.
pub(super) async fn judged<T>(
    faults: &Faults,
    patience: Duration,
    access: Access,
    operation: &'static str,
    call: impl Future<Output = Result<T>> + Send,
) -> Result<T> {
    let verdict = faults.judge(access);
    let late = || unknown(access, operation, "no answer by the deadline");
    // A deadline beyond what the clock can say is none.
    let deadline = Instant::now().checked_add(patience);
    if !verdict.latency.is_zero() {
        let starts = Instant::now().checked_add(verdict.latency);
        if deadline.is_some_and(|deadline| starts.is_none_or(|starts| deadline < starts)) {
            hang(deadline).await;
            return Err(late());
        }
        hang(starts).await;
    }
    match verdict.effect {
        Some(Effect::BlackHole) => {
            hang(deadline).await;
            Err(late())
        }
        Some(Effect::Error(kind)) => Err(Error::new(kind, "a fault was injected").at("fault", operation)),
        Some(Effect::LostReply) => {
            call.await?;
            Err(unknown(access, operation, "the reply was lost"))
        }
        Some(Effect::Latency(_)) | None => match deadline {
            // What the latency has left; without latency the store keeps its own deadline.
            Some(deadline) if !verdict.latency.is_zero() => {
                timeout_at(deadline, call).await.unwrap_or_else(|_| Err(late()))
            }
            _ => call.await,
        },
    }
}

async fn hang(until: Option<Instant>) {
    match until {
        Some(until) => sleep_until(until).await,
        None => std::future::pending().await,
    }
}

fn unknown(access: Access, operation: &'static str, message: &'static str) -> Error {
    let kind = match access {
        Access::Read => ErrorKind::Unavailable,
        Access::Write => ErrorKind::Indeterminate,
    };
    Error::new(kind, message).at("fault", operation)
}
