//! What is timed: hits in the process, hits on Redis, misses, and a mix of keys.

use std::sync::Arc;

use hallway_bench::contenders::OurCache;
use hallway_bench::contenders::local::RawMoka;
use hallway_bench::contenders::redis::RawRedis;
use hallway_bench::ratios::interleave;
use hallway_bench::{Driver, Lane, Op, Plan, Result, Workload};
use hallway_testkit::servers::RedisServer;

use crate::contenders::cached::{CachedLocal, CachedRedis};
use crate::contenders::foyer::Foyer;
use crate::contenders::hitbox::Hitbox;
use crate::contenders::moka::{MokaFuture, MokaOverRedis};
use crate::contenders::multi_tier::MultiTier;
use crate::contenders::opendal::OpenDal;
use crate::report::Row;

const VALUE_BYTES: usize = 1 << 10;
/// The hot set of local hits.
const HOT_KEYS: usize = 1_000;
/// Room in the process for the hot set and more.
const ROOM: u64 = 100_000;
/// Keys on Redis; one in ten fits into the process.
const SHARED_KEYS: usize = 50_000;
const SHARED_ROOM: u64 = SHARED_KEYS as u64 / 10;
/// Reads of one operation of the mix.
const MIX: usize = 10;

/// Measures what matches; each operation's first contender is what the others are compared with.
pub(crate) async fn measure(server: &RedisServer, only: impl Fn(&str) -> bool) -> Result<Vec<Row>> {
    let mut rows = Vec::new();
    let hits: Vec<_> = [1, 2].into_iter().filter(|threads| only(&format!("local-hit/{threads}"))).collect();
    if !hits.is_empty() {
        let lanes = local(&server.url()).await?;
        for threads in hits {
            rows.extend(row_per_lane(&format!("local-hit/{threads}"), &lanes, Op::Get, threads, server).await);
        }
    }
    let shared_operations =
        [("shared-hit/64", Op::First), ("full-miss/64", Op::Load), ("zipf-mix/64", Op::Popular(MIX))];
    let wanted: Vec<_> = shared_operations.into_iter().filter(|(id, _)| only(id)).collect();
    if !wanted.is_empty() {
        let lanes = shared(&server.url()).await?;
        for (id, op) in wanted {
            rows.extend(row_per_lane(id, &lanes, op, 64, server).await);
        }
    }
    Ok(rows)
}

async fn row_per_lane(id: &str, lanes: &[Lane], op: Op, concurrency: usize, server: &RedisServer) -> Vec<Row> {
    eprintln!("{id} ...");
    let plan = Plan { op, concurrency, iterations: 1, latencies: false };
    let lanes: Vec<_> = lanes.iter().collect();
    let results = interleave(&lanes, plan, server.pid()).await;
    let reference = results.first().and_then(|first| first.as_ref().ok()).map(|first| first.costs.clone());
    let ours = lanes.iter().position(|lane| lane.name() == crate::OURS).and_then(|at| results[at].as_ref().ok());
    let ours = ours.map(|rounds| rounds.costs.as_slice());
    let row = |(lane, result): (&&Lane, &Result<_>)| Row::timed(id, lane.name(), result, reference.as_deref(), ours);
    lanes.iter().zip(&results).map(row).collect()
}

/// A hit is read on threads of its own, for those that answer at once and for those whose hit is a future.
async fn local(url: &str) -> Result<Vec<Lane>> {
    let workload = Arc::new(Workload::new(HOT_KEYS, VALUE_BYTES, 1));
    let driver = Driver::WaitingThreads;
    Ok(vec![
        Lane::prepare("moka", RawMoka::new(ROOM), workload.clone(), driver).await?,
        Lane::prepare("hallway", OurCache::open(ROOM, Some(url)).await?, workload.clone(), driver).await?,
        Lane::prepare("moka, future", MokaFuture::new(ROOM), workload.clone(), driver).await?,
        Lane::prepare("multi-tier-cache", MultiTier::connect(ROOM, url).await?, workload.clone(), driver).await?,
        Lane::prepare("hitbox", Hitbox::connect(ROOM, url, None).await?, workload.clone(), driver).await?,
        Lane::prepare("cached", CachedLocal::new(ROOM as usize), workload.clone(), driver).await?,
        Lane::prepare("foyer", Foyer::new(ROOM as usize), workload.clone(), driver).await?,
        Lane::prepare("opendal", OpenDal::moka(ROOM)?, workload.clone(), driver).await?,
    ])
}

async fn shared(url: &str) -> Result<Vec<Lane>> {
    eprintln!("{SHARED_KEYS} keys for each contender on Redis ...");
    let workload = Arc::new(Workload::new(SHARED_KEYS, VALUE_BYTES, 1));
    let (driver, room) = (Driver::Tasks, SHARED_ROOM);
    let raw = RawRedis::connect(url).await?;
    let by_hand = MokaOverRedis::new(room, RawRedis::connect(url).await?);
    Ok(vec![
        Lane::prepare_cache("redis-rs", raw, workload.clone(), driver).await?,
        Lane::prepare_cache("hallway", OurCache::open(room, Some(url)).await?, workload.clone(), driver).await?,
        Lane::prepare_cache("moka, redis-rs", by_hand, workload.clone(), driver).await?,
        Lane::prepare_cache("multi-tier-cache", MultiTier::connect(room, url).await?, workload.clone(), driver).await?,
        Lane::prepare_cache("hitbox", Hitbox::connect(room, url, None).await?, workload.clone(), driver).await?,
        Lane::prepare_cache("cached", CachedRedis::connect(url).await?, workload.clone(), driver).await?,
        Lane::prepare_cache("opendal", OpenDal::redis(url)?, workload.clone(), driver).await?,
    ])
}
