//! One look: what the observer's own instance has counted, and what stands in the tiers.

use std::sync::Arc;
use std::time::{Duration, Instant};

use hallway::{Cursor, Health, Key, KvStore, Prefix, Result, Stores, TierHealth, TieredStats, TieredStore, Timestamp};
use serde::Serialize;

use crate::copies::{self, Seen, Walk};
use crate::failure::Failure;
use crate::tier_args::Deployment;
use crate::ttl::rfc3339;
use crate::verbs::ping::health_name;

/// How long a tier may take to say that it is there.
const PATIENCE: Duration = Duration::from_secs(1);

/// Rows of the outbox that are counted; more are as bad.
const OUTBOX: usize = 1_000;

/// What one look saw.
#[derive(Serialize)]
pub(super) struct Sight {
    pub(super) at: String,
    pub(super) tiers: Vec<TierRow>,
    pub(super) link: &'static str,
    pub(super) breaker: &'static str,
    /// How long ago the link last proved that no invalidation is missing.
    pub(super) proven_ms: Option<f64>,
    pub(super) bound: String,
    /// Pushed to the observer since it began.
    pub(super) invalidations: u64,
    pub(super) flushes: u64,
    /// By the observer itself.
    pub(super) owed: usize,
    /// By all instances, in the table of the consistent tier.
    pub(super) outbox: Option<usize>,
    pub(super) lag_ms: f64,
    pub(super) copies: Option<Copies>,
    /// Reads of the observer that failed.
    pub(super) failed_reads: u64,
}

#[derive(Serialize)]
pub(super) struct TierRow {
    pub(super) tier: &'static str,
    pub(super) health: &'static str,
    /// Of a call that asks whether it is there.
    pub(super) latency_us: Option<f64>,
    /// Reads of the observer that it answered since it began, and since the look before.
    pub(super) hits: u64,
    pub(super) new_hits: u64,
}

/// What stands under the keys of the copies that were looked at.
#[derive(Debug, Default, Serialize)]
pub(super) struct Copies {
    pub(super) values: usize,
    pub(super) leases: usize,
    pub(super) marked: usize,
}

#[cfg(test)]
impl Sight {
    pub(super) fn empty() -> Self {
        Self {
            at: "2026-01-31T12:00:00.000Z".to_owned(),
            tiers: Vec::new(),
            link: "none",
            breaker: "closed",
            proven_ms: None,
            bound: String::new(),
            invalidations: 0,
            flushes: 0,
            owed: 0,
            outbox: None,
            lag_ms: 0.0,
            copies: None,
            failed_reads: 0,
        }
    }
}

/// An instance that only looks on.
pub(super) struct Observer {
    stores: Stores,
    tiers: TieredStore,
    prefix: Prefix,
    walk: Walk,
    after: Option<Cursor>,
    sample: usize,
    /// Reads that found something, which is what hits are made of.
    found: u64,
    failed: u64,
    before: [u64; 3],
}

impl Observer {
    pub(super) async fn open(deployment: &Deployment, prefix: Prefix, sample: usize) -> Result<Self, Failure> {
        let stores = deployment.open_stores().await?;
        let tiers = deployment.build(stores.clone())?;
        let walk = Walk::new(&prefix)?;
        Ok(Self { stores, tiers, prefix, walk, after: None, sample, found: 0, failed: 0, before: [0; 3] })
    }

    pub(super) async fn close(&self) {
        self.tiers.shutdown(PATIENCE).await;
    }

    pub(super) async fn look(&mut self) -> Sight {
        let copies = if self.sample == 0 { None } else { self.read().await };
        let latencies = [
            latency(self.stores.local.as_ref()).await,
            latency(self.stores.shared.as_ref()).await,
            latency(self.stores.consistent.as_ref()).await,
        ];
        let outbox = self.outbox().await;
        let (health, stats) = (self.tiers.health(), self.tiers.stats());
        let hits = self.hits(&stats);
        let states = [health.local, health.shared, health.consistent];
        let mut rows = Vec::new();
        for (at, tier) in ["local", "shared", "consistent"].into_iter().enumerate() {
            if states[at] == TierHealth::Absent {
                continue;
            }
            rows.push(TierRow {
                tier,
                health: if latencies[at].is_none() { "down" } else { health_name(states[at]) },
                latency_us: latencies[at],
                hits: hits[at],
                new_hits: hits[at].saturating_sub(self.before[at]),
            });
        }
        self.before = hits;
        Sight {
            at: rfc3339(Timestamp::now()),
            tiers: rows,
            link: link(&health),
            breaker: breaker(&health),
            proven_ms: health.proven.map(millis),
            bound: health.bound.to_string(),
            invalidations: stats.invalidations,
            flushes: stats.flushes,
            owed: health.owed,
            outbox,
            lag_ms: millis(health.lag),
            copies,
            failed_reads: self.failed,
        }
    }

    /// Local, shared, and all others from the authority below.
    fn hits(&self, stats: &TieredStats) -> [u64; 3] {
        let set = self.tiers.tiers();
        let rest = self.found.saturating_sub(stats.local_hits + stats.shared_hits);
        match (set.shared, set.consistent) {
            (_, true) => [stats.local_hits, stats.shared_hits, rest],
            (true, false) => [stats.local_hits, stats.shared_hits + rest, 0],
            (false, false) => [rest + stats.local_hits, 0, 0],
        }
    }

    /// Reads some keys through the tiers as an application would, going on where the look before ended.
    async fn read(&mut self) -> Option<Copies> {
        let shared = self.stores.shared.clone().filter(|_| self.stores.consistent.is_some());
        let chosen = match &shared {
            Some(shared) => self.copied(shared).await,
            None => self.listed().await.map(|keys| (keys, None)),
        };
        let Ok((keys, copies)) = chosen else {
            self.failed += 1;
            return None;
        };
        match self.tiers.get_many(&keys).await {
            Ok(values) => self.found += values.iter().flatten().count() as u64,
            Err(_) => self.failed += 1,
        }
        copies
    }

    /// Keys that have copies. Those of a loader are counted and left alone: only the application can load them again.
    async fn copied(&mut self, shared: &Arc<dyn KvStore>) -> Result<(Vec<Key>, Option<Copies>)> {
        let mut page = self.walk.next(&**shared, self.sample).await?.unwrap_or_default();
        page.truncate(self.sample);
        let (mut keys, mut copies) = (Vec::new(), Copies::default());
        for seen in copies::look(&**shared, &page).await? {
            match seen {
                Seen::Plain(key, ..) => {
                    copies.values += 1;
                    keys.push(key);
                }
                Seen::Loaded => copies.values += 1,
                Seen::Lease => copies.leases += 1,
                Seen::Markers => copies.marked += 1,
                Seen::Nothing => {}
            }
        }
        Ok((keys, Some(copies)))
    }

    async fn listed(&mut self) -> Result<Vec<Key>> {
        let page = self.tiers.scan(&self.prefix, self.after.clone(), self.sample).await?;
        self.after = page.next.filter(|next| !page.keys.is_empty() || self.after.as_ref() != Some(next));
        Ok(page.keys)
    }

    async fn outbox(&self) -> Option<usize> {
        let consistent = self.stores.consistent.as_ref().filter(|_| self.stores.shared.is_some())?;
        let pending = consistent.as_authority()?.pending(OUTBOX);
        Some(tokio::time::timeout(PATIENCE, pending).await.ok()?.ok()?.len())
    }
}

/// `None` for a tier that is not there or gives no answer.
async fn latency(store: Option<&Arc<dyn KvStore>>) -> Option<f64> {
    let store = store?.with_deadline(PATIENCE);
    let start = Instant::now();
    store.ping().await.ok()?;
    Some((start.elapsed().as_nanos() / 100) as f64 / 10.0)
}

fn link(health: &Health) -> &'static str {
    match (health.shared, health.proven) {
        (TierHealth::Absent, _) => "none",
        (TierHealth::Degraded, _) => "down",
        (TierHealth::Ready, None) => "not used",
        (TierHealth::Ready, Some(_)) => "up",
    }
}

fn breaker(health: &Health) -> &'static str {
    use hallway::BreakerState::{Closed, HalfOpen, Open};
    match health.breaker {
        Closed => "closed",
        HalfOpen => "half open",
        Open => "open",
    }
}

fn millis(duration: Duration) -> f64 {
    duration.as_micros() as f64 / 1e3
}
