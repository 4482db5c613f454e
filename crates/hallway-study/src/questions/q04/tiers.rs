//! The architectures of Q4, as users put them together, and what F1, F2 and F7 say of each.

use std::sync::Arc;
use std::time::Duration;

use hallway::moka::MokaStore;
use hallway::redis::RedisStore;
use hallway::sql::SqlStore;
use hallway::{KvStore, NamespaceOptions, StoreUrl, TieredStore};

use crate::Result;
use crate::formulas::hit_ratio_with_write_share;
use crate::lab::{Backend, Lab};
use crate::load::contenders::until_ready;
use crate::study::{Chain, Hits};

/// How long the tiers may take to connect, and Redis to answer: a machine that is measured is busy.
const PATIENCE: Duration = Duration::from_secs(10);
/// Copies live longer than any measurement: only writes end them.
const TTL: Duration = Duration::from_secs(3_600);

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

    /// How often a request calls Redis and the database, with so many reads per write.
    pub(super) fn calls(self, reads_per_write: f64) -> [f64; 2] {
        let reads = read_share(reads_per_write);
        let Hits { local, shared } = self.hits(reads_per_write);
        let beyond_local = reads * (1.0 - local.unwrap_or(0.0));
        let looks = beyond_local * shared.unwrap_or(0.0);
        let (misses, writes) = (beyond_local - looks, 1.0 - reads);
        // A miss looks, takes the lease and fills; a write sets the marker and takes it away.
        let redis = if shared.is_some() { looks + 3.0 * misses + 2.0 * writes } else { 0.0 };
        [redis, misses + writes]
    }

    /// How often copies answer, with so many reads per write.
    ///
    /// Without a limit of room the hit ratio is the share of the reads (F7, and F3 without a TTL). A write ends both
    /// copies; the next read fills the shared tier alone, the one after it finds that and keeps a local copy, so that the
    /// local tier hits what was read twice since, and the shared one what was read once.
    fn hits(self, reads_per_write: f64) -> Hits {
        let reads = read_share(reads_per_write);
        let hit_ratio = hit_ratio_with_write_share(1.0, 1.0 - reads);
        let (local, shared) = match self {
            Self::Database => (None, None),
            Self::Local => (Some(hit_ratio), None),
            Self::Shared => (None, Some(hit_ratio)),
            Self::Both => (Some(hit_ratio * hit_ratio), Some(hit_ratio / (1.0 + hit_ratio))),
        };
        Hits { local, shared }
    }

    /// The mean of a request, with so many reads per write, composed of its parts in these rounds (F1, F2).
    pub(super) fn mean(self, reads_per_write: f64, chain: &Chain, drawn: &[usize]) -> f64 {
        chain.request(self.hits(reads_per_write), 1.0 - read_share(reads_per_write), drawn)
    }
}

/// The share of reads among all requests.
pub(super) fn read_share(reads_per_write: f64) -> f64 {
    if reads_per_write.is_infinite() {
        return 1.0;
    }
    reads_per_write / (1.0 + reads_per_write)
}

/// The fewest reads per write at which copies pay by the formulas; `None` if they do not up to a million.
pub(super) fn least_reads_per_write(tiers: Tiers, chain: &Chain) -> Option<f64> {
    let all: Vec<usize> = (0..chain.rounds()).collect();
    let pays = |ln: f64| tiers.mean(ln.exp(), chain, &all) < Tiers::Database.mean(ln.exp(), chain, &all);
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

    #[test]
    fn the_calls_by_hand() {
        // Of ten requests one writes and 0.9 miss. Of the 8.1 that hit, 0.81 were read once since the last write.
        let expected = [(Tiers::Database, [0.0, 1.0]), (Tiers::Local, [0.0, 0.19])];
        let with_redis = [(Tiers::Shared, [0.81 + 0.27 + 0.2, 0.19]), (Tiers::Both, [0.081 + 0.27 + 0.2, 0.19])];
        for (tiers, calls) in expected.into_iter().chain(with_redis) {
            for (found, exact) in tiers.calls(9.0).into_iter().zip(calls) {
                assert!((found - exact).abs() < 1e-12, "{tiers:?}: {found} {exact}");
            }
        }
    }

    #[test]
    fn names_are_unique_and_come_back() {
        for tiers in Tiers::ALL {
            assert_eq!(Tiers::of_name(tiers.name()).unwrap(), tiers);
        }
        Tiers::of_name("none").unwrap_err();
    }
}
