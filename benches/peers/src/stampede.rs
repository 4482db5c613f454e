//! How often a source is asked when a thousand readers miss the same key at once.

use std::future::Future;
use std::num::NonZeroU8;
use std::pin::Pin;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use hallway_bench::contenders::OurCache;
use hallway_bench::contenders::redis::RawRedis;
use hallway_bench::{CacheAside, Loader, Result};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

use crate::contenders::cached::{CachedFunction, CachedRedis};
use crate::contenders::foyer::Foyer;
use crate::contenders::hitbox::Hitbox;
use crate::contenders::moka::MokaFuture;
use crate::contenders::multi_tier::MultiTier;
use crate::contenders::opendal::OpenDal;

/// How long the source takes: long enough for every reader to arrive meanwhile.
const SOURCE_TAKES: Duration = Duration::from_millis(50);
/// What no stampede may exceed; then the contender hangs.
const PATIENCE: Duration = Duration::from_secs(60);
/// Room for every key of a run.
const ENTRIES: u64 = 10_000;

/// Who is measured, in the order of the table.
pub(crate) const CONTENDERS: [&str; 10] = [
    "redis-rs",
    "hallway",
    "moka",
    "multi-tier-cache",
    "hitbox",
    "hitbox, limit 1",
    "cached",
    "cached, by_key",
    "foyer",
    "opendal",
];

type Asked = Pin<Box<dyn Future<Output = Result<()>> + Send>>;
/// Reads a key through a contender, with this source behind it.
type Ask = Arc<dyn Fn(String, Loader) -> Asked + Send + Sync>;

/// `processes` is how many take part: `cached` has no shared tier behind its functions, so that among several its
/// Redis store is measured instead.
async fn open(contender: &str, processes: usize, url: &str) -> Result<Ask> {
    let function = |by_key| {
        let function = CachedFunction { by_key };
        asks(move |key: String, loader: Loader| {
            let function = function.clone();
            async move { check(function.load(&key, &loader).await) }
        })
    };
    Ok(match contender {
        "redis-rs" => caches(RawRedis::connect(url).await?),
        "hallway" => caches(OurCache::open(ENTRIES, Some(url)).await?),
        "moka" => caches(MokaFuture::new(ENTRIES)),
        "multi-tier-cache" => caches(MultiTier::connect(ENTRIES, url).await?),
        "hitbox" => caches(Hitbox::connect(ENTRIES, url, None).await?),
        "hitbox, limit 1" => caches(Hitbox::connect(ENTRIES, url, Some(NonZeroU8::MIN)).await?),
        "cached" if processes > 1 => caches(CachedRedis::connect(url).await?),
        "cached" => function(false),
        "cached, by_key" => function(true),
        "foyer" => {
            let foyer = Foyer::new(ENTRIES as usize);
            asks(move |key: String, loader: Loader| {
                let foyer = foyer.clone();
                async move { check(foyer.load(&key, &loader).await?) }
            })
        }
        "opendal" => caches(OpenDal::redis(url)?),
        other => return Err(format!("there is no contender `{other}`").into()),
    })
}

fn asks<F: Future<Output = Result<()>> + Send + 'static>(
    ask: impl Fn(String, Loader) -> F + Send + Sync + 'static,
) -> Ask {
    Arc::new(move |key, loader| Box::pin(ask(key, loader)))
}

fn caches<C: CacheAside>(contender: C) -> Ask {
    asks(move |key, loader| {
        let mut contender = contender.clone();
        async move {
            let key = contender.key(&key)?;
            check(contender.load(&key, &loader).await?)
        }
    })
}

fn value() -> Bytes {
    Bytes::from_static(&[b'v'; 1 << 10])
}

fn check(found: impl AsRef<[u8]>) -> Result<()> {
    if found.as_ref() == &value()[..] {
        Ok(())
    } else {
        Err("a reader was given something that was never loaded".into())
    }
}

/// How often the source was asked by that many readers at once.
async fn stampede(ask: &Ask, key: &str, readers: usize) -> Result<u64> {
    let loader = Loader::new(value(), SOURCE_TAKES);
    let barrier = Arc::new(tokio::sync::Barrier::new(readers));
    let readers: Vec<_> = (0..readers)
        .map(|_| {
            let (asked, barrier) = (ask(key.to_owned(), loader.clone()), barrier.clone());
            tokio::spawn(async move {
                barrier.wait().await;
                asked.await
            })
        })
        .collect();
    for reader in readers {
        timeout(PATIENCE, reader).await.map_err(|_| "a reader waited for a minute")???;
    }
    Ok(loader.loads())
}

/// A key that nobody has read before: two contenders may be one library on one Redis.
fn key(contender: &str, what: &str, round: usize) -> String {
    format!("{}.{what}.{round}", contender.replace(|c: char| !c.is_ascii_alphanumeric(), "-"))
}

/// One process: loads per round.
pub(crate) async fn one_process(contender: &str, url: &str, readers: usize, rounds: usize) -> Result<Vec<f64>> {
    let ask = open(contender, 1, url).await?;
    let mut loads = Vec::with_capacity(rounds);
    for round in 0..rounds {
        loads.push(stampede(&ask, &key(contender, "one", round), readers).await? as f64);
    }
    Ok(loads)
}

/// Several processes, each with its share of the readers: loads of all together, per round.
pub(crate) async fn several_processes(
    contender: &str,
    url: &str,
    processes: usize,
    readers_each: usize,
    rounds: usize,
) -> Result<Vec<f64>> {
    let mut children = Vec::with_capacity(processes);
    for _ in 0..processes {
        children.push(ChildProcess::start(contender, url, processes, readers_each).await?);
    }
    let mut loads = Vec::with_capacity(rounds);
    for round in 0..rounds {
        // None of them is given the key before all of them wait for it.
        for child in &mut children {
            child.say(&key(contender, "several", round)).await?;
        }
        let mut sum = 0.0;
        for child in &mut children {
            sum += child.answer().await?.parse::<f64>()?;
        }
        loads.push(sum);
    }
    Ok(loads)
}

/// This program again, as one of several processes; it ends with this value.
struct ChildProcess {
    _child: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
}

impl ChildProcess {
    async fn start(contender: &str, url: &str, processes: usize, readers: usize) -> Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(["--child", contender, "--redis", url])
            .args(["--processes", &processes.to_string(), "--readers", &readers.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let input = child.stdin.take().ok_or("the child has a standard input")?;
        let output = child.stdout.take().ok_or("the child has a standard output")?;
        let mut this = Self { _child: child, input, output: BufReader::new(output).lines() };
        match this.answer().await?.as_str() {
            "ready" => Ok(this),
            other => Err(format!("a child said `{other}` instead of `ready`").into()),
        }
    }

    async fn say(&mut self, line: &str) -> Result<()> {
        Ok(self.input.write_all(format!("{line}\n").as_bytes()).await?)
    }

    async fn answer(&mut self) -> Result<String> {
        let line = timeout(PATIENCE * 2, self.output.next_line()).await.map_err(|_| "a child said nothing")??;
        line.ok_or_else(|| "a child ended early; its error stands above".into())
    }
}

/// What a child does: says that it is ready, then answers each key with its number of loads, until nobody asks.
pub(crate) async fn child(contender: &str, url: &str, processes: usize, readers: usize) -> Result<()> {
    let ask = open(contender, processes, url).await?;
    println!("ready");
    let mut keys = BufReader::new(tokio::io::stdin()).lines();
    while let Some(key) = keys.next_line().await? {
        println!("{}", stampede(&ask, &key, readers).await?);
    }
    Ok(())
}
