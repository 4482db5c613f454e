//! Network faults between a client and a real server.

mod relay;
mod timer;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::JoinSet;

use self::relay::Link;
use crate::port;

/// More connections at once than any test needs; one more is reset.
const MAX_CONNECTIONS: usize = 4_096;

/// Which way bytes flow through a proxy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Replies.
    ToClient,
    /// Requests.
    ToServer,
}

/// What a [`FaultProxy`] does to the bytes of one direction. Counts of bytes start anew with each call of
/// [`FaultProxy::set`] and for each connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum LinkFault {
    /// Swallows everything. A connection that lost bytes is reset when the fault is gone, so that no reply can be
    /// taken for the one of another request.
    BlackHole,
    /// Inverts the byte at this offset.
    Corrupt(u64),
    /// Closes the connection in good order after so many bytes.
    CutAfter(u64),
    /// Lets pass so many bytes at a time, with a pause after each.
    Drip(usize, Duration),
    /// Lets everything pass.
    #[default]
    None,
    /// Resets the connection after so many bytes.
    ResetAfter(u64),
    /// Holds everything back and delivers it when the fault is gone, as TCP does after a short partition: late
    /// replies to requests long given up.
    Stall,
}

/// What went through a proxy so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct ProxyStats {
    /// Connections accepted.
    pub connections: u64,
    /// How often a connection turned from replies (or from nothing) to requests. With one request in flight at a time
    /// these are the round trips.
    pub round_trips: u64,
    /// Bytes of replies received from the server.
    pub to_client: u64,
    /// Bytes of requests received from clients.
    pub to_server: u64,
}

/// A TCP proxy on 127.0.0.1 whose faults are switched at run time.
///
/// It runs on a thread and a runtime of its own, so it does not care where it was started and keeps real time when a
/// test has paused tokio's. A method that returns has taken effect. Connecting to a black hole succeeds, because the
/// kernel accepts; nothing ever answers.
///
/// # Examples
/// ```no_run
/// use std::time::Duration;
/// use hallway_testkit::servers::RedisServer;
/// use hallway_testkit::{Direction, FaultProxy, LinkFault};
///
/// let proxy = FaultProxy::start(RedisServer::shared().addr())?;
/// let url = format!("redis://{}", proxy.addr());
/// proxy.set_latency(Direction::ToClient, Duration::from_millis(100));
/// proxy.set_both(LinkFault::BlackHole);
/// proxy.heal();
/// proxy.refuse();            // as if the server had died
/// proxy.accept()?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct FaultProxy {
    addr: SocketAddr,
    link: Arc<Link>,
    commands: Option<UnboundedSender<Command>>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug)]
enum Command {
    Accept(SyncSender<io::Result<()>>),
    Refuse(SyncSender<io::Result<()>>),
    ResetAll(SyncSender<io::Result<()>>),
}

impl FaultProxy {
    /// Starts a proxy before `upstream`, without any fault.
    ///
    /// # Errors
    /// If no port or thread can be had.
    pub fn start(upstream: SocketAddr) -> io::Result<Self> {
        let listener = port::listen()?;
        listener.set_nonblocking(true)?;
        let addr = listener.local_addr()?;
        let link = Arc::new(Link::default());
        let (commands, orders) = unbounded_channel();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let shared = Arc::clone(&link);
        let thread = thread::Builder::new().name("fault-proxy".to_owned()).spawn(move || {
            runtime.block_on(async {
                match TcpListener::from_std(listener) {
                    Ok(listener) => run(listener, addr, upstream, shared, orders).await,
                    Err(error) => eprintln!("the proxy cannot listen: {error}"),
                }
            });
        })?;
        Ok(Self { addr, link, commands: Some(commands), thread: Some(thread) })
    }

    /// Where clients connect.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Its port on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.addr.port()
    }

    /// Sets the fault of one direction, for open and new connections.
    pub fn set(&self, direction: Direction, fault: LinkFault) {
        self.link.lane(direction).set_fault(fault);
    }

    /// Sets the fault of both directions.
    pub fn set_both(&self, fault: LinkFault) {
        self.set(Direction::ToServer, fault);
        self.set(Direction::ToClient, fault);
    }

    /// Delays one direction. Chunks queue with a release time each, so requests in a pipeline overlap as they do on a
    /// long line. Precise to about 0.1 ms.
    pub fn set_latency(&self, direction: Direction, latency: Duration) {
        self.link.lane(direction).set_latency(latency);
    }

    /// Ends faults and latency; listens again if it refused.
    ///
    /// # Panics
    /// If the port has been taken meanwhile.
    pub fn heal(&self) {
        self.set_both(LinkFault::None);
        self.set_latency(Direction::ToServer, Duration::ZERO);
        self.set_latency(Direction::ToClient, Duration::ZERO);
        self.accept().unwrap_or_else(|error| panic!("the proxy cannot listen again: {error}"));
    }

    /// Resets all connections and refuses new ones, as if the server had died.
    pub fn refuse(&self) {
        let refused = self.command(Command::Refuse);
        debug_assert!(refused.is_ok());
    }

    /// Undoes [`refuse`](Self::refuse).
    ///
    /// # Errors
    /// If the port has been taken meanwhile.
    pub fn accept(&self) -> io::Result<()> {
        self.command(Command::Accept)
    }

    /// Resets all connections; new ones are welcome.
    pub fn reset_connections(&self) {
        let reset = self.command(Command::ResetAll);
        debug_assert!(reset.is_ok());
    }

    /// What went through so far.
    #[must_use]
    pub fn stats(&self) -> ProxyStats {
        ProxyStats {
            connections: self.link.connections.load(Ordering::Relaxed),
            round_trips: self.link.round_trips.load(Ordering::Relaxed),
            to_client: self.link.lane(Direction::ToClient).bytes(),
            to_server: self.link.lane(Direction::ToServer).bytes(),
        }
    }

    /// Blocks for the moment the proxy's own thread needs.
    fn command(&self, make: fn(SyncSender<io::Result<()>>) -> Command) -> io::Result<()> {
        let (done, waits) = sync_channel(1);
        let gone = || io::Error::other("the proxy's thread is gone");
        self.commands.as_ref().ok_or_else(gone)?.send(make(done)).map_err(|_| gone())?;
        waits.recv().map_err(|_| gone())?
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.commands = None;
        if let Some(thread) = self.thread.take() {
            // Its panic was printed already; a second one here would abort.
            let _ended = thread.join();
        }
    }
}

async fn run(
    listener: TcpListener,
    addr: SocketAddr,
    upstream: SocketAddr,
    link: Arc<Link>,
    mut commands: UnboundedReceiver<Command>,
) {
    let mut listener = Some(listener);
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            biased;
            command = commands.recv() => match command {
                None => return,
                Some(Command::Accept(done)) => {
                    let bound = if listener.is_some() { Ok(()) } else {
                        TcpListener::bind((Ipv4Addr::LOCALHOST, addr.port())).await.map(|new| listener = Some(new))
                    };
                    let _caller_gone = done.send(bound);
                }
                Some(Command::Refuse(done)) => {
                    listener = None;
                    reset(&link, &mut connections).await;
                    let _caller_gone = done.send(Ok(()));
                }
                Some(Command::ResetAll(done)) => {
                    reset(&link, &mut connections).await;
                    let _caller_gone = done.send(Ok(()));
                }
            },
            Some(_) = connections.join_next() => {}
            accepted = accept(listener.as_ref()) => match accepted {
                Ok(client) if connections.len() < MAX_CONNECTIONS => {
                    link.connections.fetch_add(1, Ordering::Relaxed);
                    connections.spawn(relay::serve(client, upstream, Arc::clone(&link)));
                }
                // Out of file descriptors or of patience: the client sees a reset.
                Ok(_) | Err(_) => tokio::task::yield_now().await,
            },
        }
    }
}

async fn accept(listener: Option<&TcpListener>) -> io::Result<tokio::net::TcpStream> {
    match listener {
        Some(listener) => listener.accept().await.map(|(client, _)| client),
        None => std::future::pending().await,
    }
}

async fn reset(link: &Link, connections: &mut JoinSet<()>) {
    link.reset_all();
    while connections.join_next().await.is_some() {}
}

/// A [`FaultProxy`] that only makes the line longer: half of the round trip each way, as measured numbers need it.
///
/// # Precision
/// tokio's timers round to 1 ms, so the release times are kept by a thread of their own, which sleeps until shortly
/// before and spins for the rest (at most 0.1 ms). A round trip takes the delay and about 0.1 ms more for the hops
/// through the proxy.
///
/// # Examples
/// ```no_run
/// use std::time::Duration;
/// use hallway_testkit::{DelayProxy, servers::RedisServer};
///
/// let far = DelayProxy::start(RedisServer::shared().addr(), Duration::from_micros(500))?;
/// let url = format!("redis://{}", far.addr());
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct DelayProxy(FaultProxy);

impl DelayProxy {
    /// Starts a proxy that adds `round_trip` to each request and its reply.
    ///
    /// # Errors
    /// If no port or thread can be had.
    pub fn start(upstream: SocketAddr, round_trip: Duration) -> io::Result<Self> {
        let proxy = Self(FaultProxy::start(upstream)?);
        proxy.set_round_trip(round_trip);
        Ok(proxy)
    }

    /// Changes the delay of whatever arrives from now on.
    pub fn set_round_trip(&self, round_trip: Duration) {
        self.0.set_latency(Direction::ToServer, round_trip / 2);
        self.0.set_latency(Direction::ToClient, round_trip / 2);
    }

    /// Where clients connect.
    #[must_use]
    pub fn addr(&self) -> SocketAddr {
        self.0.addr()
    }

    /// Its port on 127.0.0.1.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.0.port()
    }

    /// What went through so far.
    #[must_use]
    pub fn stats(&self) -> ProxyStats {
        self.0.stats()
    }
}
