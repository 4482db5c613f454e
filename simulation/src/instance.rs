//! One start of one process, with its tiers.

use std::sync::Arc;
use std::time::Duration;

use hallway_core::{KvStore, Result};
use hallway_redis::RedisConfig;
use hallway_testkit::sim::{SimLink, SimProcess, SimRedis, SimSql};
use hallway_tiered::{Cache, NamespaceOptions, OnSharedDown, TieredStore};

use crate::local::SimLocal;
use crate::scenario::{COPY_TTL, Fault, Scenario, Tiers};

/// What a process has.
#[derive(Clone)]
pub(crate) struct Instance {
    pub(crate) process: SimProcess,
    pub(crate) tiers: TieredStore,
    /// Over a loader that reads the database.
    pub(crate) cache: Cache<u64>,
    /// Its own client of the database, for loaders and for exact reads.
    pub(crate) sql: Arc<dyn KvStore>,
    pub(crate) link: SimLink,
    /// For the record: another one after each start.
    pub(crate) number: u32,
}

impl Instance {
    pub(crate) fn start(
        scenario: &Scenario,
        process: SimProcess,
        redis: &SimRedis,
        sql: &SimSql,
        number: u32,
    ) -> Result<Self> {
        let link = process.link(redis);
        let wire = link.clone();
        let seed = scenario.seed.wrapping_mul(31).wrapping_add(u64::from(number));
        let shared = RedisConfig::over(move || wire.connect())
            .with_deadline(Duration::from_millis(250))
            .with_jitter_seed(seed)
            .open()?;
        let local = SimLocal::new(process.clock());
        // Where the database is slow its callers give up before it does.
        let patience = if scenario.fault == Fault::Sql { Duration::from_millis(400) } else { Duration::from_secs(5) };
        let database: Arc<dyn KvStore> = process.sql(sql).with_deadline(patience);
        let options = NamespaceOptions::new()
            .with_copy_ttl(COPY_TTL)
            .with_local_ttl(Duration::from_secs(20))
            .with_degraded_ttl(scenario.degraded_ttl)
            .with_on_shared_down(scenario.policy);
        let options = if scenario.policy == OnSharedDown::Fail && scenario.degraded_ttl.is_zero() {
            options.strict()
        } else {
            options
        };
        let clock = process.clock();
        let tiers = match scenario.tiers {
            Tiers::All => TieredStore::builder()
                .local(local)
                .shared(shared)
                .consistent(Arc::clone(&database))
                .defaults(options)
                .clock(clock)
                .bound(scenario.bound)
                .seed(seed)
                .build()?,
            Tiers::Cache if !scenario.local => TieredStore::builder()
                .shared(shared)
                .defaults(options)
                .clock(clock)
                .bound(scenario.bound)
                .seed(seed)
                .build()?,
            Tiers::Cache | Tiers::LocalShared => TieredStore::builder()
                .local(local)
                .shared(shared)
                .defaults(options)
                .clock(clock)
                .bound(scenario.bound)
                .seed(seed)
                .build()?,
            Tiers::SharedConsistent => TieredStore::builder()
                .shared(shared)
                .consistent(Arc::clone(&database))
                .defaults(options)
                .clock(clock)
                .bound(scenario.bound)
                .seed(seed)
                .build()?,
        };
        let cache = tiers
            .cache("cached")
            .ttl(COPY_TTL)
            .local_ttl(Duration::from_secs(20))
            .not_found_ttl(Duration::from_secs(2))
            .degraded_ttl(scenario.degraded_ttl)
            .on_shared_down(scenario.policy)
            .build()?;
        Ok(Self { process, tiers, cache, sql: database, link, number })
    }
}
