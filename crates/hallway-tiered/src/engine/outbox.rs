//! Draining the outbox: invalidations that some instance, or the application itself, has committed with its write.

use std::sync::atomic::Ordering;

use hallway_core::{AuthorityTier, OutboxRow, Result, SharedLink};

use super::{Engine, LinkHealth};
use crate::observe;

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
            // Without it the rows are drained all the same; only how late they are is not known.
            let now = consistent
                .time()
                .await
                .inspect_err(|error| tracing::debug!(%error, "the lag of the outbox is not known"));
            let now = now.ok();
            if let Some(now) = now {
                self.outbox_lag.store(crate::settings::micros(now.saturating_since(first.written)), Ordering::Relaxed);
            }
            let drained = self.drain_rows(&**link, authority, &rows);
            if observe::traced(observe::of_drain(rows.len()), drained).await.is_err() {
                return false;
            }
            self.counters.repairs.add(rows.len() as u64);
            if let Some(now) = now {
                observe::repaired(rows.iter().map(|row| now.saturating_since(row.written)));
            }
            if rows.len() < BATCH {
                self.outbox_lag.store(0, Ordering::Relaxed);
                self.debts.outbox_is_empty();
                return true;
            }
        }
    }

    /// Does what these rows ask for, and deletes them.
    async fn drain_rows(&self, link: &dyn SharedLink, authority: &dyn AuthorityTier, rows: &[OutboxRow]) -> Result<()> {
        // A key that `copy:` makes too long has no copies.
        let keys: Vec<_> = rows.iter().filter_map(|row| self.copy_key(&row.key).ok()).collect();
        self.ask(link.unmark(&keys, self.random.token(), self.settings.shared_deadline)).await?;
        for row in rows {
            // The shared tier tells those who read it; who has not is told here.
            self.forget(&row.key);
        }
        let ids: Vec<_> = rows.iter().map(|row| row.id).collect();
        authority.settle(&ids).await.inspect_err(|error| {
            tracing::debug!(%error, "the outbox could not be cleared; its invalidations are done again");
        })
    }
}
