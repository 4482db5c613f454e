//! Draining the outbox: invalidations that some instance, or the application itself, has committed with its write.

use std::sync::atomic::Ordering;

use super::{Engine, LinkHealth};

/// Rows that are drained in one round trip.
const BATCH: usize = 256;

impl Engine {
    /// Does what the outbox asks for. Any instance drains the rows of all; a row is deleted after its invalidation was
    /// done, so none is lost, and doing one twice is harmless. Says whether none is left.
    pub(super) async fn drain_outbox(&self) -> bool {
        let (Some(link), Some(consistent)) = (self.link(), &self.consistent) else { return true };
        let Some(authority) = consistent.as_authority() else { return true };
        loop {
            if self.health() != LinkHealth::Up {
                return false;
            }
            let rows = match authority.pending(BATCH).await {
                Ok(rows) => {
                    self.presence.hear();
                    rows
                }
                Err(error) => {
                    tracing::debug!(%error, "the outbox could not be read; it is tried again");
                    return false;
                }
            };
            let Some(first) = rows.first() else {
                self.outbox_lag.store(0, Ordering::Relaxed);
                self.debts.outbox_is_empty();
                return true;
            };
            if let Ok(now) = consistent.time().await {
                self.outbox_lag.store(crate::settings::micros(now.saturating_since(first.written)), Ordering::Relaxed);
            }
            // A key that `copy:` makes too long has no copies.
            let keys: Vec<_> = rows.iter().filter_map(|row| self.copy_key(&row.key).ok()).collect();
            if self.ask(link.unmark(&keys, self.random.token(), self.settings.shared_deadline)).await.is_err() {
                return false;
            }
            for row in &rows {
                // The shared tier tells those who read it; who has not is told here.
                self.forget(&row.key);
            }
            let ids: Vec<_> = rows.iter().map(|row| row.id).collect();
            if let Err(error) = authority.settle(&ids).await {
                tracing::debug!(%error, "the outbox could not be cleared; its invalidations are done again");
                return false;
            }
            self.counters.repairs.add(rows.len() as u64);
            if rows.len() < BATCH {
                self.outbox_lag.store(0, Ordering::Relaxed);
                self.debts.outbox_is_empty();
                return true;
            }
        }
    }
}
