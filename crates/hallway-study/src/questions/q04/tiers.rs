//! The architectures of Q4, as users put them together, and what F2, F3 and F7 say of each.

use std::sync::Arc;
use std::time::Duration;

use hallway::moka::MokaStore;
use hallway::redis::RedisStore;
use hallway::sql::SqlStore;
use hallway::{KvStore, NamespaceOptions, StoreUrl, TieredStore};

use crate::Result;
use crate::formulas::{CachingTier, hit_ratio_with_write_share, mean_of_requests, tiered_mean};
use crate::lab::{Backend, Lab};
use crate::load::contenders::until_ready;

/// How long the tiers may take to connect, and Redis to answer: a machine that is measured is busy.
const PATIENCE: Duration = Duration::from_secs(10);
/// Copies live longer than any measurement: only writes end them.
const TTL: Duration = Duration::from_secs(3_600);
/// Writes of the shared tier that a fill takes: the lease and the copy.
const WRITES_OF_FILL: f64 = 2.0;
/// Writes of the shared tier that a write takes: the marker and its end.
const WRITES_OF_MARKER: f64 = 2.0;

/// Who answers reads in front of the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tiers {
    /// Nobody.
    Database,
    /// Copies in this process, the only one.
    Local,
    /// Copies in Redis.
    Shared,
    /// Copies in this process and in Redis.
    Both,
}

impl Tiers {
    pub(super) const ALL: [Self; 4] = [Self::Database, Self::Local, Self::Shared, Self::Both];

    /// As it stands in ids.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Database => "database",
            Self::Local => "local-copies",
            Self::Shared => "shared-copies",
            Self::Both => "local+shared-copies",
        }
    }

    pub(super) fn of_name(name: &str) -> Result<Self> {
        let known = Self::ALL.into_iter().find(|tiers| tiers.name() == name);
        known.ok_or_else(|| format!("there are no tiers called {name}").into())
    }

    /// Those that the stores of a study allow. Where there is Redis, one process alone is not what is asked about.
    pub(super) fn present(has_redis: bool) -> Vec<Self> {
        if has_redis { vec![Self::Database, Self::Shared, Self::Both] } else { vec![Self::Database, Self::Local] }
    }

    /// Opens the tiers and waits until they are connected. The second is what counts, where there are copies.
    pub(super) async fn open(self, lab: &Lab) -> Result<(Arc<dyn KvStore>, Option<TieredStore>)> {
        let sql = SqlStore::open_url(StoreUrl::parse(&lab.url(lab.database())?)?).await?;
        let local = || Ok::<_, crate::Failure>(MokaStore::open_url(StoreUrl::parse("moka:?max_entries=10000")?)?);
        let defaults = NamespaceOptions::default().with_local_ttl(TTL);
        let tiers = match self {
            Self::Database => {
                sql.ping().await?;
                return Ok((Arc::new(sql), None));
            }
            Self::Local => {
                TieredStore::builder().local(local()?).consistent(sql).single_instance().defaults(defaults).build()?
            }
            Self::Shared => {
                let shared = RedisStore::open_url(StoreUrl::parse(&lab.url(Backend::RedisTcp)?)?).await?;
                TieredStore::builder()
                    .shared(shared)
                    .consistent(sql)
                    .defaults(defaults)
                    .shared_deadline(PATIENCE)
                    .build()?
            }
            Self::Both => {
                let shared = RedisStore::open_url(StoreUrl::parse(&lab.url(Backend::RedisTcp)?)?).await?;
                TieredStore::builder()
                    .local(local()?)
                    .shared(shared)
                    .consistent(sql)
                    .defaults(defaults)
                    .shared_deadline(PATIENCE)
                    .build()?
            }
        };
        tiers.ping().await?;
        until_ready(&tiers, PATIENCE).await?;
        Ok((Arc::new(tiers.clone()), Some(tiers)))
    }

    /// The mean of a request by the costs of the parts, with so many reads per write.
    ///
    /// Without a limit of room the hit ratio is the share of the reads (F7, and F3 without a TTL). A write ends both
    /// copies, so behind local copies of the only process the shared tier finds nothing.
    pub(super) fn mean(self, reads_per_write: f64, parts: &Parts) -> f64 {
        let reads = read_share(reads_per_write);
        let hit_ratio = hit_ratio_with_write_share(1.0, 1.0 - reads);
        let local = CachingTier { hit_ratio, read: parts.local_get, fill: parts.local_set };
        let shared =
            |hit_ratio| CachingTier { hit_ratio, read: parts.shared_get, fill: WRITES_OF_FILL * parts.shared_set };
        let marker = WRITES_OF_MARKER * parts.shared_set;
        let (tiers, invalidate) = match self {
            Self::Database => (Vec::new(), 0.0),
            Self::Local => (vec![local], parts.local_set),
            Self::Shared => (vec![shared(hit_ratio)], marker),
            Self::Both => (vec![local, shared(0.0)], parts.local_set + marker),
        };
        mean_of_requests(reads, tiered_mean(&tiers, parts.database_get), parts.database_set + invalidate)
    }
}

/// What the parts of a request cost, nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Parts {
    pub(super) local_get: f64,
    pub(super) local_set: f64,
    pub(super) shared_get: f64,
    pub(super) shared_set: f64,
    pub(super) database_get: f64,
    pub(super) database_set: f64,
}

/// The share of reads among all requests.
pub(super) fn read_share(reads_per_write: f64) -> f64 {
    if reads_per_write.is_infinite() {
        return 1.0;
    }
    reads_per_write / (1.0 + reads_per_write)
}

/// The fewest reads per write at which copies pay by the formulas; `None` if they do not up to a million.
pub(super) fn least_reads_per_write(tiers: Tiers, parts: &Parts) -> Option<f64> {
    let pays = |ln: f64| tiers.mean(ln.exp(), parts) < Tiers::Database.mean(ln.exp(), parts);
    let (mut low, mut high) = (1e-3_f64.ln(), 1e6_f64.ln());
    if !pays(high) {
        return None;
    }
    if pays(low) {
        return Some(low.exp());
    }
    while high - low > 1e-9 {
        let middle = f64::midpoint(low, high);
        if pays(middle) { high = middle } else { low = middle }
    }
    Some(high.exp())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::formulas::break_even_hit_ratio_with_writes;

    const PARTS: Parts = Parts {
        local_get: 1.0,
        local_set: 2.0,
        shared_get: 50.0,
        shared_set: 60.0,
        database_get: 400.0,
        database_set: 1_000.0,
    };

    #[test]
    fn the_means_by_hand() {
        // Every second request reads, and half of the reads hit.
        assert_eq!(Tiers::Database.mean(1.0, &PARTS), 700.0);
        assert_eq!(Tiers::Local.mean(1.0, &PARTS), 0.5 * (1.0 + 0.5 * 402.0) + 0.5 * 1_002.0);
        assert_eq!(Tiers::Shared.mean(1.0, &PARTS), 0.5 * (50.0 + 0.5 * 520.0) + 0.5 * 1_120.0);
        assert_eq!(Tiers::Both.mean(1.0, &PARTS), 0.5 * (1.0 + 0.5 * (50.0 + 520.0 + 2.0)) + 0.5 * 1_122.0);
    }

    #[test]
    fn the_fewest_reads_per_write_are_where_f2_meets_f7() {
        let least = least_reads_per_write(Tiers::Shared, &PARTS).unwrap();
        let reads = read_share(least);
        let hit_ratio = break_even_hit_ratio_with_writes(50.0, 120.0, 400.0, 120.0, reads);
        assert!((hit_ratio - reads).abs() < 1e-6, "{least}: {hit_ratio} {reads}");
        let slow = Parts { shared_get: 500.0, ..PARTS };
        assert_eq!(least_reads_per_write(Tiers::Shared, &slow), None);
    }

    #[test]
    fn names_are_unique_and_come_back() {
        for tiers in Tiers::ALL {
            assert_eq!(Tiers::of_name(tiers.name()).unwrap(), tiers);
        }
        Tiers::of_name("none").unwrap_err();
    }
}
