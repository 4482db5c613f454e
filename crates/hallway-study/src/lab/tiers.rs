//! Tiers over the stores of a study, as applications build them.

use std::sync::Arc;
use std::time::Duration;

use hallway::moka::MokaStore;
use hallway::redis::RedisStore;
use hallway::{Bytes, Key, KvStore, Namespace, NamespaceOptions, StoreUrl, TieredBuilder, TieredStore, Ttl};

use super::{Backend, Lab};
use crate::Result;
use crate::load::Workload;
use crate::load::contenders::{TTL, until_ready};

/// How long tiers may take to connect, to answer and to end: a machine that is measured is busy.
const PATIENCE: Duration = Duration::from_secs(10);
/// Entries that are written in one call before anything is timed.
const SEEDED_AT_ONCE: usize = 500;

/// Which tiers stand in front of a database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tiers {
    /// Entries of the tier in the process; `None` for no such tier.
    pub local_entries: Option<u64>,
    /// How long a local copy lives; longer than any measurement, if not given.
    pub local_ttl: Option<Duration>,
    /// Whether Redis stands between.
    pub shared: bool,
}

impl Lab {
    /// Tiers in front of a database that is open already, connected. Several of them are several instances: each has a
    /// local tier and a connection to Redis of its own.
    ///
    /// # Errors
    /// If there is no Redis, or the tiers are not ready in time.
    pub async fn tiers(&self, tiers: Tiers, database: &Arc<dyn KvStore>) -> Result<TieredStore> {
        let local: Option<Arc<dyn KvStore>> = match tiers.local_entries {
            Some(entries) => {
                let url = StoreUrl::parse(&format!("moka:?max_entries={entries}"))?;
                Some(Arc::new(MokaStore::open_url(url)?))
            }
            None => None,
        };
        let shared: Option<Arc<dyn KvStore>> = match tiers.shared {
            true => Some(Arc::new(RedisStore::open_url(StoreUrl::parse(&self.url(Backend::RedisTcp)?)?).await?)),
            false => None,
        };
        let options = NamespaceOptions::default().with_local_ttl(tiers.local_ttl.unwrap_or(TTL));
        let store = TieredBuilder::from_parts(local, shared, Some(Arc::clone(database)))
            .defaults(options)
            .shared_deadline(PATIENCE)
            .build()?;
        until_ready(&store, PATIENCE).await?;
        Ok(store)
    }

    /// Keys of a namespace that nobody has used, their first values written to a store.
    ///
    /// # Errors
    /// If writing fails.
    pub async fn seeded(&self, store: &Arc<dyn KvStore>, workload: &Workload) -> Result<Vec<Key>> {
        let namespace = Namespace::new(&self.namespace())?;
        let keys = workload.names().map(|name| namespace.key(name)).collect::<hallway::Result<Vec<_>>>()?;
        let items: Vec<(Key, Bytes, Ttl)> = keys
            .iter()
            .enumerate()
            .map(|(index, key)| (key.clone(), workload.value(index, 0).clone(), Ttl::After(TTL)))
            .collect();
        for items in items.chunks(SEEDED_AT_ONCE) {
            store.set_many(items).await?;
        }
        Ok(keys)
    }

    /// Ends tiers, so that their connections are gone.
    pub(crate) async fn end(&self, tiers: &[TieredStore]) -> Result<()> {
        for tiers in tiers {
            if !tiers.shutdown(PATIENCE).await {
                return Err(format!("something was still owed to the shared tier after {PATIENCE:?}").into());
            }
        }
        Ok(())
    }
}
