//! Deletes what has expired. Nothing depends on it but the size of the table: no read sees an expired entry.

use std::sync::Weak;
use std::time::Duration;

use tokio::time::Instant;

use crate::dialect::Verb;
use crate::lane::{Lane, Request};
use crate::link::Bounds;

/// Entries deleted by one statement: few enough that nobody waits long for their locks.
const BATCH: i64 = 1_000;

/// Nobody waits longer, and instants stay far from the end of the clock.
const LONGEST: Duration = Duration::from_secs(365 * 24 * 3600);

/// Sweeps until the last handle of the store is gone.
pub(crate) async fn sweep(lane: Weak<Lane>, interval: Duration, deadline: Duration) {
    let (interval, deadline) = (interval.min(LONGEST), deadline.min(LONGEST));
    loop {
        // Between a half and one and a half of it, so that instances do not sweep in step.
        tokio::time::sleep(interval.mul_f64(0.5 + rand::random::<f64>())).await;
        loop {
            let Some(lane) = lane.upgrade() else { return };
            let bounds = Bounds { limit: BATCH, ..Bounds::default() };
            let request = Request::within(Verb::Sweep, bounds);
            match lane.call(request, Instant::now() + deadline).await {
                // There may be more; callers' writes go first.
                Ok(answer) if answer.changed >= BATCH as u64 => tokio::task::yield_now().await,
                Ok(answer) => {
                    tracing::debug!(deleted = answer.changed, "swept expired entries");
                    break;
                }
                // The next round tries again.
                Err(error) => {
                    tracing::debug!(?error, "could not sweep expired entries");
                    break;
                }
            }
        }
    }
}
