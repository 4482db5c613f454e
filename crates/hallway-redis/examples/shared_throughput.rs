//! Shared hits and full misses through the link of a shared tier and through one bare multiplexed connection.
//!
//! `cargo run --release -p hallway-redis --example shared_throughput -- redis://127.0.0.1:6379`
//! A quick look for whoever works on the link; `cargo xtask ratios` measures officially.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use hallway_core::{
    Bytes, CopyState, InvalidationSink, Key, LeaseOutcome, LinkOptions, SharedLink, SharedTier, StoreUrl, SystemClock,
    Token,
};
use hallway_redis::RedisStore;
use redis::aio::MultiplexedConnection;

const KEYS: u64 = 1_000;
const ROUNDS: usize = 5;
const SPAN: Duration = Duration::from_millis(600);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(3_600);

type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Counts what it is told.
#[derive(Debug, Default)]
struct Told(AtomicU64);

impl InvalidationSink for Told {
    fn changed(&self, _: &[u8]) {
        self.0.fetch_add(1, Relaxed);
    }
    fn everything_changed(&self) {}
}

fn main() -> Result<(), Failure> {
    let url = std::env::args().nth(1).ok_or("give the URL of a Redis server")?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        let store = RedisStore::open_url(StoreUrl::parse(&url)?).await?;
        let told = Arc::new(Told::default());
        let sink: Arc<dyn InvalidationSink> = Arc::clone(&told) as _;
        let heartbeat = Duration::from_millis(250);
        let link = store.link(LinkOptions { sink, heartbeat, clock: Arc::new(SystemClock) });
        let bare = redis::Client::open(url)?.get_multiplexed_async_connection().await?;
        let mut meter = bare.clone();
        for at in 0..KEYS {
            miss(&link, at).await?;
        }
        for tasks in [1, 16, 64, 256] {
            let (mut ours, mut theirs) = (Vec::new(), Vec::new());
            for _ in 0..ROUNDS {
                let link = Arc::clone(&link);
                ours.push(measure(tasks, &mut meter, move |at| hit(Arc::clone(&link), at % KEYS)).await?);
                let bare = bare.clone();
                theirs.push(measure(tasks, &mut meter, move |at| get(bare.clone(), at % KEYS)).await?);
            }
            show("hit ", tasks, &ours, &theirs);
        }
        let next = Arc::new(AtomicU64::new(1 << 32));
        for tasks in [1, 64, 256] {
            let (mut ours, mut theirs) = (Vec::new(), Vec::new());
            for _ in 0..ROUNDS {
                let (link, keys) = (Arc::clone(&link), Arc::clone(&next));
                let fill = move |_| {
                    let (link, at) = (Arc::clone(&link), keys.fetch_add(1, Relaxed));
                    async move { miss(&link, at).await }
                };
                ours.push(measure(tasks, &mut meter, fill).await?);
                let (bare, keys) = (bare.clone(), Arc::clone(&next));
                theirs.push(
                    measure(tasks, &mut meter, move |_| get_and_set(bare.clone(), keys.fetch_add(1, Relaxed))).await?,
                );
            }
            show("miss", tasks, &ours, &theirs);
        }
        println!("{} invalidations", told.0.load(Relaxed));
        Ok(())
    })
}

fn show(what: &str, tasks: u64, ours: &[Pace], theirs: &[Pace]) {
    let median = |of: fn(&Pace) -> f64, paces: &[Pace]| {
        let mut all: Vec<f64> = paces.iter().map(of).collect();
        all.sort_by(f64::total_cmp);
        all[ROUNDS / 2]
    };
    let rate = |pace: &Pace| pace.rate;
    let cost = |pace: &Pace| pace.cost;
    println!(
        "{what} c={tasks:<4} link {:>8.0}/s {:>5.1} us  bare {:>8.0}/s {:>5.1} us  {:.2} x  {:.2} x by processor time",
        median(rate, ours),
        median(cost, ours),
        median(rate, theirs),
        median(cost, theirs),
        median(rate, ours) / median(rate, theirs),
        median(cost, theirs) / median(cost, ours),
    );
}

/// Rounds per second, and processor time of client and server for each in microseconds: on a busy machine the steadier
/// figure.
#[derive(Debug, Clone, Copy)]
struct Pace {
    rate: f64,
    cost: f64,
}

/// Microseconds of processor time that this process and the server have used.
async fn used(bare: &mut MultiplexedConnection) -> Result<f64, Failure> {
    let info: String = redis::cmd("INFO").arg("cpu").query_async(bare).await?;
    let seconds = |name: &str| info.lines().find_map(|line| line.strip_prefix(name)?.trim().parse::<f64>().ok());
    let server = seconds("used_cpu_sys:").zip(seconds("used_cpu_user:")).ok_or("no INFO cpu")?;
    // Nanoseconds of each thread, where the system tells.
    let mut own = 0.0;
    for task in std::fs::read_dir("/proc/self/task")? {
        let text = std::fs::read_to_string(task?.path().join("schedstat"))?;
        own += text.split(' ').next().unwrap_or_default().parse::<f64>()? / 1e3;
    }
    Ok(own + (server.0 + server.1) * 1e6)
}

fn key(at: u64) -> String {
    format!("copy:throughput:{at}")
}

async fn hit(link: Arc<dyn SharedLink>, at: u64) -> Result<(), Failure> {
    let states = link.read(&[Key::from_physical(&key(at))?], MINUTE).await?;
    if matches!(states[..], [CopyState::Value(_)]) { Ok(()) } else { Err("no copy".into()) }
}

/// Reads, asks for the lease, and fills.
async fn miss(link: &Arc<dyn SharedLink>, at: u64) -> Result<(), Failure> {
    let key = Key::from_physical(&key(at))?;
    link.read(std::slice::from_ref(&key), MINUTE).await?;
    let lease = link.lease(&[(key.clone(), Token(at), None)], MINUTE, MINUTE).await?;
    if lease != [LeaseOutcome::Granted] {
        return Ok(());
    }
    link.fill(&[(key, Token(at), Bytes::from([b'V'; 128].to_vec()), HOUR.into())], Duration::ZERO, MINUTE).await?;
    Ok(())
}

async fn get(mut bare: MultiplexedConnection, at: u64) -> Result<(), Failure> {
    let value: Option<Vec<u8>> = redis::cmd("GET").arg(key(at)).query_async(&mut bare).await?;
    value.map(drop).ok_or_else(|| "no copy".into())
}

async fn get_and_set(mut bare: MultiplexedConnection, at: u64) -> Result<(), Failure> {
    let _: Option<Vec<u8>> = redis::cmd("GET").arg(key(at)).query_async(&mut bare).await?;
    let set = redis::cmd("PSETEX").arg(key(at)).arg(60_000).arg(&[b'V'; 128]).query_async(&mut bare).await;
    set.map_err(Failure::from)
}

/// The pace of so many tasks.
async fn measure<F>(
    tasks: u64,
    bare: &mut MultiplexedConnection,
    turn: impl Fn(u64) -> F + Clone + Send + 'static,
) -> Result<Pace, Failure>
where
    F: Future<Output = Result<(), Failure>> + Send,
{
    let before = used(bare).await?;
    let start = Instant::now();
    let tasks: Vec<_> = (0..tasks)
        .map(|task| {
            let turn = turn.clone();
            tokio::spawn(async move {
                let mut done = 0;
                while start.elapsed() < SPAN {
                    turn(task * 31 + done).await?;
                    done += 1;
                }
                Ok::<u64, Failure>(done)
            })
        })
        .collect();
    let mut done = 0;
    for task in tasks {
        done += task.await??;
    }
    let rate = done as f64 / start.elapsed().as_secs_f64();
    Ok(Pace { rate, cost: (used(bare).await? - before) / done as f64 })
}
