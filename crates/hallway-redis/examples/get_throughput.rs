//! Reads per second through the store and through one bare multiplexed connection, interleaved.
//!
//! `cargo run --release -p hallway-redis --example get_throughput -- redis://127.0.0.1:6379`
//! A quick look for whoever works on the coalescer; `cargo xtask ratios` measures officially.

use std::sync::Arc;
use std::time::{Duration, Instant};

use hallway_core::{Bytes, Key, KvStore, SetOptions, StoreUrl};
use hallway_redis::RedisStore;
use redis::aio::MultiplexedConnection;

const KEYS: usize = 1_000;
const ROUNDS: usize = 5;
const SPAN: Duration = Duration::from_millis(600);

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let url = std::env::args().nth(1).ok_or("give the URL of a Redis server")?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        let store = RedisStore::open_url(StoreUrl::parse(&url)?).await?;
        let bare = redis::Client::open(url)?.get_multiplexed_async_connection().await?;
        let keys: Arc<Vec<Key>> =
            Arc::new((0..KEYS).map(|at| Key::from_physical(&format!("throughput:{at}"))).collect::<Result<_, _>>()?);
        for key in keys.iter() {
            let _ = store.set(key, Bytes::from(vec![b'v'; 128]), SetOptions::new(Duration::from_secs(600))).await?;
        }
        for tasks in [1, 16, 64, 256] {
            let (mut ours, mut theirs) = (Vec::new(), Vec::new());
            for _ in 0..ROUNDS {
                ours.push(through_store(&store, &keys, tasks).await?);
                theirs.push(through_connection(&bare, &keys, tasks).await?);
            }
            ours.sort_unstable();
            theirs.sort_unstable();
            let (ours, theirs) = (ours[ROUNDS / 2], theirs[ROUNDS / 2]);
            println!("c={tasks:<4} store {ours:>8}/s  bare {theirs:>8}/s  {:.2} x", ours as f64 / theirs as f64);
        }
        println!("{:?}", store.stats());
        Ok(())
    })
}

async fn through_store(store: &RedisStore, keys: &Arc<Vec<Key>>, tasks: usize) -> Result<u64, tokio::task::JoinError> {
    let start = Instant::now();
    let tasks: Vec<_> = (0..tasks)
        .map(|task| {
            let (store, keys) = (store.clone(), Arc::clone(keys));
            tokio::spawn(async move {
                let mut done = 0;
                while start.elapsed() < SPAN {
                    let value = store.get(&keys[(task * 31 + done) % KEYS]).await;
                    assert!(value.is_ok_and(|value| value.is_some_and(|value| value.len() == 128)));
                    done += 1;
                }
                done
            })
        })
        .collect();
    let mut done = 0;
    for task in tasks {
        done += task.await?;
    }
    Ok((done as f64 / start.elapsed().as_secs_f64()) as u64)
}

async fn through_connection(
    connection: &MultiplexedConnection,
    keys: &Arc<Vec<Key>>,
    tasks: usize,
) -> Result<u64, tokio::task::JoinError> {
    let start = Instant::now();
    let tasks: Vec<_> = (0..tasks)
        .map(|task| {
            let (mut connection, keys) = (connection.clone(), Arc::clone(keys));
            tokio::spawn(async move {
                let mut done = 0;
                while start.elapsed() < SPAN {
                    let key = keys[(task * 31 + done) % KEYS].as_str();
                    let value: Option<Vec<u8>> = redis::cmd("GET").arg(key).query_async(&mut connection).await.ok();
                    assert!(value.is_some_and(|value| value.len() == 128));
                    done += 1;
                }
                done
            })
        })
        .collect();
    let mut done = 0;
    for task in tasks {
        done += task.await?;
    }
    Ok((done as f64 / start.elapsed().as_secs_f64()) as u64)
}
