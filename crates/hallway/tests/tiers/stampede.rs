//! One load however many ask: in one process, in eight, without Redis, and when the process that loads is killed. Loads are
//! counted by a sequence of PostgreSQL, which no process can count twice or forget.

use std::env;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use hallway::{Cache, TieredStore};
use hallway_testkit::servers::{PostgresServer, RedisOptions, RedisServer};
use sqlx::PgPool;
use tokio::task::{JoinSet, block_in_place};

use crate::stage;

/// Where a child finds Redis, PostgreSQL and the sequence. Without them it has nothing to do.
const REDIS: &str = "HALLWAY_STAMPEDE_REDIS";
const POSTGRES: &str = "HALLWAY_STAMPEDE_POSTGRES";
const SEQUENCE: &str = "HALLWAY_STAMPEDE_SEQUENCE";

const PROCESSES: usize = 8;
const TASKS_OF_EACH: usize = 1_000;
/// Long enough for everybody to come while it goes on.
const LOAD: Duration = Duration::from_millis(200);
/// By default.
const LEASE: Duration = Duration::from_secs(2);
/// What two cores under other tests may add to a measured time.
const SLACK: Duration = Duration::from_millis(750);

/// A sequence of its own.
struct Loads(String);

impl Loads {
    fn new() -> Self {
        let name = format!("loads_{}_{}", std::process::id(), stage::fresh());
        PostgresServer::shared().psql(&format!("CREATE SEQUENCE {name}"));
        Self(name)
    }

    fn count(&self) -> u64 {
        let sql = format!("SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM {}", self.0);
        PostgresServer::shared().psql(&sql).parse().unwrap()
    }
}

async fn load(pool: PgPool, sequence: String) -> Result<i64, sqlx::Error> {
    let next = sqlx::query_scalar("SELECT nextval($1::text::regclass)").bind(sequence).fetch_one(&pool).await?;
    tokio::time::sleep(LOAD).await;
    Ok(next)
}

/// A cache with default settings, where a busy machine is no outage.
async fn cache(redis: &str) -> (TieredStore, Cache<i64>) {
    let tiers = TieredStore::builder()
        .local(hallway::moka::MokaStore::builder().build().unwrap())
        .shared(hallway::open(redis).await.unwrap())
        .shared_deadline(Duration::from_secs(5))
        // Nor is a process that gets no processor for half a second one whose connection is dead.
        .bound(Duration::from_secs(10))
        .build()
        .unwrap();
    let cache = tiers.cache("stampede").build().unwrap();
    until_ready(&tiers).await;
    (tiers, cache)
}

async fn until_ready(tiers: &TieredStore) {
    let began = Instant::now();
    while !tiers.health().is_ready() {
        assert!(began.elapsed() < Duration::from_secs(20), "{:?}", tiers.health());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// All at once on one key; they all get the same value, or none if it differs.
async fn crowd(cache: &Cache<i64>, pool: &PgPool, sequence: &str, key: &str, tasks: usize) -> Option<i64> {
    let mut all = JoinSet::new();
    for _ in 0..tasks {
        let (cache, pool, sequence, key) = (cache.clone(), pool.clone(), sequence.to_owned(), key.to_owned());
        all.spawn(async move { cache.get_or_load(&key, move || load(pool, sequence)).await.map(|value| *value) });
    }
    let values: Vec<i64> = all.join_all().await.into_iter().map(|value| value.unwrap()).collect();
    assert_eq!(values.len(), tasks);
    let first = *values.first()?;
    values.iter().all(|value| *value == first).then_some(first)
}

/// Another process of this test, told what to do line by line.
struct Process {
    child: Child,
    orders: ChildStdin,
    words: BufReader<ChildStdout>,
}

impl Process {
    fn start(redis: &str, loads: &Loads) -> Self {
        let mut child = Command::new(env::current_exe().unwrap())
            .args(["stampede::child", "--exact", "--nocapture"])
            .env(REDIS, redis)
            .env(POSTGRES, PostgresServer::shared().url())
            .env(SEQUENCE, &loads.0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (orders, words) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        Self { child, orders, words }
    }

    fn tell(&mut self, order: &str) {
        writeln!(self.orders, "{order}").unwrap();
        self.orders.flush().unwrap();
    }

    /// Waits for a line with this word. A child that fails ends its output.
    fn hear(&mut self, word: &str) -> String {
        let mut line = String::new();
        while !line.contains(word) {
            line.clear();
            assert_ne!(self.words.read_line(&mut line).unwrap(), 0, "the child ended before it said {word:?}");
        }
        line
    }

    fn kill9(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It may have ended already.
        let _ended = self.child.kill();
        let _reaped = self.child.wait();
    }
}

/// The child's side: `crowd KEY` answers `done VALUE`, `hold KEY` loads and never ends, `lose` waits until Redis is gone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn child() {
    let (Ok(redis), Ok(postgres), Ok(sequence)) = (env::var(REDIS), env::var(POSTGRES), env::var(SEQUENCE)) else {
        return;
    };
    let (tiers, cache) = cache(&redis).await;
    let pool = PgPool::connect(&postgres).await.unwrap();
    println!("\nready");
    let work = async {
        while let Some(line) = block_in_place(|| std::io::stdin().lines().next()) {
            let line = line.unwrap();
            match line.split_once(' ') {
                None if line == "lose" => {
                    let began = Instant::now();
                    while tiers.health().is_ready() {
                        assert!(began.elapsed() < Duration::from_secs(20), "{:?}", tiers.health());
                        tokio::time::sleep(Duration::from_millis(10)).await;
                    }
                    println!("\nlost");
                }
                Some(("crowd", key)) => {
                    let value = crowd(&cache, &pool, &sequence, key, TASKS_OF_EACH).await;
                    println!("\ndone {}", value.unwrap());
                }
                Some(("hold", key)) => {
                    let (pool, sequence) = (pool.clone(), sequence.clone());
                    let endless = move || async move {
                        load(pool, sequence).await?;
                        println!("\nholding");
                        std::future::pending::<Result<i64, sqlx::Error>>().await
                    };
                    cache.get_or_load(key, endless).await.unwrap();
                }
                _ => panic!("what is {line:?}?"),
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(60), work).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_tasks_on_a_cold_key_are_one_load() {
    let loads = block_in_place(Loads::new);
    let (tiers, cache) = cache(&stage::redis_url()).await;
    let pool = PgPool::connect(&PostgresServer::shared().url()).await.unwrap();
    let value = crowd(&cache, &pool, &loads.0, "cold", 10_000).await;
    assert_eq!(value, Some(1), "{:?} {:?} {:?}", cache.stats(), tiers.stats(), tiers.health());
    assert_eq!(block_in_place(|| loads.count()), 1);
    assert_eq!(cache.stats().loads, 1, "{:?}", cache.stats());
}

#[test]
fn eight_processes_are_one_load_with_redis_and_at_most_eight_without() {
    let redis = RedisServer::start(RedisOptions::default()).unwrap();
    let loads = Loads::new();
    let mut processes: Vec<_> = (0..PROCESSES).map(|_| Process::start(&redis.url(), &loads)).collect();
    for process in &mut processes {
        process.hear("ready");
    }
    let stampede = |processes: &mut [Process], key: &str| -> Vec<i64> {
        for process in processes.iter_mut() {
            process.tell(&format!("crowd {key}"));
        }
        let value = |process: &mut Process| process.hear("done").trim().rsplit_once(' ').unwrap().1.parse().unwrap();
        processes.iter_mut().map(value).collect()
    };
    assert_eq!(stampede(&mut processes, "up"), [1; PROCESSES]);
    assert_eq!(loads.count(), 1);

    redis.kill9();
    for process in &mut processes {
        process.tell("lose");
        process.hear("lost");
    }
    let values = stampede(&mut processes, "down");
    let more = loads.count() - 1;
    assert!((1..=PROCESSES as u64).contains(&more), "{more} loads gave {values:?}");
    assert!(values.iter().all(|value| *value > 1), "{values:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_killed_while_it_loads_is_replaced_within_the_lease_by_one_of_all_who_wait() {
    const WAITING: usize = 3;
    let redis = RedisServer::start(RedisOptions::default()).unwrap();
    let loads = block_in_place(Loads::new);
    let (_tiers, cache) = cache(&redis.url()).await;
    let pool = PgPool::connect(&PostgresServer::shared().url()).await.unwrap();
    let mut processes: Vec<_> =
        block_in_place(|| (0..=WAITING).map(|_| Process::start(&redis.url(), &loads)).collect());
    let mut leader = block_in_place(|| {
        for process in &mut processes {
            process.hear("ready");
        }
        let mut leader = processes.pop().unwrap();
        leader.tell("hold orphan");
        leader.hear("holding");
        leader
    });
    block_in_place(|| {
        for process in &mut processes {
            process.tell("crowd orphan");
        }
        leader.kill9();
    });
    let killed = Instant::now();
    assert_eq!(crowd(&cache, &pool, &loads.0, "orphan", 100).await, Some(2));
    let waited = killed.elapsed();
    for process in &mut processes {
        assert!(block_in_place(|| process.hear("done")).contains("done 2"));
    }
    eprintln!("loaded {waited:?} after the kill, under a lease of {LEASE:?}, all done after {:?}", killed.elapsed());
    assert!(waited > LEASE / 4, "{waited:?}: nobody had the lease");
    // The last look may come one pause (250 ms) after the lease has ended.
    assert!(waited < LEASE + Duration::from_millis(250) + LOAD + SLACK, "{waited:?}");
    // It was kept: nobody loads again.
    assert_eq!(crowd(&cache, &pool, &loads.0, "orphan", 100).await, Some(2));
    assert_eq!(block_in_place(|| loads.count()), 2);
}

/// A loader that takes longer than the lease, in a process that lives.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_loads_slowly_is_left_to_it_by_other_processes() {
    let url = stage::redis_url();
    let (_here, one) = cache(&url).await;
    let (_there, two) = cache(&url).await;
    let calls = Arc::new(AtomicU64::new(0));
    let read = |cache: &Cache<i64>| {
        let (cache, calls) = (cache.clone(), Arc::clone(&calls));
        async move {
            let load = move || async move {
                calls.fetch_add(1, Ordering::SeqCst);
                tokio::time::sleep(LEASE * 2).await;
                Ok::<_, std::io::Error>(7)
            };
            *cache.get_or_load("slow", load).await.unwrap()
        }
    };
    let values: Vec<i64> =
        [read(&one), read(&two), read(&one), read(&two)].into_iter().collect::<JoinSet<_>>().join_all().await;
    assert_eq!(values, [7; 4]);
    assert_eq!(calls.load(Ordering::SeqCst), 1);
}

/// Whoever makes the generation of a namespace is told of it as of a change.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_load_of_a_namespace_is_found_by_other_processes() {
    let url = stage::redis_url();
    let (here, _) = cache(&url).await;
    let (there, _) = cache(&url).await;
    for round in 0..20 {
        let name = format!("fresh{round}");
        let (one, two): (Cache<i64>, Cache<i64>) =
            (here.cache(&name).build().unwrap(), there.cache(&name).build().unwrap());
        let load = |value: i64| move || async move { Ok::<_, std::io::Error>(value) };
        assert_eq!(*one.get_or_load("k", load(1)).await.unwrap(), 1);
        assert_eq!(*two.get_or_load("k", load(2)).await.unwrap(), 1, "{round}: {:?}", one.stats());
    }
}
