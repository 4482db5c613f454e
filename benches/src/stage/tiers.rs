//! The contenders above the stores: caches and tiers.

use std::sync::Arc;

use hallway::moka::MokaStore;
use hallway::sql::SqlStore;
use hallway::{Mode, StoreUrl, TieredStore};

use super::{Lanes, RawMoka, RawPostgres, RawRedis};
use crate::contenders::bare::Bare;
use crate::{Contender, Driver, Lane, Result, Workload};
use hallway_study::load::contenders::{OurCache, copying};
use hallway_study::load::contenders::{Ours, OursAtOnce};

/// Room in this process for everything.
const ROOM: u64 = 1_000_000;
/// Of this many keys on Redis one fits into this process.
const ONE_IN: u64 = 10;

/// Hits in this process: the cache and copies of the tiered store, against moka used plainly.
pub(super) async fn local(workload: &Arc<Workload>) -> Result<Lanes> {
    let (cache, store) = (OurCache::open(ROOM, None).await?, Arc::new(copying(ROOM).await?));
    let mut copies = Ours::new(store, "bench:at");
    let at_once = OursAtOnce(copies.clone());
    let at_once = Lane::prepare("hallway try_get", at_once, workload.clone(), Driver::Threads).await?;
    // After all writes, because a write voids copies that share its stamp.
    for name in workload.names() {
        copies.get(&copies.key(name)?).await?;
    }
    Ok(Lanes {
        at_once: Some(at_once),
        bare: None,
        ours: Lane::prepare_cache("hallway cache", cache, workload.clone(), Driver::Threads).await?,
        ours_dyn: None,
        raw: Lane::prepare("moka", RawMoka::new(ROOM), workload.clone(), Driver::Threads).await?,
        raw_writer: None,
        server: None,
    })
}

/// The cache over both tiers, against plain commands; and its parts without its promises.
pub(super) async fn shared(url: &str, pid: Option<u32>, workload: &Arc<Workload>) -> Result<Lanes> {
    let room = workload.keys() as u64 / ONE_IN;
    let cache = OurCache::open(room, Some(url)).await?;
    let bare = Bare::open(room, url).await?;
    let raw = RawRedis::connect(url).await?;
    Ok(Lanes {
        at_once: None,
        bare: Some(Lane::prepare_cache("moka and Redis, bare", bare, workload.clone(), Driver::Tasks).await?),
        ours: Lane::prepare_cache("hallway cache", cache, workload.clone(), Driver::Tasks).await?,
        ours_dyn: None,
        raw: Lane::prepare_cache("redis-rs", raw, workload.clone(), Driver::Tasks).await?,
        raw_writer: None,
        server: pid,
    })
}

/// Consistent reads through the tiers, against statements of their own.
pub(super) async fn consistent(url: &str, pid: Option<u32>, workload: &Arc<Workload>) -> Result<Lanes> {
    let local = MokaStore::open_url(StoreUrl::parse(&format!("moka:?max_entries={ROOM}"))?)?;
    let sql = SqlStore::open_url(StoreUrl::parse(url)?).await?;
    let store = TieredStore::builder().local(local).consistent(sql).build()?.at(Mode::Consistent)?;
    super::lanes(Arc::new(store), RawPostgres::connect(url).await?, "sqlx", pid, workload, Driver::Tasks).await
}
