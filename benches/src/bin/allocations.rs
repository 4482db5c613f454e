//! Counts the allocations of one hit in this process and prints the number; run by `ratios`.
//!
//! A program of its own, because the counting allocator makes every allocation slower.

use std::error::Error;
use std::hint::black_box;

use hallway::moka::MokaStore;
use hallway::{Bytes, KvStore, Namespace, SetOptions, StoreUrl, Ttl};

const HITS: u32 = 10_000;

fn main() -> Result<(), Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let _entered = runtime.enter();
    let store = MokaStore::open_url(StoreUrl::parse("moka:?max=64MiB")?)?;
    let keys = (0..1_000)
        .map(|id| Namespace::new("bench:kv")?.key(&format!("{id:08}")))
        .collect::<hallway::Result<Vec<_>>>()?;
    for key in &keys {
        runtime.block_on(store.set(key, Bytes::from(vec![7; 128]), SetOptions::new(Ttl::Forever)))?;
    }
    let hit_each = |times: u32| {
        let mut hits = 0;
        for round in 0..times {
            hits += u32::from(black_box(store.try_get(&keys[round as usize % keys.len()])).is_some());
        }
        hits
    };
    hit_each(HITS);
    let mut hits = 0;
    let counted = allocation_counter::measure(|| hits = hit_each(HITS));
    if hits != HITS {
        return Err(format!("{hits} hits of {HITS}").into());
    }
    println!("{}", counted.count_total as f64 / f64::from(HITS));
    Ok(())
}
