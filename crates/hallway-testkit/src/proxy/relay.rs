//! One connection through the proxy: two lanes, each a reader and a writer with a queue of release times between.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::sync::{mpsc, watch};

use super::{Direction, LinkFault, timer};

/// Bytes per chunk, and chunks on the way per lane: at most 16 MiB held back, then the sender must wait.
const CHUNK: usize = 16 << 10;
const QUEUE: usize = 1_024;

/// What the connections of one proxy share.
#[derive(Debug)]
pub(super) struct Link {
    to_client: Lane,
    to_server: Lane,
    resets: watch::Sender<u64>,
    pub(super) connections: AtomicU64,
    pub(super) round_trips: AtomicU64,
}

impl Default for Link {
    fn default() -> Self {
        Self {
            to_client: Lane::default(),
            to_server: Lane::default(),
            resets: watch::Sender::new(0),
            connections: AtomicU64::new(0),
            round_trips: AtomicU64::new(0),
        }
    }
}

impl Link {
    pub(super) fn lane(&self, direction: Direction) -> &Lane {
        match direction {
            Direction::ToClient => &self.to_client,
            Direction::ToServer => &self.to_server,
        }
    }

    pub(super) fn reset_all(&self) {
        self.resets.send_modify(|resets| *resets += 1);
    }
}

/// The rule of one direction.
#[derive(Debug, Default)]
pub(super) struct Lane {
    rule: watch::Sender<Rule>,
    bytes: AtomicU64,
}

#[derive(Debug, Clone, Copy, Default)]
struct Rule {
    fault: LinkFault,
    latency: Duration,
    // Grows with each fault set, so that counters start anew.
    number: u64,
}

impl Lane {
    pub(super) fn set_fault(&self, fault: LinkFault) {
        self.rule.send_modify(|rule| (rule.fault, rule.number) = (fault, rule.number + 1));
    }

    pub(super) fn set_latency(&self, latency: Duration) {
        self.rule.send_modify(|rule| rule.latency = latency);
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }
}

/// How a connection ends before both sides have closed it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Closed,
    Reset,
}

/// What the lanes of one connection share.
#[derive(Debug, Default)]
struct Connection {
    // Bytes were swallowed: what follows must not be understood as their continuation.
    lossy: AtomicBool,
    // The last chunk was a request.
    asking: AtomicBool,
}

pub(super) async fn serve(mut client: TcpStream, upstream: SocketAddr, link: Arc<Link>) {
    let Ok(mut server) = TcpStream::connect(upstream).await else {
        // A dead server behind the proxy looks like one: refused, as late as we know it.
        return reset(&client);
    };
    for stream in [&client, &server] {
        // Without it, Nagle's delay would be measured as the server's.
        if stream.set_nodelay(true).is_err() {
            return;
        }
    }
    let connection = Connection::default();
    let mut resets = link.resets.subscribe();
    let end = {
        let (from_client, to_client) = client.split();
        let (from_server, to_server) = server.split();
        tokio::select! {
            end = async {
                tokio::try_join!(
                    pump(from_client, to_server, &link, Direction::ToServer, &connection),
                    pump(from_server, to_client, &link, Direction::ToClient, &connection),
                )
            } => end.err(),
            _ = resets.changed() => Some(End::Reset),
            () = healed_after_loss(&link, &connection) => Some(End::Reset),
        }
    };
    if end == Some(End::Reset) {
        reset(&client);
        reset(&server);
    }
}

/// Closing a socket that does not linger sends RST instead of FIN.
fn reset(stream: &TcpStream) {
    // A socket that is gone already needs no reset.
    let _gone = stream.set_zero_linger();
}

async fn healed_after_loss(link: &Link, connection: &Connection) {
    let (mut a, mut b) = (link.to_client.rule.subscribe(), link.to_server.rule.subscribe());
    loop {
        let changed = tokio::select! { changed = a.changed() => changed, changed = b.changed() => changed };
        let swallows = [a.borrow().fault, b.borrow().fault].contains(&LinkFault::BlackHole);
        if changed.is_err() || (!swallows && connection.lossy.load(Ordering::Relaxed)) {
            return;
        }
    }
}

async fn pump(
    from: ReadHalf<'_>,
    to: WriteHalf<'_>,
    link: &Link,
    direction: Direction,
    connection: &Connection,
) -> Result<(), End> {
    let (queue, chunks) = mpsc::channel(QUEUE);
    tokio::try_join!(
        read(from, queue, link, direction, connection),
        write(to, chunks, link.lane(direction), connection)
    )
    .map(drop)
}

async fn read(
    mut from: ReadHalf<'_>,
    queue: mpsc::Sender<(Instant, BytesMut)>,
    link: &Link,
    direction: Direction,
    connection: &Connection,
) -> Result<(), End> {
    let lane = link.lane(direction);
    let asks = direction == Direction::ToServer;
    loop {
        let mut chunk = BytesMut::with_capacity(CHUNK);
        let read = from.read_buf(&mut chunk).await.map_err(|_| End::Reset)?;
        if read == 0 {
            // The writer closes its side after what is still queued.
            return Ok(());
        }
        lane.bytes.fetch_add(read as u64, Ordering::Relaxed);
        if !connection.asking.swap(asks, Ordering::Relaxed) && asks {
            link.round_trips.fetch_add(1, Ordering::Relaxed);
        }
        let release = Instant::now() + lane.rule.borrow().latency;
        if queue.send((release, chunk)).await.is_err() {
            return Ok(());
        }
    }
}

async fn write(
    mut to: WriteHalf<'_>,
    mut chunks: mpsc::Receiver<(Instant, BytesMut)>,
    lane: &Lane,
    connection: &Connection,
) -> Result<(), End> {
    let mut rules = lane.rule.subscribe();
    let (mut number, mut passed) = (rules.borrow().number, 0);
    while let Some((release, mut chunk)) = chunks.recv().await {
        timer::until(release).await;
        let rule = match rules.wait_for(|rule| rule.fault != LinkFault::Stall).await {
            Ok(rule) => *rule,
            Err(_) => return Err(End::Closed),
        };
        if number != rule.number {
            (number, passed) = (rule.number, 0);
        }
        let before = passed;
        passed += chunk.len() as u64;
        match rule.fault {
            LinkFault::BlackHole => {
                connection.lossy.store(true, Ordering::Relaxed);
                continue;
            }
            LinkFault::Corrupt(at) if (before..passed).contains(&at) => chunk[(at - before) as usize] ^= 0xff,
            LinkFault::CutAfter(limit) if passed > limit => {
                send(&mut to, &chunk[..limit.saturating_sub(before) as usize]).await?;
                return Err(End::Closed);
            }
            LinkFault::ResetAfter(limit) if passed > limit => {
                send(&mut to, &chunk[..limit.saturating_sub(before) as usize]).await?;
                return Err(End::Reset);
            }
            LinkFault::Drip(bytes, pause) => {
                for drop in chunk.chunks(bytes.max(1)) {
                    // A drip that is switched off lets the rest of the chunk run.
                    let drips = rules.borrow().number == rule.number;
                    send(&mut to, drop).await?;
                    if drips {
                        timer::until(Instant::now() + pause).await;
                    }
                }
                continue;
            }
            _ => {}
        }
        send(&mut to, &chunk).await?;
    }
    // The peer may be gone already, which is what we were about to tell it.
    let _gone = to.shutdown().await;
    Ok(())
}

async fn send(to: &mut WriteHalf<'_>, bytes: &[u8]) -> Result<(), End> {
    to.write_all(bytes).await.map_err(|_| End::Reset)
}
