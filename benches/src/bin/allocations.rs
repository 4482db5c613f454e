//! Counts the allocations of one hit in this process and prints the number; run by `ratios`.
//!
//! The argument says what is hit: `store`, `tiers` or `cache`. A program of its own, because the counting allocator makes
//! every allocation slower.

use std::convert::Infallible;
use std::error::Error;
use std::hint::black_box;
use std::pin::pin;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use hallway::moka::MokaStore;
use hallway::sql::SqlStore;
use hallway::{Bytes, Cache, Key, KvStore, Namespace, SetOptions, StoreUrl, TieredStore, Ttl};
use tokio::runtime::Runtime;

const KEYS: usize = 1_000;
const HITS: u32 = 10_000;
/// Rounds of hits before any is counted: what is kept nearer because it is hit often has to be hit often first.
const WARMING: u32 = 20;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let _entered = runtime.enter();
    let store = MokaStore::open_url(StoreUrl::parse("moka:?max=64MiB")?)?;
    let tiers = || TieredStore::builder().local(store.clone()).single_instance();
    let count = match std::env::args().nth(1).as_deref() {
        Some("store") => of_store(&runtime, &store)?,
        // Copies of what is in an embedded database.
        Some("tiers") => {
            let sql = runtime.block_on(SqlStore::open_url(StoreUrl::parse("sqlite::memory:")?))?;
            of_store(&runtime, &tiers().consistent(sql).build()?)?
        }
        Some("cache") => of_cache(&runtime, &tiers().build()?)?,
        _ => return Err("say what is hit: `store`, `tiers` or `cache`".into()),
    };
    println!("{count}");
    Ok(())
}

fn of_store(runtime: &Runtime, store: &dyn KvStore) -> Result<f64> {
    let keys = (0..KEYS)
        .map(|id| Namespace::new("bench:kv")?.key(&format!("{id:08}")))
        .collect::<hallway::Result<Vec<Key>>>()?;
    for key in &keys {
        let options = SetOptions::new(Ttl::After(Duration::from_secs(3600)));
        runtime.block_on(store.set(key, Bytes::from(vec![7; 128]), options))?;
    }
    // Where there are copies, they are made now: after all writes, because one voids copies that share its stamp.
    for key in &keys {
        runtime.block_on(store.get(key))?;
    }
    count(|hit| store.try_get(&keys[hit % keys.len()]).is_some())
}

fn of_cache(runtime: &Runtime, tiers: &TieredStore) -> Result<f64> {
    let cache: Cache<String> = tiers.cache("bench:ca").build()?;
    let ids: Vec<_> = (0..KEYS).map(|id| format!("{id:08}")).collect();
    for id in &ids {
        runtime.block_on(cache.get_or_load(id, || async { Ok::<_, Infallible>("v".repeat(1 << 10)) }))?;
    }
    count(|hit| {
        let found = pin!(cache.get(&ids[hit % ids.len()])).poll(&mut Context::from_waker(Waker::noop()));
        matches!(found, Poll::Ready(Ok(Some(_))))
    })
}

/// Allocations per hit, after everything that is allocated once has been.
fn count(hit: impl Fn(usize) -> bool) -> Result<f64> {
    let hit_each = || (0..HITS).map(|place| u32::from(black_box(hit(place as usize)))).sum::<u32>();
    for _ in 0..WARMING {
        hit_each();
    }
    let mut hits = 0;
    let counted = allocation_counter::measure(|| hits = hit_each());
    if hits != HITS {
        return Err(format!("{hits} hits of {HITS}").into());
    }
    Ok(counted.count_total as f64 / f64::from(HITS))
}
