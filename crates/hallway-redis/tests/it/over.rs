//! Streams of the caller's own: a tunnel, and a network in memory whose runs can be repeated.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hallway_core::{
    Bytes, Clock, CopyState, ErrorKind, InvalidationSink, KvStore, LinkOptions, LinkState, SetOptions, SharedTier,
    Timestamp,
};
use hallway_redis::RedisConfig;
use hallway_testkit::servers::RedisServer;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, DuplexStream, duplex};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep};

use crate::{MINUTE, key, namespace};

#[tokio::test]
async fn a_tunnel_reaches_the_server() {
    let addr = RedisServer::shared().addr();
    let store = RedisConfig::over(move || TcpStream::connect(addr)).open().unwrap();
    let key = key(&namespace(), "k");
    let _ = store.set(&key, Bytes::from("v"), SetOptions::new(MINUTE)).await.unwrap();
    assert_eq!(store.get(&key).await.unwrap().unwrap(), "v");
}

#[tokio::test]
async fn why_a_tunnel_cannot_be_opened_is_told() {
    let closed = || async { Err::<TcpStream, _>(io::Error::other("the drawbridge is up")) };
    let store = RedisConfig::over(closed).open().unwrap();
    let error = store.ping().await.unwrap_err();
    assert!(error.kind() == ErrorKind::Unavailable && error.to_string().contains("drawbridge"), "{error}");
    let encrypted = RedisConfig::over(closed).with_tls().open().unwrap_err();
    assert_eq!(encrypted.kind(), ErrorKind::InvalidConfig);
}

/// Tokio's clock, in microseconds since the start of the test.
#[derive(Debug, Clone, Copy)]
struct Paused(Instant);

impl Clock for Paused {
    fn now(&self) -> u64 {
        self.0.elapsed().as_micros() as u64 + 1
    }
    fn timestamp(&self) -> Timestamp {
        Timestamp::from_unix_micros(0)
    }
}

/// A server that answers one reply after the other, each when its time has come.
#[derive(Debug)]
struct Toy {
    clock: Paused,
    /// How long the answer to the n-th ping takes; `None` never.
    pongs: Vec<Option<Duration>>,
    log: Mutex<Vec<String>>,
}

impl Toy {
    fn note(&self, what: &str) {
        self.log.lock().unwrap().push(format!("{:>9} {what}", self.clock.now()));
    }

    async fn serve(self: Arc<Self>, stream: DuplexStream) {
        let mut stream = BufReader::new(stream);
        let mut pings = 0;
        while let Ok(words) = command(&mut stream).await {
            self.note(&words.join(" "));
            let reply = match words[0].as_str() {
                "PING" => {
                    match self.pongs.get(pings).copied().unwrap_or(Some(Duration::ZERO)) {
                        Some(pause) => sleep(pause).await,
                        None => std::future::pending().await,
                    }
                    pings += 1;
                    "+PONG\r\n"
                }
                "HELLO" => "%1\r\n+proto\r\n:3\r\n",
                "CLIENT" | "MULTI" => "+OK\r\n",
                "GET" | "PTTL" => "+QUEUED\r\n",
                "EXEC" => "*2\r\n$2\r\nV1\r\n:1000\r\n",
                _ => "-ERR unknown command\r\n",
            };
            if stream.get_mut().write_all(reply.as_bytes()).await.is_err() {
                break;
            }
        }
        self.note("closed");
    }
}

impl InvalidationSink for Toy {
    fn changed(&self, _: &[u8]) {}
    fn everything_changed(&self) {
        self.note("everything");
    }
    fn link_changed(&self, state: LinkState) {
        self.note(&format!("{state:?}"));
    }
}

async fn command(stream: &mut BufReader<DuplexStream>) -> io::Result<Vec<String>> {
    let mut line = String::new();
    let mut words = Vec::new();
    let count: usize = match stream.read_line(&mut line).await? {
        0 => return Err(io::ErrorKind::UnexpectedEof.into()),
        _ => line[1..].trim().parse().unwrap(),
    };
    for _ in 0..count {
        line.clear();
        stream.read_line(&mut line).await?;
        let mut word = vec![0; line[1..].trim().parse::<usize>().unwrap() + 2];
        stream.read_exact(&mut word).await?;
        words.push(String::from_utf8_lossy(&word[..word.len() - 2]).into_owned());
    }
    Ok(words)
}

fn toy(pongs: Vec<Option<Duration>>) -> Arc<Toy> {
    Arc::new(Toy { clock: Paused(Instant::now()), pongs, log: Mutex::default() })
}

fn tier(toy: &Arc<Toy>, seed: u64) -> hallway_redis::RedisStore {
    let toy = Arc::clone(toy);
    let attempts = Mutex::new(0);
    RedisConfig::over(move || {
        let toy = Arc::clone(&toy);
        let attempt = {
            let mut attempts = attempts.lock().unwrap();
            *attempts += 1;
            *attempts
        };
        async move {
            // Every other attempt is refused, so that pauses matter.
            if attempt % 2 == 0 {
                toy.note("refused");
                return Err(io::ErrorKind::ConnectionRefused.into());
            }
            let (ours, theirs) = duplex(1 << 16);
            tokio::spawn(toy.serve(theirs));
            Ok(ours)
        }
    })
    .with_jitter_seed(seed)
    .open()
    .unwrap()
}

/// A pong vouches for what was executed before the ping before it was sent, and for no more.
#[tokio::test(start_paused = true)]
async fn every_pong_proves_the_moment_of_the_ping_before() {
    let ms = Duration::from_millis;
    let toy = toy(vec![Some(ms(1)), Some(ms(90)), Some(ms(1)), None]);
    let link = {
        // Only the link: the store's own connection would take a turn of the server.
        let tier = RedisConfig::over({
            let toy = Arc::clone(&toy);
            move || {
                let toy = Arc::clone(&toy);
                async move {
                    let (ours, theirs) = duplex(1 << 16);
                    sleep(ms(5)).await;
                    tokio::spawn(toy.serve(theirs));
                    Ok(ours)
                }
            }
        })
        .open()
        .unwrap();
        let sink: Arc<dyn InvalidationSink> = Arc::clone(&toy) as _;
        tier.link(LinkOptions { sink, heartbeat: ms(100), clock: Arc::new(toy.clock) })
    };
    // The connection stands after 5 ms; pings go out at 105, 205, 305 and 405.
    let proven = async |at: u64, expected: u64| {
        tokio::time::sleep_until(toy.clock.0 + ms(at)).await;
        let found = Duration::from_micros(link.freshness().proven()).as_millis();
        assert_eq!(found, u128::from(expected), "at {at} ms");
    };
    proven(4, 0).await;
    proven(6, 5).await;
    proven(104, 5).await;
    proven(110, 5).await;
    proven(290, 5).await;
    proven(297, 105).await;
    proven(304, 105).await;
    proven(308, 205).await;
    // The fourth is never answered; the fifth neither, and at the time of the sixth it is over.
    proven(604, 205).await;
    assert_eq!(link.state(), LinkState::Tracked);
    proven(606, 205).await;
    assert_eq!(link.state(), LinkState::Down);
    proven(612, 610).await;
    assert_eq!(link.state(), LinkState::Tracked);
}

#[test]
fn a_run_in_memory_is_the_same_for_the_same_seed() {
    let run = |seed: u64| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let toy = toy(vec![Some(Duration::from_millis(3)), None]);
            let tier = tier(&toy, seed);
            let sink: Arc<dyn InvalidationSink> = Arc::clone(&toy) as _;
            let heartbeat = Duration::from_millis(100);
            let link = tier.link(LinkOptions { sink, heartbeat, clock: Arc::new(toy.clock) });
            let key = key(&hallway_core::Namespace::new("same").unwrap(), "k");
            let callers = (0..12).map(|caller| {
                let (link, toy, key) = (&link, &toy, &key);
                async move {
                    for turn in 0..30 {
                        let read = link.read(std::slice::from_ref(key), Duration::from_millis(40)).await;
                        let read = read.map(|states| matches!(states[..], [CopyState::Value(_)]));
                        toy.note(&format!("{caller}/{turn}: {:?}", read.map_err(|error| error.to_string())));
                        sleep(Duration::from_millis(20 + caller)).await;
                    }
                }
            });
            futures_util::future::join_all(callers).await;
            drop((link, tier));
            let log = toy.log.lock().unwrap();
            log.clone()
        })
    };
    let first = run(1);
    assert!(first.iter().any(|line| line.ends_with("Ok(true)")));
    assert!(first.iter().filter(|line| line.ends_with("Down")).count() >= 2, "{first:#?}");
    for _ in 0..10 {
        let again = run(1);
        let differs = first.iter().zip(&again).find(|(one, other)| one != other);
        assert!(differs.is_none() && first.len() == again.len(), "{differs:?}");
    }
    assert_ne!(first, run(2), "another seed pauses otherwise");
}
